"""Opening a database while the disk is full, beside files of agents, and after its file was cut or removed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchd.core.state.agents import Instant
from orchd.core.state.events import LimitChanged
from orchd.core.state.state import RateLimit, State
from orchd.errors import StoreError
from orchd.instance.database_file import files_of
from orchd.store import database
from orchd.store.codec import pack, unpack
from orchd.store.database import Store
from orchd.store.reader import StoredReply

NOW = Instant(50.0, 1050.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a database that does not exist yet."""
    return tmp_path / "orchd.db"


def test_a_database_on_a_full_disk_is_read_and_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "KEPT_ANSWERS", 1)
    replies = [StoredReply(f"r{number}", "limit", None, number) for number in range(3)]
    with closing(Store(path)) as store:
        store.commit(State(limit=3), 1.0, [LimitChanged(3, 4)], replies)
    before = path.read_bytes()
    with closing(Store(path, without_room=True)) as store:
        state = State()
        store.restore(state, NOW)
        assert state.limit == 3
        assert store.answer("r0") == replies[0]
        assert not path.with_name("orchd.db-shm").exists()
    assert path.read_bytes() == before
    with closing(Store(path)) as store:
        store.restore(State(), NOW)
        assert (store.answer("r0"), store.answer("r2")) == (None, replies[2])


def test_no_database_is_created_on_a_full_disk(path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot create .*orchd\.db while the disk is full"):
        Store(path, without_room=True)


def test_an_empty_database_beside_files_of_agents_is_refused(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match=r"orchd\.db is empty, but .*agents has files of its agents"):
        Store(path, begins=False)
    assert path.read_bytes() == b""
    Store(path).close()
    Store(path, begins=False).close()


@pytest.mark.parametrize("number", range(len(files_of(Path("orchd.db")))))
@pytest.mark.parametrize("how", ["cut", "removed"])
def test_a_commit_to_a_shrunken_or_removed_database_file_is_refused(path: Path, number: int, how: str) -> None:
    with closing(Store(path)) as store:
        store.commit(State(), 1.0, [LimitChanged(1, 1)])
        store.commit(State(), 2.0, [LimitChanged(2, 2)])
        file = files_of(path)[number]
        left = file.stat().st_size // 2 if how == "cut" else 0
        if how == "cut":
            os.truncate(file, left)
        else:
            file.unlink()
        with pytest.raises(StoreError, match=rf"{file} shrank from [\d,]+ to {left:,} bytes: .* start orchd again"):
            store.commit(State(), 3.0, [LimitChanged(3, 3)])
        assert store.last_seq() == 2


def test_runner_rate_limits_keep_their_wall_clock_end_after_a_restart(
    path: Path,
) -> None:
    with closing(Store(path)) as store:
        limited = State(holds={"claude": RateLimit(900.0, 1300.0, "come back later")})
        store.commit(limited, 1.0, [LimitChanged(1, 1)])
        state = State()
        store.restore(state, NOW)
        assert state.holds == {"claude": RateLimit(300.0, 1300.0, "come back later")}


def test_a_rate_limit_of_a_row_of_schema_2_has_no_message(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit(State(holds={"claude": RateLimit(900.0, 1300.0, "later")}), 1.0, [LimitChanged(1, 1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (row,) = connection.execute("SELECT value FROM meta WHERE key = 'state'").fetchone()
        saved = [{"claude": 1300.0} if isinstance(field, dict) else field for field in unpack(row)]
        connection.execute("UPDATE meta SET value = ? WHERE key = 'state'", (pack(saved),))
    with closing(Store(path)) as store:
        state = State()
        store.restore(state, NOW)
        assert state.holds == {"claude": RateLimit(300.0, 1300.0, "")}
