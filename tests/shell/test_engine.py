"""The engine keeps the order: decide, make processes, commit, act."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from orchd.core.effects import Effect
from orchd.core.facts import Fact
from orchd.core.inputs import Exited, Input, Pause, SpawnAgents, Spawned
from orchd.core.model import AgentId, Instant, Outcome, RequestId, Spec, State, agent_id
from orchd.core.turn import Question
from orchd.engine import Engine
from orchd.errors import StoreError
from orchd.reading import StoredAnswer
from orchd.store import Store
from tests.shell.held import Held, let_end

NOW = Instant(5.0, 1_700_000_000.0)
SPEC = Spec(("true",), "true", "/", "e")


class Diary:
    """A shell that writes down what it was asked, and looks what was on the disk then."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.entries: list[str] = []
        self.entries_before: list[list[str]] = []  # each time facts were seen
        self.seen: list[Fact] = []

    def _note(self, what: object) -> None:
        self.entries.append(f"{type(what).__name__} at {self.store.last_seq()}")

    def ask(self, question: Question) -> Input:
        self._note(question)
        return Spawned(question.agent, question.attempt, 100, None)

    def promised(self, effects: Iterable[Effect]) -> list[StoredAnswer]:
        return [StoredAnswer(effect.request, "spawn", None, "said") for effect in effects if hasattr(effect, "request")]

    def noted(self, facts: Sequence[Fact], wall: float) -> None:
        self.seen += facts
        self.entries_before.append(list(self.entries))

    def do(self, effect: Effect) -> None:
        self._note(effect)


@pytest.fixture
def diary(store: Store) -> Diary:
    """A shell."""
    return Diary(store)


@pytest.fixture
def engine(store: Store, diary: Diary) -> Engine:
    """An engine that works."""
    return Engine(State(limit=1, resident=4), store, diary, lambda: NOW)


def spawn(request: str, count: int = 1) -> SpawnAgents:
    """A request for agents."""
    return SpawnAgents(RequestId(request), None, (SPEC,) * count)


def test_a_process_is_made_before_the_commit_and_released_after_it(engine: Engine, diary: Diary) -> None:
    engine.feed([spawn("a")])
    assert diary.entries == ["Launch at 0", "Answer at 3", "Release at 3"]


def test_an_answer_that_must_survive_is_on_the_disk_before_it_is_given(engine: Engine, store: Store) -> None:
    engine.feed([spawn("a")])
    assert store.answer("a") == StoredAnswer("a", "spawn", None, "said")


def test_inputs_are_decided_in_their_order_and_committed_together(engine: Engine, store: Store) -> None:
    engine.feed([Pause(RequestId("p")), spawn("a")])
    assert [fact.event for fact in store.facts(0, 9)] == ["admissions-paused", "agent-queued"]


def test_who_is_over_is_told_and_let_go_and_found_in_the_store(engine: Engine, store: Store) -> None:
    engine.feed([spawn("a")])
    one = AgentId("agent-001")
    engine.feed([Exited(one, 1, Outcome(0), is_tree_gone=True)])
    engine.finish()
    assert engine.ended() == {one}
    assert engine.ended() == set()
    assert engine.state.agents == {}
    found = store.agent(one)
    assert found is not None
    assert found.is_over


def test_when_the_disk_refuses_nobody_is_told_yes(tmp_path: Path, store: Store, diary: Diary) -> None:
    engine = Engine(State(limit=1, resident=4), store, diary, lambda: NOW)
    store.close()
    with pytest.raises(StoreError):
        engine.feed([spawn("a")])
    assert diary.entries == ["Launch at 0"]


def test_nothing_to_remember_is_not_committed(engine: Engine, store: Store, diary: Diary) -> None:
    diary.promised = lambda effects: []  # type: ignore[method-assign]
    engine.feed([Exited(AgentId("agent-009"), 1, Outcome(0), is_tree_gone=True)])
    assert store.last_seq() == 0
    assert diary.entries == []


def gates(engine: Engine, store: Store, limit: int) -> Held:
    """As many as `limit` at work and more in line, on a disk that can be held."""
    engine.state.limit = limit
    engine.feed([spawn("a", 9)])
    held = Held(store._db)
    store.commits._connection = held  # type: ignore[assignment]
    return held


def ends(*numbers: int) -> list[Input]:
    """These have completed."""
    return [Exited(agent_id(number), 1, Outcome(0), is_tree_gone=True) for number in numbers]


def test_a_gate_is_opened_only_when_the_turn_that_made_it_is_on_the_disk(
    engine: Engine, store: Store, diary: Diary
) -> None:
    held, before = gates(engine, store, 1), store.last_seq()
    diary.entries.clear()
    held.hold()
    engine.feed(ends(1))
    assert engine.is_ahead
    assert engine.ended() == set()
    assert diary.entries == [f"Launch at {before}"]
    let_end(held, store.commits)
    assert diary.entries == [f"Launch at {before}"]
    engine.finish()
    assert diary.entries == [f"Launch at {before}", f"Release at {store.last_seq()}"]
    assert store.last_seq() == before + 4
    assert engine.ended() == {agent_id(1)}


def test_the_next_turn_begins_meanwhile_and_opens_the_gates_of_the_last_as_soon_as_it_may(
    engine: Engine, store: Store, diary: Diary
) -> None:
    held, original = gates(engine, store, 2), diary.ask

    def ask(question: Question) -> Input:
        if store.commits.is_pending:
            let_end(held, store.commits)
        return original(question)

    diary.ask = ask  # type: ignore[method-assign]
    diary.entries.clear()
    engine.feed(ends(1))
    let_end(held, store.commits)
    engine.finish()
    held.hold()
    engine.feed(ends(2))
    diary.entries.clear()
    engine.feed(ends(3, 4))  # the fourth is of the turn whose commit is on its way, and over before that has ended
    assert [entry.split()[0] for entry in diary.entries] == ["Launch", "Release", "Launch"]
    engine.finish()
    assert [entry.split()[0] for entry in diary.entries] == ["Launch", "Release", "Launch", "Release", "Release"]


def test_whoever_is_answered_is_answered_from_the_disk(engine: Engine, store: Store, diary: Diary) -> None:
    gates(engine, store, 1)
    engine.feed(ends(1))
    diary.entries.clear()
    engine.feed([spawn("b")])
    assert not engine.is_ahead
    assert diary.entries == [f"Release at {store.last_seq() - 1}", f"Answer at {store.last_seq()}"]


def test_nothing_is_done_for_a_turn_that_the_disk_refused_late(engine: Engine, store: Store, diary: Diary) -> None:
    held = gates(engine, store, 1)
    diary.entries.clear()
    held.hold()
    engine.feed(ends(1))
    store._db.rollback()
    held.let()
    with pytest.raises(StoreError, match="no transaction"):
        engine.finish()
    assert [entry.split()[0] for entry in diary.entries] == ["Launch"]


def test_facts_are_shown_when_they_are_on_the_disk_and_before_anybody_is_told(
    engine: Engine, store: Store, diary: Diary
) -> None:
    engine.feed([spawn("a")])
    assert diary.entries_before == [["Launch at 0"]]
    held = Held(store._db)
    store.commits._connection = held  # type: ignore[assignment]
    held.hold()
    engine.feed(ends(1))
    assert len(diary.seen) == 3
    let_end(held, store.commits)
    engine.finish()
    assert len(diary.seen) == store.last_seq() == 5
