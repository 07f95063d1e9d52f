"""The scribe: files are true before any client is told of an end, and soon after any other event."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from orchd.instance.config import Config
from orchd.session_files.directory import SessionFilePaths
from orchd.session_files.writer import PAUSE, SessionFileWriter
from tests.support.bench import Bench


@pytest.fixture(autouse=True)
def _project(tmp_path: Path) -> None:
    (tmp_path / ".agent").mkdir()


def spawned(bench: Bench, project: Path, *command: str, count: int = 1) -> list[str]:
    """New agents of a project."""
    agents = [{"command": list(command or ("true",))}] * count
    env = {"PATH": "/usr/bin:/bin"}
    spawned_agents = bench.ask("spawn", {"agents": agents, "cwd": str(project), "project": str(project), "env": env})[
        "agents"
    ]
    return [agent["id"] for agent in spawned_agents]


def statuses(project: Path) -> dict[str, str]:
    """The statuses in agents.json."""
    rows = json.loads((project / ".claude/state/agents.json").read_text())
    return {row["id"]: row["status"] for row in rows}


def events(project: Path) -> list[tuple[int, str]]:
    """The events in events.jsonl."""
    lines = (project / ".claude/state/events.jsonl").read_text().splitlines()
    return [(event["seq"], event["event"]) for event in map(json.loads, lines)]


def of_store(bench: Bench) -> list[tuple[int, str]]:
    """The events that events.jsonl should have."""
    return [(event.seq, event.event) for event in bench.store.events(0, 1000)]


def test_session_files_are_written_before_a_reply_reports_an_end(bench: Bench, tmp_path: Path) -> None:
    (agent_id,) = spawned(bench, tmp_path)
    bench.until_over(bench.agent(agent_id))
    assert not (tmp_path / ".claude").exists()
    bench.ask("wait", {"ids": [agent_id]})
    assert statuses(tmp_path) == {agent_id: "completed"}
    assert "status: Completed" in (tmp_path / ".agent/sessions/latest.yaml").read_text()
    assert events(tmp_path) == of_store(bench)


def test_a_session_closed_before_its_last_end_is_written_shows_closed(bench: Bench, tmp_path: Path) -> None:
    (agent_id,) = spawned(bench, tmp_path)
    bench.until_over(bench.agent(agent_id))
    bench.ask("session-close", {"id": "session-001"})
    bench.scribe.write()
    assert "status: Closed\n" in (tmp_path / ".agent/sessions/latest.yaml").read_text()
    assert events(tmp_path) == of_store(bench)


def test_events_other_than_ends_are_written_soon_but_not_too_often(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchd.session_files.writer._SHARE", 0)
    first, second = spawned(bench, tmp_path, "sleep", "600", count=2)
    due = bench.scribe.next_deadline()
    assert due is not None
    assert due <= bench.clock().mono
    bench.scribe.write()
    assert statuses(tmp_path) == {first: "running", second: "running"}
    assert bench.scribe.next_deadline() is None
    bench.ask("cancel", {"ids": [first]})
    due = bench.scribe.next_deadline()
    assert due is not None
    assert 0.0 < due - bench.clock().mono <= PAUSE


def test_each_project_has_its_own_session_files(bench: Bench, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for each in (here, there):
        (each / ".agent").mkdir(parents=True)
    (first,) = spawned(bench, here, "sleep", "600")
    (second,) = spawned(bench, there, "sleep", "600")
    bench.scribe.write()
    assert (list(statuses(here)), list(statuses(there))) == ([first], [second])
    assert {seq for seq, _ in events(here)}.isdisjoint(seq for seq, _ in events(there))


def test_a_new_session_starts_an_empty_list_and_continues_the_events(bench: Bench, tmp_path: Path) -> None:
    (agent_id,) = spawned(bench, tmp_path, "sleep", "600")
    bench.ask("session-new", {"project": str(tmp_path), "name": "two"})
    bench.scribe.write()
    assert statuses(tmp_path) == {}
    bench.ask("cancel", {"ids": [agent_id]})
    bench.until_over(bench.agent(agent_id))
    bench.ask("wait", {"ids": [agent_id]})
    folder = tmp_path / ".agent/sessions"
    assert "Cancelled" in (folder / "session-001.yaml").read_text()
    assert (folder / "latest.yaml").readlink() == Path("session-002.yaml")
    assert statuses(tmp_path) == {}
    assert events(tmp_path) == of_store(bench)


@pytest.mark.parametrize("lost", [".claude/state/agents.json", ".claude", "nothing"])
def test_the_next_daemon_completes_the_session_files(bench: Bench, tmp_path: Path, lost: str) -> None:
    (agent_id,) = spawned(bench, tmp_path)
    bench.scribe.write()
    bench.until_over(bench.agent(agent_id))
    if (path := tmp_path / lost).is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    next_one = SessionFileWriter(bench.state, bench.store, bench.clock, SessionFilePaths())
    next_one.catch_up()
    assert statuses(tmp_path) == {agent_id: "completed"}
    assert events(tmp_path) == of_store(bench)
    SessionFileWriter(bench.state, bench.store, bench.clock, SessionFilePaths()).catch_up()
    assert events(tmp_path) == of_store(bench)


def test_a_project_that_cannot_be_written_is_logged_once_and_disturbs_no_agent(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".claude").touch()
    first, second = spawned(bench, tmp_path, count=2)
    with caplog.at_level(logging.WARNING):
        for each in (first, second):
            bench.until_over(bench.agent(each))
            assert bench.ask("wait", {"ids": [each]})["agents"][0]["status"] == "completed"
    assert [record.message.split(":")[0] for record in caplog.records].count(
        f"cannot write the session files in {tmp_path}"
    ) == 1
    (tmp_path / ".claude").unlink()
    bench.ask("wait", {"ids": spawned(bench, tmp_path, "sleep", "600"), "timeout": 0})
    bench.scribe.write()
    assert set(statuses(tmp_path).values()) == {"completed", "running"}


def test_disabled_session_files_are_not_written(tmp_path: Path, home_directory: Path) -> None:
    assert Config().session_files
    bench = Bench(home_directory)
    bench.shell._scribe = SessionFileWriter(bench.state, bench.store, bench.clock, None)
    (agent_id,) = spawned(bench, tmp_path)
    bench.until_over(bench.agent(agent_id))
    bench.shell._scribe.catch_up()
    assert [path.name for path in tmp_path.rglob("*")] == [".agent"]
    bench.close()


def test_sessions_without_unfinished_agents_are_evicted_from_memory(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchd.session_files.writer._KEPT", 1)
    for name in ("a", "b"):
        (tmp_path / name / ".agent").mkdir(parents=True)
        (agent_id,) = spawned(bench, tmp_path / name)
        bench.until_over(bench.agent(agent_id))
        bench.ask("wait", {"ids": [agent_id]})
    assert list(bench.scribe._shown) == ["session-002"]
    (third,) = spawned(bench, tmp_path / "a", "sleep", "600")
    bench.scribe.write()
    assert statuses(tmp_path / "a") == {"agent-001": "completed", third: "running"}
