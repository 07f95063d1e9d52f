"""`orchctl daemon stop`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchctl.client import client
from orchctl.commands.daemon import stop
from orchctl.errors import NoDaemonError, TimedOutError
from orchd.instance.home import Home
from tests.conftest import Instance, until
from tests.orchctl.conftest import Background, Orchctl, Terminal


@pytest.mark.parametrize("option", [(), ("--keep-agents",), ("--stop-agents",), ("--drain",)])
@pytest.mark.parametrize("was_used", [False, True])
def test_stop_reports_that_no_daemon_is_running_with_every_option(
    stopped: Instance, orchctl: Orchctl, option: tuple[str, ...], was_used: bool
) -> None:
    if was_used:
        stopped.start()
        stopped.kill()
    log = stopped.log() if was_used else None
    assert orchctl("daemon", "stop", *option) == (0, f"no daemon is running for {stopped.directory}\n", "")
    assert orchctl("daemon", "stop", *option, "--json") == (0, '{"living":0,"agents":[]}\n', "")
    assert stopped.home.database.exists() == was_used
    assert not stopped.home.log.exists() or stopped.home.log.read_text() == log  # no daemon was started


@pytest.mark.parametrize("option", [(), ("--keep-agents",)])
def test_stop_without_a_daemon_lists_agents_that_keep_running(
    instance: Instance, orchctl: Orchctl, option: tuple[str, ...]
) -> None:
    agent_id = instance.spawn("sleep", "60")
    instance.kill()
    result = orchctl("daemon", "stop", *option)
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith(f"agents that keep running: {agent_id}\n")
    assert json.loads(orchctl("daemon", "stop", *option, "--json").out) == {"living": 1, "agents": [agent_id]}


def test_stop_reports_a_daemon_that_does_not_answer(
    home: Home, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.Client.call, "__kwdefaults__", {"patience": 0.2})
    instance.daemon.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(NoDaemonError, match="does not answer"):
            stop.run(SimpleNamespace(keep_agents=False, stop_agents=False, drain=False, json=False))
    finally:
        instance.daemon.send_signal(signal.SIGCONT)


def test_stop_without_running_agents_does_not_prompt(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("daemon", "stop") == (0, "", "")
    assert orchctl("daemon", "status").code == 69


def test_stop_in_a_script_requires_exactly_one_agent_option(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sleep", "60")
    result = orchctl("daemon", "stop")
    assert (result.code, result.out) == (2, "")
    assert all(word in result.err for word in ("--keep-agents", "--stop-agents", "--drain"))
    assert orchctl("daemon", "stop", "--drain", "--keep-agents").code == 2


def test_agents_are_kept_for_the_next_daemon(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("sleep", "60")
    before = instance.agent(agent_id)["pid"]
    assert json.loads(orchctl("daemon", "stop", "--keep-agents", "--json").out) == {"living": 1, "agents": [agent_id]}
    assert Path(f"/proc/{before}").exists()
    orchctl("daemon", "start")
    assert instance.agent(agent_id)["pid"] == before


def test_stop_agents_ends_running_agents(instance: Instance, orchctl: Orchctl) -> None:
    before = instance.agent(instance.spawn("sleep", "60"))["pid"]
    assert orchctl("daemon", "stop", "--stop-agents").code == 0
    assert not Path(f"/proc/{before}").exists()


def test_stop_agents_ends_agents_of_a_killed_daemon(instance: Instance, orchctl: Orchctl) -> None:
    before = instance.agent(instance.spawn("sleep", "60"))["pid"]
    instance.kill()
    assert orchctl("daemon", "stop", "--stop-agents").code == 0
    until(lambda: not Path(f"/proc/{before}").exists())


def test_drain_waits_for_agents_to_finish_and_prints_their_count(
    instance: Instance, background: Background, terminal: Terminal, gate: Callable[[], None], tmp_path: Path
) -> None:
    instance.spawn("sh", "-c", f"read x <{tmp_path}/gate; echo done")
    log = Path(instance.agent("1")["log"])
    command = background("daemon", "stop", "--drain", stderr=terminal.theirs)
    terminal.until("waiting for 1 agents to end")
    gate()
    assert command.wait(30) == 0
    assert log.read_text() == "done\n"


@pytest.mark.parametrize(("answer", "lives"), [("k\n", True), ("what?\nstop\n", False)])
def test_stop_on_a_terminal_prompts_and_applies_the_answer(
    answer: str,
    lives: bool,
    instance: Instance,
    background: Background,
    terminal: Terminal,
) -> None:
    before = instance.agent(instance.spawn("sleep", "60"))["pid"]
    command = background("daemon", "stop", stdin=terminal.theirs, stderr=terminal.theirs)
    terminal.until("agents still running: 1. [k]eep")
    terminal.type(answer)
    assert command.wait(30) == 0
    assert Path(f"/proc/{before}").exists() is lives


def test_end_of_input_at_the_prompt_leaves_the_daemon_running(
    instance: Instance, background: Background, terminal: Terminal
) -> None:
    instance.spawn("sleep", "60")
    command = background("daemon", "stop", stdin=terminal.theirs, stderr=terminal.theirs)
    terminal.until("[d]rain")
    terminal.type("\x04")
    assert command.wait(30) == 130
    assert instance.ctl("daemon", "status")


def test_an_agent_cannot_stop_the_daemon(instance: Instance) -> None:
    agent_id = instance.spawn("orchctl", "daemon", "stop", "--stop-agents")
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id).startswith("forbidden: ")


def test_stop_in_an_agent_suggests_no_option(instance: Instance) -> None:
    agent = instance.spawn("sh", "-c", "orchctl daemon stop")
    instance.ctl("wait", agent, code=1)
    log = instance.ctl("logs", agent)
    assert log.startswith("forbidden: permission denied: agents cannot stop the daemon (ORCHD_AGENT is agent-001)")
    assert "--keep-agents" not in log


def test_stop_times_out_when_the_daemon_does_not_shut_down(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "PATIENCE", 0.1)
    with instance.client() as client, pytest.raises(TimedOutError, match="did not shut down"):
        stop.end(client, 1, "keep")


def test_stop_succeeds_when_the_daemon_process_has_already_exited(instance: Instance) -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    with instance.client() as client:
        assert stop.end(client, process.pid, "keep")["living"] == 0
