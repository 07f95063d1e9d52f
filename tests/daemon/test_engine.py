"""The engine keeps the order: decide, make processes, commit, act."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from orchd.core.effects import Answer, Effect, Refuse, Release
from orchd.core.inputs import Admit, Exited, Input, Pause, SetLimit, SpawnAgents, Spawned
from orchd.core.state.agents import AgentId, Instant, Outcome, RequestId, Spec, agent_id
from orchd.core.state.events import Event
from orchd.core.state.state import State
from orchd.core.turn import Question
from orchd.daemon.engine import Engine
from orchd.errors import StoreError
from orchd.store.database import Store
from orchd.store.reader import StoredReply
from tests.support.slow_disk import SlowDisk, let_end

NOW = Instant(5.0, 1_700_000_000.0)
SPEC = Spec(("true",), "true", "/", "e")


class Diary:
    """A shell that writes down what it was asked, and looks what was on the disk then."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.entries: list[str] = []
        self.entries_before: list[list[str]] = []  # each time events were seen
        self.seen: list[Event] = []

    def _note(self, what: object) -> None:
        self.entries.append(f"{type(what).__name__} at {self.store.last_seq()}")

    def ask(self, question: Question) -> Input:
        self._note(question)
        return Spawned(question.agent, question.attempt, 100, None)

    def promised(self, effects: Iterable[Effect]) -> list[StoredReply]:
        return [StoredReply(effect.request, "spawn", None, "said") for effect in effects if hasattr(effect, "request")]

    def noted(self, events: Sequence[Event], wall: float) -> None:
        self.seen += events
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


def test_a_process_is_created_before_the_commit_and_released_after_it(engine: Engine, diary: Diary) -> None:
    engine.feed([spawn("a")])
    assert diary.entries == ["Launch at 0", "Answer at 3", "Release at 3"]


def test_a_spawn_reply_is_recorded_in_the_store(engine: Engine, store: Store) -> None:
    engine.feed([spawn("a")])
    assert store.answer("a") == StoredReply("a", "spawn", None, "said")


def test_inputs_are_decided_in_their_order_and_committed_together(engine: Engine, store: Store) -> None:
    engine.feed([Pause(RequestId("p")), spawn("a")])
    assert [event.event for event in store.events(0, 9)] == ["admissions-paused", "agent-queued"]


def test_a_finished_agent_is_reported_and_moved_from_state_to_store(engine: Engine, store: Store) -> None:
    engine.feed([spawn("a")])
    agent_id = AgentId("agent-001")
    engine.feed([Exited(agent_id, 1, Outcome(0), is_tree_gone=True)])
    engine.finish()
    assert engine.ended() == {agent_id}
    assert engine.ended() == set()
    assert engine.state.agents == {}
    agent = store.agent(agent_id)
    assert agent is not None
    assert agent.is_over


def test_no_reply_is_sent_when_the_commit_fails(tmp_path: Path, store: Store, diary: Diary) -> None:
    engine = Engine(State(limit=1, resident=4), store, diary, lambda: NOW)
    store.close()
    with pytest.raises(StoreError):
        engine.feed([spawn("a")])
    assert diary.entries == ["Launch at 0"]


def test_a_turn_without_events_is_not_committed(engine: Engine, store: Store, diary: Diary) -> None:
    diary.promised = lambda effects: []  # type: ignore[method-assign]
    engine.feed([Exited(AgentId("agent-009"), 1, Outcome(0), is_tree_gone=True)])
    assert store.last_seq() == 0
    assert diary.entries == []


def gates(engine: Engine, store: Store, limit: int) -> SlowDisk:
    """As many as `limit` at work and more in line, on a disk that can be held."""
    engine.state.limit = limit
    engine.feed([spawn("a", 9)])
    connection = SlowDisk(store._db)
    store.commits._connection = connection  # type: ignore[assignment]
    return connection


def ends(*numbers: int) -> list[Input]:
    """These have completed."""
    return [Exited(agent_id(number), 1, Outcome(0), is_tree_gone=True) for number in numbers]


def test_a_process_is_released_only_after_its_turn_is_committed(engine: Engine, store: Store, diary: Diary) -> None:
    connection, before = gates(engine, store, 1), store.last_seq()
    diary.entries.clear()
    connection.hold()
    engine.feed(ends(1))
    assert engine.is_ahead
    assert engine.ended() == set()
    assert diary.entries == [f"Launch at {before}"]
    let_end(connection, store.commits)
    assert diary.entries == [f"Launch at {before}"]
    engine.finish()
    assert diary.entries == [f"Launch at {before}", f"Release at {store.last_seq()}"]
    assert store.last_seq() == before + 4
    assert engine.ended() == {agent_id(1)}


def test_processes_are_released_within_the_next_turn_after_their_commit(
    engine: Engine, store: Store, diary: Diary
) -> None:
    connection, original = gates(engine, store, 2), diary.ask

    def ask(question: Question) -> Input:
        if store.commits.is_pending:
            let_end(connection, store.commits)
        return original(question)

    diary.ask = ask  # type: ignore[method-assign]
    diary.entries.clear()
    engine.feed(ends(1))
    let_end(connection, store.commits)
    engine.finish()
    connection.hold()
    engine.feed(ends(2))
    diary.entries.clear()
    engine.feed(ends(3, 4))  # the fourth is of the turn whose commit is on its way, and over before that has ended
    assert [entry.split()[0] for entry in diary.entries] == ["Launch", "Release", "Launch"]
    engine.finish()
    assert [entry.split()[0] for entry in diary.entries] == ["Launch", "Release", "Launch", "Release", "Release"]


