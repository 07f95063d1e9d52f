"""A newer version takes over a home at work and changes its database: nothing lost, nothing run twice, places right."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from orchd.store import migrations
from tests.conftest import Instance, until
from tests.e2e.fleet import Book, Gate
from tests.installation import install

SCHEMA = migrations.newest()


def of(bin_directory: Path) -> list[str]:
    """The daemon of an installation."""
    return [str(bin_directory / "python"), "-P", "-m", "orchd"]


def schema(path: Path) -> tuple[int, list[str]]:
    """The version of a database, and what it has that the newer version made."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        return version, [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name = 'events_by_day'")]


@pytest.mark.slow
@pytest.mark.timeout(180)
# in an orderly way is what the drill under systemd does
@pytest.mark.parametrize("leaves", [pytest.param("in order", marks=pytest.mark.stress), "killed"])
def test_running_and_queued_agents_survive_an_upgrade(stopped: Instance, tmp_path: Path, leaves: str) -> None:
    app = install(tmp_path / "app", "older")
    book, database = Book(tmp_path / "book"), stopped.home.database
    stopped.start(*of(app))
    with closing(Gate(tmp_path / "gate")) as gate:
        first = [stopped.spawn("sh", "-c", f"{book.script}; {gate.script}") for _ in range(7)]
        batch = "\n".join(json.dumps({"command": ["sh", "-c", book.script]}) for _ in range(20))
        later = stopped.ctl("spawn", "--batch", "-", stdin=batch).split()
        until(lambda: len(book.entries()) == 7)
        pids = {agent["id"]: agent["pid"] for agent in stopped.status(*first)["agents"]}
        if leaves == "killed":
            stopped.kill()
        else:
            stopped.stop("--keep-agents")

        install(tmp_path / "app", "newer")
        stopped.start(*of(app))
        assert json.loads(stopped.ctl("daemon", "status", "--json"))["version"] == "0.2.0"
        assert schema(database) == (SCHEMA + 1, ["events_by_day"])
        assert schema(migrations.kept(database, SCHEMA)) == (SCHEMA, [])
        places = stopped.status()["limit"]
        assert (places["limit"], places["working"], places["living"], places["overdrawn"]) == (7, 7, 7, 0)
        assert {agent["id"]: agent["pid"] for agent in stopped.status(*first)["agents"]} == pids
        assert {agent["status"] for agent in stopped.status(*later)["agents"]} == {"queued"}
        assert len(book.entries()) == 7
        gate.let(7)
        stopped.ctl("wait", *first, *later)
    assert sorted(book.entries()) == [(agent_id, 1) for agent_id in sorted([*first, *later])]
    assert {agent["status"] for agent in stopped.status(*first, *later)["agents"]} == {"completed"}


@pytest.mark.timeout(180)
def test_a_downgrade_is_refused_and_works_from_the_kept_database_copy(stopped: Instance, tmp_path: Path) -> None:
    app, database = install(tmp_path / "app", "older"), stopped.home.database
    stopped.start(*of(app))
    agent_id = stopped.spawn("true")
    stopped.ctl("wait", agent_id)
    stopped.stop()
    install(tmp_path / "app", "newer")
    stopped.start(*of(app))
    stopped.stop()
    install(tmp_path / "app", "older")
    before = database.read_bytes()
    process = subprocess.run([*of(app), "--home", stopped.directory], env=stopped.env, capture_output=True, text=True)
    assert process.returncode == 1
    copy = migrations.kept(database, SCHEMA)
    assert f"written by a newer orchd (schema {SCHEMA + 1}, this version supports {SCHEMA})" in process.stderr
    assert f"and copy {copy}, left by this version" in process.stderr
    assert database.read_bytes() == before
    copy.replace(database)
    stopped.start(*of(app))
    assert stopped.agent(agent_id)["status"] == "completed"
