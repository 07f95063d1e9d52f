"""The database, looked at without changing it."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from orchd.core.state.agents import Instant
from orchd.core.state.events import LimitChanged
from orchd.core.state.state import State
from orchd.instance.database_file import SCHEMAS, Checked, check
from orchd.store import migrations
from orchd.store.database import Store


def found(path: Path, seconds: float = 5.0) -> Checked:
    """The result of the check, which leaves all files as they were."""
    before = {
        entry.name: entry.read_bytes()
        for entry in path.parent.iterdir()
        if entry.is_file() and "-shm" not in entry.name
    }
    result = check(path, time.monotonic, seconds)
    after = {
        entry.name: entry.read_bytes()
        for entry in path.parent.iterdir()
        if entry.is_file() and "-shm" not in entry.name
    }
    assert after == before
    return result


def test_the_checked_schema_versions_match_the_migrations() -> None:
    assert (migrations.FIRST, migrations.newest()) == SCHEMAS


def test_a_sound_database_has_no_problem_while_open_or_closed(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    assert found(path) == Checked(None, "it does not exist yet", is_empty=True)
    path.touch()
    assert found(path) == Checked(None, "it is empty", is_empty=True)
    with closing(Store(path)):
        assert found(path) == Checked(None, f"schema {SCHEMAS[1]}, undamaged")
    assert found(path) == Checked(None, f"schema {SCHEMAS[1]}, undamaged")


def test_an_unusable_database_is_reported_with_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    Store(path).close()
    content = path.read_bytes()
    damages: list[tuple[Callable[[], object], str]] = [
        (lambda: path.write_bytes(content[:4096] + b"\1" * (len(content) - 4096)), "damaged|malformed"),
        (lambda: path.write_bytes(b"x" * 8192), "not a database"),
        (lambda: run(path, f"PRAGMA user_version = {SCHEMAS[1] + 1}"), "install the version that wrote it"),
        (lambda: run(path, "PRAGMA application_id = 7"), "the database of another program"),
    ]
    for damage, expected in damages:
        path.write_bytes(content)
        damage()
        result = found(path)
        assert result.problem is not None
        assert re.search(expected, f"{result.problem}; {result.remedy}"), result
    path.unlink()
    path.mkdir()
    assert "is not a file" in str(check(path, time.monotonic, 1.0).problem)


def test_the_check_of_a_large_database_is_bounded_in_time(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    Store(path).close()
    run(path, "CREATE TABLE big (x)")
    run(path, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) INSERT INTO big SELECT i FROM n")
    assert "too large to be checked" in str(found(path, -1.0).note)


def run(path: Path, statement: str) -> None:
    """One statement, in a connection of its own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(statement)


def test_a_database_locked_exclusively_by_a_daemon_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "orchd.db"
    with closing(Store(path)) as store:
        store.commit(State(), 1.0, [LimitChanged(3, 4)])
        path.with_name("kept-wal").write_bytes(path.with_name("orchd.db-wal").read_bytes())
    path.with_name("kept-wal").replace(path.with_name("orchd.db-wal"))
    with closing(Store(path, without_room=True)) as store:
        store.restore(State(), Instant(1.0, 1.0))
        assert check(path, time.monotonic, 1.0).problem is None