def test_a_reply_is_sent_only_after_all_turns_are_committed(engine: Engine, store: Store, diary: Diary) -> None:
    gates(engine, store, 1)
    engine.feed(ends(1))
    diary.entries.clear()
    engine.feed([spawn("b")])
    assert not engine.is_ahead
    assert diary.entries == [f"Release at {store.last_seq() - 1}", f"Answer at {store.last_seq()}"]


def test_no_effect_is_performed_for_a_turn_when_its_commit_fails_late(
    engine: Engine, store: Store, diary: Diary
) -> None:
    connection = gates(engine, store, 1)
    diary.entries.clear()
    connection.hold()
    engine.feed(ends(1))
    store._db.rollback()
    connection.let()
    with pytest.raises(StoreError, match="no transaction"):
        engine.finish()
    assert [entry.split()[0] for entry in diary.entries] == ["Launch"]


def test_events_are_published_after_their_commit_and_before_any_reply(
    engine: Engine, store: Store, diary: Diary
) -> None:
    engine.feed([spawn("a")])
    assert diary.entries_before == [["Launch at 0"]]
    connection = SlowDisk(store._db)
    store.commits._connection = connection  # type: ignore[assignment]
    connection.hold()
    engine.feed(ends(1))
    assert len(diary.seen) == 3
    let_end(connection, store.commits)
    engine.finish()
    assert len(diary.seen) == store.last_seq() == 5


class Slow(Diary):
    """A shell whose every launch takes its time, by the clock of the engine."""

    def __init__(self, store: Store, seconds: float) -> None:
        super().__init__(store)
        self.now, self.seconds = 5.0, seconds
        self.launched: list[AgentId] = []
        self.done: list[Effect] = []

    def clock(self) -> Instant:
        """The current moment."""
        return Instant(self.now, NOW.wall)

    def ask(self, question: Question) -> Input:
        self.now += self.seconds
        self.launched.append(question.agent)
        return super().ask(question)

    def do(self, effect: Effect) -> None:
        self.done.append(effect)


def slices(engine: Engine, shell: Slow) -> list[int]:
    """The number of launches in each of the turns that it takes to launch all."""
    counts = []
    while engine.has_more:
        before = len(shell.launched)
        engine.feed([Admit()])
        counts.append(len(shell.launched) - before)
    engine.finish()
    return counts


@pytest.mark.parametrize(("seconds", "most"), [(0.003, 4), (0.5, 2)])
def test_a_large_batch_is_answered_when_queued_and_started_in_slices(store: Store, seconds: float, most: int) -> None:
    shell = Slow(store, seconds)
    engine = Engine(State(limit=100, resident=100), store, shell, shell.clock)
    engine.feed([spawn("a", 90)])
    assert [type(effect) for effect in shell.done if not isinstance(effect, Release)] == [Answer]
    assert len(shell.launched) == most
    assert sum(event.event == "agent-queued" for event in store.events(0, 999)) == 90
    counts = slices(engine, shell)
    assert set(counts[:-1]) == {most}
    assert shell.launched == [agent_id(number) for number in range(1, 91)]
    assert [effect.agent for effect in shell.done if isinstance(effect, Release)] == shell.launched


def test_a_few_agents_start_in_one_turn_even_if_launches_are_slow(store: Store) -> None:
    shell = Slow(store, 60.0)
    engine = Engine(State(limit=16, resident=16), store, shell, shell.clock)
    engine.feed([spawn("a", 1000)])
    assert len(shell.launched) == 16
    assert not engine.has_more


def test_later_slices_respect_a_lowered_limit_and_a_pause(store: Store) -> None:
    shell = Slow(store, 0.5)
    engine = Engine(State(limit=100, resident=100), store, shell, shell.clock)
    engine.feed([spawn("a", 90)])
    engine.feed([SetLimit(RequestId("l"), 40, None)])
    slices(engine, shell)
    assert len(shell.launched) == len(engine.state.living) == 40
    engine.feed([SetLimit(RequestId("m"), 100, None)])
    engine.feed([Pause(RequestId("p"))])
    assert not engine.has_more
    assert len(shell.launched) == 42


def test_agents_of_pending_slices_precede_a_no_queue_request(store: Store) -> None:
    shell = Slow(store, 0.5)
    engine = Engine(State(limit=100, resident=100), store, shell, shell.clock)
    engine.feed([spawn("a", 90)])
    engine.feed([SpawnAgents(RequestId("b"), None, (SPEC,) * 11, must_start=True)])
    assert [effect.code for effect in shell.done if isinstance(effect, Refuse)] == ["would-queue"]
    engine.feed([SpawnAgents(RequestId("c"), None, (SPEC,) * 10, must_start=True)])
    slices(engine, shell)
    assert len(shell.launched) == 100
