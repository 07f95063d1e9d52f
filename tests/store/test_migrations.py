"""An older database becomes this version's own, or stays as it was: after an error, and after a death at any point."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchd.core.state.state import State
from orchd.errors import StoreError
from orchd.store import migrations
from orchd.store.database import Store
from orchd.store.migrations import copies, kept
from tests.store.test_database import NOW, agent, keep
from tests.support.machine import needs_root, tmpfs
from tests.support.steps import STEPS, by_day

ROOT = Path(__file__).parents[2]
DYING = ROOT / "tests/support/crash_points.py"
OWN = migrations.STEPS  # of this version: what a version to come adds to
BASE = migrations.newest()
COPY = f"orchd.db.schema-{BASE}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of this version with two agents in it."""
    database_path = tmp_path / "orchd.db"
    with closing(Store(database_path)) as store:
        keep(store, agent(1), agent(2))
    return database_path


def upgrade(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[sqlite3.Connection], None]) -> None:
    """Be a version that has these steps beside its own."""
    monkeypatch.setattr(migrations, "STEPS", (*OWN, *steps))


def layout(path: Path) -> dict[str, object]:
    """The schema of a database, and all its rows."""
    with closing(sqlite3.connect(path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        integrity = db.execute("PRAGMA integrity_check").fetchone()
        rows = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
        schema = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return {"version": version, "whole": integrity, "rows": rows, "schema": schema}


def names(path: Path) -> list[str]:
    """The names in the directory."""
    return sorted(entry.name for entry in path.parent.iterdir())


def test_all_migration_steps_run_and_keep_the_existing_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = layout(path)
    upgrade(monkeypatch, *STEPS)
    with closing(Store(path)) as store:
        assert [agent.number for agent in store.restore(State(), NOW)] == [1, 2]
        assert store.last_seq() == 2
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (BASE + 2,)
        assert db.execute("SELECT day FROM events").fetchall() == [(0,), (0,)]
        assert db.execute("SELECT agent FROM notes").fetchall() == [(1,), (2,)]
    copy = kept(path, BASE)
    assert names(path) == ["orchd.db", COPY]
    assert layout(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_new_database_has_the_schema_of_a_migrated_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(monkeypatch, *STEPS)
    Store(path).close()
    new = path.with_name("new.db")
    Store(new).close()
    assert layout(new)["version"] == layout(path)["version"] == BASE + 2
    assert layout(new)["schema"] == layout(path)["schema"]
    assert copies(new) == []


def test_a_database_that_is_up_to_date_is_not_copied(path: Path) -> None:
    Store(path).close()
    assert names(path) == ["orchd.db"]


def test_each_upgrade_keeps_one_copy_and_deletes_earlier_copies(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_copy = path.with_name("orchd.db.schema-of-my-own")
    own_copy.write_text("x")
    upgrade(monkeypatch, by_day)
    Store(path).close()
    assert copies(path) == [kept(path, BASE)]
    upgrade(monkeypatch, *STEPS)
    Store(path).close()
    assert copies(path) == [kept(path, BASE + 1)]
    assert layout(kept(path, BASE + 1))["version"] == BASE + 1
    assert own_copy.exists()


def test_a_failing_step_leaves_the_database_unchanged_and_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE runs")
        db.execute("ALTER TABLE nowhere ADD COLUMN x")

    before = layout(path)
    upgrade(monkeypatch, by_day, broken)
    for _ in range(2):
        with pytest.raises(
            StoreError, match=f"cannot migrate .* from schema {BASE} to {BASE + 2}: no such table: nowhere"
        ):
            Store(path)
        assert layout(path) == before
        assert names(path) == ["orchd.db", COPY]
    upgrade(monkeypatch)
    Store(path).close()


def test_a_step_that_raises_an_exception_leaves_the_database_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM agents")
        raise LookupError("a row that nobody thought of")

    before = layout(path)
    upgrade(monkeypatch, wrong)
    with pytest.raises(LookupError):
        Store(path)
    assert layout(path) == before


def test_an_unknown_schema_version_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 0")
    with pytest.raises(StoreError, match="has the unknown schema 0"):
        Store(path)


def test_a_downgrade_error_names_the_database_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(monkeypatch, *STEPS)
    Store(path).close()
    upgrade(monkeypatch)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert f"written by a newer orchd (schema {BASE + 2}, this version supports {BASE})" in str(caught.value)
    assert f"copy {kept(path, BASE)}," in str(caught.value)
    assert path.read_bytes() == before
    upgrade(monkeypatch, by_day)
    # the copy is none of this version
    with pytest.raises(StoreError, match="move the file away to start with an empty database"):
        Store(path)


def test_a_crash_at_any_point_leaves_the_old_or_the_new_database(path: Path, tmp_path: Path) -> None:
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    process = subprocess.run(
        [sys.executable, DYING, path, deaths], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    old, new = layout(path), layout(deaths / process.stdout.strip() / "orchd.db")
    assert (old["version"], new["version"]) == (BASE, BASE + 2)
    versions: list[Any] = []
    for number in range(int(process.stdout)):
        copy_path = deaths / str(number) / "orchd.db"
        layout_now = layout(copy_path)
        assert layout_now in (old, new), number
        versions.append(layout_now["version"])
        assert all(layout(copy) == old for copy in copies(copy_path)), number
        if layout_now == new or any(entry.name == "orchd.db-wal" for entry in copy_path.parent.iterdir()):
            assert copies(copy_path) == [kept(copy_path, BASE)], number
    assert sorted(versions) == versions
    assert (versions[0], versions[-1]) == (BASE, BASE + 2)
    assert len(versions) > 15


def test_the_next_start_replaces_a_partial_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(path, BASE).with_name(f"{COPY}.new").write_bytes(b"half a copy")
    upgrade(monkeypatch, *STEPS)
    Store(path).close()
    assert names(path) == ["orchd.db", COPY]


@needs_root
def test_a_full_disk_leaves_the_database_as_it_was_and_no_half_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    with tmpfs(tmp_path, "4m"):
        path = tmp_path / "orchd.db"
        with closing(Store(path)) as store:
            keep(store, *(agent(number) for number in range(1, 1500)))
        before = layout(path)
        room = os.statvfs(tmp_path)
        (tmp_path / "ballast").write_bytes(b"x" * (room.f_bavail * room.f_frsize - path.stat().st_size // 2))
        upgrade(monkeypatch, *STEPS)
        with pytest.raises(StoreError, match=f"from schema {BASE} to .*free some space"):
            Store(path)
        assert [name for name in names(path) if "schema" in name] == []
        assert layout(path) == before
