"""The store: all of a turn or nothing of it, and never a file that is not ours touched."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchd.core.state.agents import Agent, AgentId, Instant, Level, Spec, Status, agent_id
from orchd.core.state.events import AgentCompleted, AgentQueued, AgentRevived, Event, LimitChanged
from orchd.core.state.state import State
from orchd.errors import StoreError
from orchd.instance.database_file import APPLICATION_ID
from orchd.store import migrations
from orchd.store.database import KEPT_ANSWERS, Store
from orchd.store.reader import StoredFact, StoredReply
from tests.support.generated_agents import agents
from tests.support.machine import full, needs_root, remount, tmpfs
from tests.support.slow_disk import SlowDisk, let_end

NOW = Instant(50.0, 1_700_000_050.0)
SPEC = Spec(("true",), "true", "/", "e")


def agent(number: int, *ancestors: int, status: Status = Status.QUEUED) -> Agent:
    """An agent that matters only by where it stands."""
    above = tuple(agent_id(ancestor) for ancestor in ancestors)
    return Agent(agent_id(number), SPEC, Level.SUB_SKILL if above else Level.PM, above, 0, 0.0, status=status)


def born(agent: Agent) -> AgentQueued:
    """The event of its beginning."""
    return AgentQueued(agent.id, agent.spec, agent.level, agent.ancestors)


def keep(store: Store, *agents: Agent, at: float = 1.0, answers: list[StoredReply] | None = None) -> State:
    """Write agents as new."""
    state = State(
        agents={agent.id: agent for agent in agents}, last_number=max((agent.number for agent in agents), default=0)
    )
    store.commit(state, at, [born(agent) for agent in agents], answers or [])
    return state


def refusal(path: Path) -> str:
    """The error with which opening a database is refused."""
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@settings(max_examples=30)
@given(st.data())
def test_agents_round_trip(data: st.DataObject) -> None:
    parent = data.draw(agents(1, st.just(())))
    child = data.draw(agents(2, st.just((AgentId("agent-001"),))))
    with TemporaryDirectory() as directory, closing(Store(Path(directory, "orchd.db"))) as store:
        keep(store, parent, child)
        assert store.agents([2, 1, 7]) == [parent, child]
        assert store.agent(parent.id) == parent
        assert store.agent(agent_id(7)) is None
        assert store.restore(State(), NOW) == [agent for agent in (parent, child) if not agent.is_over]


def test_a_new_database_is_private_and_carries_the_application_id(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    Store(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (migrations.newest(),)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_every_commit_waits_for_the_disk(store: Store) -> None:
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_state_survives_and_a_new_home_keeps_its_given_limits(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    with closing(Store(path)) as store:
        fresh = State(limit=5, resident=9)
        assert store.restore(fresh, NOW) == []
        assert (fresh.limit, fresh.resident) == (5, 9)
        state = State(limit=3, resident=4, is_paused=True, last_number=17, seed=99)
        store.commit(state, 1.0, [LimitChanged(3, 4)])
    with closing(Store(path)) as store:
        restored = State()
        store.restore(restored, NOW)
        assert replace(restored, queue=state.queue) == state
        store.commit(restored, 2.0, [LimitChanged(3, 4)])
        assert store.last_seq() == 2


def test_a_finished_agent_is_not_restored_but_can_be_read(store: Store) -> None:
    first, second = agent(1), agent(2)
    state = keep(store, first, second)
    first.status = Status.COMPLETED
    store.commit(state, 2.0, [AgentCompleted(first.id)])
    assert [row.id for row in store.restore(State(), NOW)] == [second.id]
    row = store.agent(first.id)
    assert row is not None
    assert row.status is Status.COMPLETED


def test_a_spec_is_rewritten_only_by_an_event_that_changes_the_spec(store: Store) -> None:
    queued = agent(1)
    state = keep(store, queued)
    queued.spec = Spec(("false",), "false", "/", "f")
    store.commit(state, 2.0, [AgentCompleted(queued.id)])
    assert [row.spec.environment for row in store.agents([1])] == ["e"]
    store.commit(state, 3.0, [AgentRevived(queued.id, "f")])
    assert [row.spec.environment for row in store.agents([1])] == ["f"]


def test_a_commit_is_all_or_nothing(store: Store) -> None:
    class Unwritable:
        """A event that cannot be a row."""

    with pytest.raises(KeyError):
        store.commit(State(), 1.0, [Unwritable()])  # type: ignore[list-item]
    store._db.rollback()
    twice: list[Event] = [LimitChanged(1, 1)]
    store._db.execute("CREATE TRIGGER no BEFORE INSERT ON replies BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError, match="no"):
        store.commit(State(), 1.0, twice, [StoredReply("r", "limit", None, {})])
    store._db.rollback()
    assert store.events(0, 10) == []


def tree(store: Store) -> None:
    """1 over 2 over 4, 1 over 3; and 5 over 6."""
    keep(store, agent(1), agent(2, 1), agent(3, 1), agent(4, 1, 2), agent(5), agent(6, 5))


def test_pages_list_agents_of_one_tree_or_of_all_trees_newest_first(store: Store) -> None:
    tree(store)
    assert store.page(None, 4) == [6, 5, 4, 3]
    assert store.page(3, 4) == [2, 1]
    assert store.page(None, 9, root=1) == [4, 3, 2, 1]
    assert store.page(3, 1, root=1) == [2]
    assert store.page(1, 9) == store.page(-(2**63), 9) == []
    assert store.page(2**63 - 1, 1) == [6]


def test_families(store: Store) -> None:
    tree(store)
    assert sorted(store.in_trees([1])) == [1, 2, 3, 4]
    assert sorted(store.in_trees([5, 7])) == [5, 6]
    assert store.in_trees([]) == []
    assert store.roots_of([4, 6, 99]) == {1, 5}
    assert store.children([1, 2, 3, 5]) == {1: [2, 3], 2: [4], 5: [6]}
    assert store.children([]) == {}
    assert (store.kin(agent_id(1)), store.kin(agent_id(5)), store.kin(agent_id(9))) == (3, 1, 0)


def test_events_are_numbered_without_a_gap_and_read_in_pages(store: Store) -> None:
    tree(store)
    store.commit(State(), 2.5, [LimitChanged(3, 4)])
    assert store.last_seq() == 7
    assert [event.seq for event in store.events(0, 3)] == [1, 2, 3]
    assert store.events(6, 3) == [
        StoredFact(7, 2.5, "limit-changed", None, {"limit": 3, "resident": 4, "by_command": True})
    ]
    assert store.events(7, 3) == store.events(2**63 - 1, 3) == []
    assert [event.agent for event in store.events(0, 9, root=5)] == [5, 6, None]
    sixth = store.agent(agent_id(6))
    assert sixth is not None
    (queued,) = store.events_about(sixth, 0, 9)
    assert (queued.agent, queued.event) == (6, "agent-queued")
    assert store.events_about(sixth, queued.seq, 9) == store.events_about(sixth, 0, 0) == []


def test_events_about_an_agent_are_read_through_an_index(store: Store) -> None:
    plan = store._many(
        "EXPLAIN QUERY PLAN SELECT seq FROM events WHERE root = ? AND seq > ? AND agent = ? ORDER BY seq LIMIT ?",
        (1, 0, 1, 9),
    )
    assert "events_by_root" in str(plan)


def test_the_event_sequence_continues_after_reopening(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        with closing(Store(tmp_path / "orchd.db")) as store:
            store.commit(State(), 1.0, [LimitChanged(1, expected)])
            assert store.last_seq() == expected
            assert store.events(expected - 1, 9)[0].seq == expected


def test_a_stored_reply_is_read_with_its_caller(store: Store) -> None:
    keep(
        store,
        agent(1),
        answers=[StoredReply("r1", "spawn", None, {"agents": ["\udcff"]}), StoredReply("r2", "cancel", 7, [])],
    )
    assert store.answer("r1") == StoredReply("r1", "spawn", None, {"agents": ["\udcff"]})
    assert store.answer("r2") == StoredReply("r2", "cancel", 7, [])
    assert store.answer("r3") is None


def test_a_reply_is_stored_without_any_event(store: Store) -> None:
    store.commit(State(), 1.0, [], [StoredReply("r1", "pause", None, 1)])
    assert store.answer("r1") == StoredReply("r1", "pause", None, 1)


def test_only_the_newest_replies_are_kept_across_a_restart(store: Store) -> None:
    store.commit(State(), 1.0, [], [StoredReply(f"r{n}", "limit", None, n) for n in range(KEPT_ANSWERS + 2)])
    store.restore(State(), NOW)
    assert store.answer("r1") is None
    assert store.answer("r2") == StoredReply("r2", "limit", None, 2)


def spoil(path: Path, *statements: str) -> bytes:
    """Change a database behind our back; its bytes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
    return path.read_bytes()


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    Store(path).close()
    before = spoil(path, f"PRAGMA user_version = {migrations.newest() + 1}")
    assert "written by a newer orchd" in refusal(path)
    assert "install that version again" in refusal(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["orchd.db"]


@pytest.mark.parametrize("more", [[], ["PRAGMA user_version = 1"], ["PRAGMA user_version = 999"]])
def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path, more: list[str]) -> None:
    path = tmp_path / "orchd.db"
    before = spoil(path, "CREATE TABLE bookmarks (url)", *more)
    assert "is the database of another program; move it away" in refusal(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["orchd.db"]


@pytest.mark.parametrize("content", [b"not a database at all, " * 50, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orchd.db"
    path.write_bytes(content)
    assert "restore it from a backup, or move it away" in refusal(path)
    assert path.read_bytes() == content


def test_a_damaged_database_is_not_treated_as_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    with closing(Store(path)) as store:
        keep(store, *(agent(number) for number in range(1, 200)))
    content = path.read_bytes()
    damaged = content[:4096] + b"\xa5" * (len(content) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="damaged: restore it from a backup"), closing(Store(path)) as store:
        store.restore(State(), NOW)
    assert len(path.read_bytes()) == len(content)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agents SET doc = x'c1'",
        "UPDATE agents SET doc = x'80'",
        "UPDATE agents SET spec = x'93808080'",
        "UPDATE meta SET value = x'90'",
        "UPDATE meta SET value = x'c1'",
    ],
)
def test_an_invalid_row_is_reported_as_damage(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "orchd.db"
    with closing(Store(path)) as store:
        keep(store, agent(1))
    spoil(path, statement)
    with closing(Store(path)) as store, pytest.raises(StoreError, match="is not valid .* restore it from a backup"):
        store.restore(State(), NOW)


def test_a_directory_instead_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orchd.db").mkdir()
    assert "check that it exists and that you own it" in refusal(tmp_path / "orchd.db")


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    assert "check that it exists and that you own it" in refusal(tmp_path / "nowhere" / "orchd.db")


def test_a_database_locked_by_another_process_raises_an_error(store: Store) -> None:
    with closing(sqlite3.connect(store._path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store._db.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(StoreError, match="SQLITE_BUSY"):
            keep(store, agent(1))


def test_a_failing_query_raises_a_store_error(store: Store) -> None:
    store._db.execute("DROP TABLE events")
    with pytest.raises(StoreError, match="no such table"):
        store.events(0, 1)


@needs_root
def test_when_the_disk_is_full_the_commit_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "512k"):
        path = tmp_path / "orchd.db"
        store = Store(path)
        state = keep(store, agent(1))
        with full(tmp_path), pytest.raises(StoreError, match="SQLITE_FULL.*free some space; the daemon continues"):
            store.commit(state, 2.0, [born(agent(1))] * 2000)
        store.close()
        with closing(Store(path)) as again:
            assert [agent.number for agent in again.restore(State(), NOW)] == [1]
            assert again.last_seq() == 1
            keep(again, agent(2))


@needs_root
def test_a_read_only_disk_is_refused_and_the_file_is_as_it_was(tmp_path: Path) -> None:
    with tmpfs(tmp_path, "1m"):
        path = tmp_path / "orchd.db"
        with closing(Store(path)) as store:
            keep(store, agent(1))
        before = path.read_bytes()
        remount(tmp_path, "ro")
        assert "state directory" in refusal(path)
        assert path.read_bytes() == before


def test_a_reader_waits_for_a_pending_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, original = SlowDisk(store._db), store.commits.wait
    store.commits._connection = connection  # type: ignore[assignment]
    connection.hold()
    store.begin(State(), 1.0, [LimitChanged(3, 4)])
    assert store.last_seq() == 0

    def wait() -> None:
        let_end(connection, store.commits)
        original()

    monkeypatch.setattr(store.commits, "wait", wait)
    assert [event.event for event in store.events(0, 9)] == ["limit-changed"]
    assert store.commits.has_ended
    assert store.last_seq() == 0
    store.finish()
    assert store.last_seq() == 1


def test_a_commit_writes_the_state_at_its_begin(store: Store) -> None:
    queued = agent(1)
    state = State(agents={queued.id: queued})
    store.begin(state, 1.0, [born(queued)])
    queued.status = Status.COMPLETED
    store.finish()
    assert [row.status for row in store.agents([1])] == [Status.QUEUED]
