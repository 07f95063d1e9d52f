"""`orchctl wait`."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Background, Orchctl, Terminal


def test_wait_prints_a_line_for_each_ended_agent(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true", options=["--name", "good"])
    instance.spawn("sh", "-c", "exit 3", options=["--name", "bad"])
    result = orchctl("wait", "1", "agent-2")
    assert (result.code, result.err) == (1, "")
    good, bad = result.out.splitlines()
    assert good.split()[:3] == ["agent-001", "good", "completed"]
    assert good.endswith("exit 0")
    assert bad.split()[:3] == ["agent-002", "bad", "failed"]
    assert bad.endswith("exit 3")
    assert orchctl("wait", "1").code == 0


def test_json_output_and_exit_code_report_the_failure(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("false")
    process = orchctl("wait", "1", "--json")
    result = json.loads(process.out)
    assert process.code == 1
    assert not result["timed_out"]
    assert [agent["status"] for agent in result["agents"]] == ["failed"]


def test_a_timed_out_wait_exits_with_75_and_prints_the_ended_agents(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true")
    instance.spawn("sleep", "60")
    instance.ctl("wait", "1")
    result = orchctl("wait", "1", "2", "--timeout", "0.1s")
    assert result.code == 75
    assert result.out.splitlines()[0].startswith("agent-001")
    assert len(result.out.splitlines()) == 1
    assert result.err == "timed-out: agent-002 is running; they continue\n"
    quiet = orchctl("wait", "2", "--timeout", "0", "--json")
    assert (quiet.code, quiet.err) == (75, "")
    assert json.loads(quiet.out)["timed_out"]


def test_wait_any_returns_when_the_first_agent_ends(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sleep", "60")
    instance.spawn("true")
    result = orchctl("wait", "1", "2", "--any")
    assert result.code == 0
    assert result.out.startswith("agent-002")
    assert len(result.out.splitlines()) == 1


def test_wait_all_waits_for_all_agents(
    instance: Instance, background: Background, terminal: Terminal, gate: Callable[[], None], tmp_path: Path
) -> None:
    assert instance.ctl("wait", "--all") == ""
    instance.spawn("sh", "-c", f"read x <{tmp_path}/gate")
    command = background("wait", "--all", stderr=terminal.theirs)
    terminal.until("waiting: 1 running")
    assert instance.agent("agent-001")["status"] == "running"  # the line is of another connection than the wait itself
    gate()
    assert command.communicate(timeout=30)[0].startswith("agent-001")


def test_wait_children_outside_of_an_agent_names_options(instance: Instance, orchctl: Orchctl) -> None:
    what = "the caller is not an agent and has no children"
    way_out = "give ids, or --all (scope `all`) to wait for all agents"
    assert orchctl("wait", "--children") == (1, "", f"bad-request: {what}; {way_out}\n")


def test_wait_children_waits_for_children_of_the_calling_agent(instance: Instance) -> None:
    parent = instance.spawn(
        "sh", "-c", "orchctl spawn -- true; orchctl spawn -- false; orchctl wait --children", options=["--nesting", "1"]
    )
    instance.ctl("wait", parent, code=1)
    lines = instance.ctl("logs", parent).splitlines()[2:]
    assert [line.split()[2] for line in lines] == ["completed", "failed"]


@pytest.mark.parametrize(
    ("words", "only"), [((), ""), (("1", "--all"), "only one of "), (("--all", "--children"), "only one of ")]
)
def test_wait_requires_exactly_one_kind_of_target(words: tuple[str, ...], only: str, orchctl: Orchctl) -> None:
    result = orchctl("wait", *words)
    assert result.code == 2
    assert result.err == f"usage: give {only}ids, --all or --children\n"


def test_an_interrupted_wait_ends_at_once(instance: Instance, background: Background, terminal: Terminal) -> None:
    command = background("wait", instance.spawn("sleep", "60"), stderr=terminal.theirs)
    terminal.until("waiting: 0 of 1 ended, 1 running")
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=30)[0] == ""
    assert command.returncode == 130


def test_wait_shows_its_progress_on_a_terminal(
    instance: Instance, background: Background, terminal: Terminal, gate: Callable[[], None], tmp_path: Path
) -> None:
    for _ in range(2):
        instance.spawn("sh", "-c", f"read x <{tmp_path}/gate")
    command = background("wait", "1", "2", stderr=terminal.theirs)
    terminal.until("waiting: 0 of 2 ended, 2 running")
    gate()
    out, _ = command.communicate(timeout=30)
    assert len(out.splitlines()) == 2
    assert command.returncode == 0


def test_wait_survives_a_daemon_crash(
    instance: Instance, background: Background, terminal: Terminal, gate: Callable[[], None], tmp_path: Path
) -> None:
    agent_id = instance.spawn("sh", "-c", f"read x <{tmp_path}/gate")
    command = background("wait", agent_id, stderr=terminal.theirs)
    terminal.until("waiting: 0 of 1 ended, 1 running")
    instance.kill()
    instance.ctl("limit")
    gate()
    assert command.communicate(timeout=30)[0].startswith(agent_id)
    assert command.returncode == 0


def test_wait_shows_results_that_exceed_a_single_frame(instance: Instance, orchctl: Orchctl) -> None:
    with instance.client() as client:
        client.call("pause")
        agents = [{"command": ["true"], "goal": "g" * 4096}] * 1000
        for _ in range(2):
            client.call("spawn", {"agents": agents, "cwd": "/"})
        client.call("cancel", {"ids": [f"agent-{number:03d}" for number in range(1, 2001)]})
    ids = [str(number) for number in range(1, 2001)]
    result = orchctl("wait", *ids)
    assert (result.code, result.err) == (1, "")
    assert {line.split()[2] for line in result.out.splitlines()} == {"cancelled"}
    assert len(result.out.splitlines()) == 2000
    assert len(orchctl("status", *ids, "--json").out) > 0


def test_wait_tree_returns_when_all_descendants_have_ended(instance: Instance, orchctl: Orchctl) -> None:
    deep = "sleep 0.2; orchctl spawn -- sleep 0.2"
    top = instance.spawn("sh", "-c", 'orchctl spawn -- sh -c "$0"', deep)
    result = orchctl("wait", top, "--tree", "--json")
    assert result.code == 0
    assert {agent["status"] for agent in json.loads(result.out)["agents"]} == {"completed"}
    assert [agent["status"] for agent in instance.status("--all")["agents"]] == ["completed"] * 3


def test_wait_accepts_an_agent_name(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true", options=["--name", "api"])
    assert orchctl("wait", "api").out.startswith("agent-001  api  completed")


def test_a_timed_out_wait_reports_why_the_agent_is_queued(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("pause")
    instance.spawn("true")
    result = orchctl("wait", "1", "--timeout", "0.1")
    assert result.code == 75
    assert "timed-out: agent-001 is queued (paused" in result.err
