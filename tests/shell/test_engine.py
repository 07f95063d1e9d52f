"""The engine keeps the order: decide, make processes, commit, act."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from orchd.core.effects import Effect
from orchd.core.inputs import Exited, Input, Pause, SpawnAgents, Spawned
from orchd.core.model import AgentId, Instant, Outcome, RequestId, Spec, State
from orchd.core.turn import Question
from orchd.engine import Engine
from orchd.errors import StoreError
from orchd.store import Store, StoredAnswer

NOW = Instant(5.0, 1_700_000_000.0)
SPEC = Spec(("true",), "true", "/", "e")


class Diary:
    """A shell that writes down what it was asked, and looks what was on the disk then."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.entries: list[str] = []

    def _note(self, what: object) -> None:
        self.entries.append(f"{type(what).__name__} at {self.store.last_seq()}")

    def ask(self, question: Question) -> Input:
        self._note(question)
        return Spawned(question.agent, question.attempt, 100, None)

    def promised(self, effects: Iterable[Effect]) -> list[StoredAnswer]:
        return [StoredAnswer(effect.request, "spawn", None, "said") for effect in effects if hasattr(effect, "request")]

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
    assert engine.feed([Exited(one, 1, Outcome(0), is_tree_gone=True)]) == {one}
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
