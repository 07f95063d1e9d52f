"""`orchctl session new|list|show|close`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_the_first_agent_of_a_project_begins_its_session(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    none = "no sessions here; `orchctl spawn` starts one"
    everywhere = "; `orchctl session list --all` lists the sessions of all projects"
    assert orchctl("session", "list").out == f"{none}{everywhere}\n"
    assert orchctl("session", "list", "--all").out == f"{none}\n"
    assert "`orchctl session list --all` lists all sessions" in orchctl("session", "show", "session-9").err
    assert orchctl("session", "show").err.startswith("unknown-session: there is no session in ")
    orchctl("spawn", "--name", "api", "--wait", "--", "true")
    (line,) = orchctl("session", "list").out.splitlines()
    assert line.split() == ["session-001", "open", "1", "agent", str(tmp_path)]
    lines = orchctl("session", "show").out.splitlines()
    assert lines[0] == line
    assert lines[2].split()[:3] == ["agent-001", "api", "completed"]
    answer = json.loads(orchctl("session", "show", "--json").out)
    assert (answer["session"]["directory"], [agent["name"] for agent in answer["agents"]]) == (str(tmp_path), ["api"])


def test_all_directories_of_a_checkout_belong_to_one_project(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "deep/er").mkdir(parents=True)
    orchctl("spawn", "--wait", "--", "true", cwd=tmp_path / "deep/er")
    assert json.loads(orchctl("session", "show", "--json").out)["session"]["directory"] == str(tmp_path)
    assert (tmp_path / ".agent/sessions/latest.yaml").exists()


def test_a_new_session_closes_the_old_session_and_gets_new_agents(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("spawn", "--wait", "--", "true")
    assert (
        orchctl("session", "new", "--name", "two", "--max-tokens", "100", "--max-cost", "2.50").out == "session-002\n"
    )
    orchctl("spawn", "--wait", "--", "true")
    assert [line.split()[0] for line in orchctl("session", "list").out.splitlines()] == ["session-002", "session-001"]
    second, first = json.loads(orchctl("session", "list", "--json").out)["sessions"]
    assert (second["name"], second["agents"], second["max_tokens"], second["max_cost"]) == ("two", 1, 100, 2.5)
    assert first["closed_at"] is not None
    assert instance.agent("agent-002")["session"] == "session-002"


def test_a_closed_session_keeps_its_agents_and_gets_no_new_agents(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("spawn", "--wait", "--", "true")
    assert orchctl("session", "close").out.split()[:2] == ["session-001", "closed"]
    assert orchctl("session", "close", "session-1").code == 0
    orchctl("spawn", "--wait", "--", "true")
    assert json.loads(orchctl("session", "show", "--json").out)["session"]["id"] == "session-002"
    assert len(json.loads(orchctl("session", "show", "session-001", "--json").out)["agents"]) == 1


def test_all_pages_are_shown(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.ctl("pause")
    batch = "\n".join('{"command": ["true"]}' for _ in range(1100))
    assert orchctl("spawn", "--batch", "-", input=batch).code == 0
    with instance.client() as client:
        for _ in range(55):
            client.call("session-new", {"project": str(tmp_path)})
    assert len(json.loads(orchctl("session", "show", "session-001", "--json").out)["agents"]) == 1100
    assert len(json.loads(orchctl("session", "list", "--json").out)["sessions"]) == 56
    orchctl("cancel", *(f"{number}" for number in range(1, 1101)))


def test_an_agent_sees_only_its_own_session(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    orchctl("spawn", "--wait", "--", "true", cwd=tmp_path / "there")
    script = "orchctl session list --all; orchctl session show session-1; orchctl session new; orchctl budget session-2"
    orchctl("spawn", "--wait", "--", "sh", "-c", script)
    log = instance.ctl("logs", "2").splitlines()
    assert log[0].split()[0] == "session-002"
    assert log[1].startswith("forbidden: permission denied: session-001 is not the session of agent-002")
    assert [line.split(":")[0] for line in log[2:]] == ["forbidden", "forbidden"]


def test_a_child_in_another_directory_joins_the_session_of_its_parent(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    script = f"cd {tmp_path}/there; orchctl spawn --wait -- true"
    assert orchctl("spawn", "--nesting", "1", "--wait", "--", "sh", "-c", script).code == 0
    assert instance.agent("agent-002")["session"] == "session-001"
    assert list((tmp_path / "there").iterdir()) == []


def test_session_list_show_and_close_start_no_daemon(orchctl: Orchctl, stopped: Instance) -> None:
    assert [orchctl("session", word).code for word in ("list", "show", "close")] == [69, 69, 69]


def test_only_an_explicit_session_writes_files_outside_a_checkout(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    before = list(tmp_path.iterdir())
    orchctl("spawn", "--wait", "--", "true")
    assert list(tmp_path.iterdir()) == before
    orchctl("session", "new")
    orchctl("spawn", "--wait", "--", "true")
    assert (tmp_path / ".agent/sessions/latest.yaml").readlink() == Path("session-002.yaml")


def test_a_session_works_when_its_session_files_cannot_be_written(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / ".agent").touch()
    result = orchctl("session", "new")
    assert (result.code, result.out) == (0, "session-001\n")
    assert result.err == f"no session files will be written: cannot create {tmp_path}/.agent: File exists\n"


def test_a_home_directory_that_is_a_checkout_gets_no_session_files(stopped: Instance, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    stopped.env["HOME"] = str(tmp_path)
    stopped.start()
    stopped.ctl("spawn", "--wait", "--", "true", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".git"]
