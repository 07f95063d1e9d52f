"""A database that lost what the home has files of: nothing is given out again, and nothing runs uncounted."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.conftest import DEADLINE, Instance, until


def refused(instance: Instance) -> str:
    """The error output of a daemon that does not start."""
    process = instance.refusal()
    assert process.returncode == 1, (process.returncode, process.stderr)
    return process.stderr


def findings(instance: Instance, check: str, *words: str) -> list[tuple[str, str]]:
    """State and sentence of each finding of this check of `doctor`."""
    rows = json.loads(instance.ctl("doctor", "--json", *words, code=None))["findings"]
    return [(finding["state"], finding["what"]) for finding in rows if finding["check"] == check]


def copied(instance: Instance, to: Path) -> None:
    """Copy the database as it is now, with its log folded in."""
    with closing(sqlite3.connect(instance.home.database)) as database, closing(sqlite3.connect(to)) as other:
        database.backup(other)


def put_back(instance: Instance, copy: Path) -> None:
    """Put this copy in the place of the database."""
    for path in instance.directory.glob("orchd.db*"):
        path.unlink()
    shutil.copy(copy, instance.home.database)


@pytest.mark.parametrize("how", ["no log", "truncated", "moved away"])
def test_an_empty_database_beside_files_of_agents_is_refused_and_doctor_reports_it(
    instance: Instance, how: str
) -> None:
    shim = psutil.Process(instance.agent(instance.spawn("sleep", "600"))["pid"])
    tree = [shim, *shim.children(recursive=True)]
    try:
        instance.kill()
        wal = Path(f"{instance.home.database}-wal")
        wal.unlink()
        if how == "truncated":
            os.truncate(instance.home.database, 0)
        elif how == "moved away":
            instance.home.database.unlink()
        word = "missing" if how == "moved away" else "empty"
        assert f"orchd.db is {word}, but {instance.home.agents} has files of its agents" in refused(instance)
        assert shim.is_running()
        ((state, what),) = findings(instance, "database", "--fix")
        assert (state, "has lost its agents" in what) == ("problem", True)
        assert shim.is_running()  # what the database knows of it may be put back
    finally:
        for process in tree:
            process.kill()
    shutil.move(instance.home.agents, instance.directory / "away")
    instance.start()
    assert instance.status()["agents"] == []


def test_an_older_database_copy_reuses_no_id_and_mixes_no_output(instance: Instance, tmp_path: Path) -> None:
    instance.ctl("pause")
    first = instance.spawn("echo", "again")
    copied(instance, tmp_path / "copy")
    instance.ctl("resume")
    later = instance.spawn("echo", "once")
    instance.ctl("wait", first, later)
    instance.stop()
    put_back(instance, tmp_path / "copy")
    instance.start()
    new = instance.spawn("echo", "new")
    assert new not in (first, later)
    instance.ctl("resume")
    instance.ctl("wait", first, new)
    assert (instance.home.agents / f"{first}.1.log").read_text() == "again\n"
    assert (instance.home.agents / f"{first}.1.log.earlier").read_text() == "again\n"
    assert (instance.home.agents / f"{later}.1.log").read_text() == "once\n"
    instance.ctl("prune", "--keep", "0")
    assert not list(instance.home.agents.glob(f"{first}.*"))


@pytest.mark.parametrize("is_new", [True, False], ids=["agent", "attempt"])
def test_a_daemon_refuses_to_start_while_an_unrecorded_attempt_runs(
    instance: Instance, tmp_path: Path, *, is_new: bool
) -> None:
    before = instance.spawn("false")
    instance.ctl("wait", before, code=1)
    copied(instance, tmp_path / "copy")
    if is_new:
        agent_id = instance.spawn("sleep", "600")
    else:
        switch = tmp_path / "switch"
        agent_id = instance.spawn("sh", "-c", f"[ -e {switch} ] && exec sleep 600; exit 1")
        instance.ctl("wait", agent_id, code=1)
        copied(instance, tmp_path / "copy")
        switch.touch()
        instance.ctl("retry", agent_id)
    shim = psutil.Process(instance.agent(agent_id)["pid"])
    until(lambda: [child.name() for child in shim.children()] == ["sleep"])
    copied(instance, tmp_path / "newer")
    instance.kill()
    put_back(instance, tmp_path / "copy")
    message = refused(instance)
    assert f"{agent_id} (attempt {1 if is_new else 2}) of {instance.directory} is running" in message
    assert "restore the newer database" in message
    ((state, what),) = findings(instance, "orphans")
    assert (state, f"has no record of {agent_id}: " in what and "sleep 600" in what) == ("problem", True)
    put_back(instance, tmp_path / "newer")
    assert [state for state, _ in findings(instance, "orphans")] == ["ok"]
    put_back(instance, tmp_path / "copy")
    assert [state for state, _ in findings(instance, "orphans", "--fix")] == ["problem"]
    assert shim.is_running()
    assert {state for state, _ in findings(instance, "orphans", "--end-agents")} == {"ok"}
    shim.wait(DEADLINE)
    instance.start()
    assert instance.spawn("true") not in (before, agent_id)


def test_an_unrecorded_attempt_of_a_dead_daemon_reserves_no_id(instance: Instance) -> None:
    instance.kill()
    (instance.home.agents / "agent-001.1.exit").write_text("exit-record 3 boot\ngate\n")
    (instance.home.agents / "agent-001.1.log").touch()
    instance.start()
    assert instance.spawn("true") == "agent-001"


def test_a_daemon_refuses_a_home_emptied_while_its_agents_run(instance: Instance) -> None:
    shim = psutil.Process(instance.agent(instance.spawn("sleep", "600"))["pid"])
    (agent,) = shim.children()
    instance.kill()
    for path in instance.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "processes of agent-001 of" in refused(instance)
    instance.ctl("doctor", "--end-agents")
    until(lambda: not agent.is_running())
    until(lambda: not shim.is_running() or shim.status() == psutil.STATUS_ZOMBIE)
    shutil.rmtree(instance.directory / "agents", ignore_errors=True)
    instance.start()
    assert instance.status()["agents"] == []


def test_a_daemon_refuses_a_running_attempt_of_a_finished_agent(instance: Instance, tmp_path: Path) -> None:
    instance.spawn("sleep", "600")
    copied(instance, tmp_path / "copy")
    shim = psutil.Process(instance.agent(instance.spawn("sleep", "600"))["pid"])
    instance.kill()
    put_back(instance, tmp_path / "copy")
    with closing(sqlite3.connect(instance.home.database)) as database:  # as if it had given the id to another agent
        database.execute(
            "INSERT INTO agents SELECT 2, 2, parent, run, session, result, 1, spec, doc FROM agents WHERE number = 1"
        )
        database.commit()
    message = refused(instance)
    assert "agent-002 (attempt 1) of" in message or "agent-002" in message
    assert shim.is_running()
    instance.ctl("doctor", "--end-agents")
    until(lambda: not shim.is_running() or shim.status() == psutil.STATUS_ZOMBIE)
