"""`orchctl status`."""

from __future__ import annotations

import json
import select
import signal
import struct
import termios
from fcntl import ioctl

from tests.conftest import Instance, until
from tests.orchctl.conftest import Background, Orchctl, Terminal


def test_status_reports_a_missing_daemon_and_starts_none(stopped: Instance, orchctl: Orchctl) -> None:
    message = f"no-daemon: no daemon is running for {stopped.directory}; start it with `orchctl daemon start`\n"
    assert orchctl("status") == (69, "", message)
    result = orchctl("status", "--json")
    assert (result.code, result.err) == (69, "")
    assert json.loads(result.out)["error"]["code"] == "no-daemon"
    assert not stopped.home.database.exists()


def test_json_output_has_exactly_four_keys(instance: Instance) -> None:
    instance.spawn("sleep", "60")
    answer = instance.status()
    assert list(answer) == ["daemon", "limit", "levels", "agents"]
    assert [agent["id"] for agent in answer["agents"]] == ["agent-001"]


def test_status_shows_slots_tree_and_queue(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("limit", "2")
    parent = instance.spawn("sh", "-c", "orchctl spawn --name child -- sleep 60; sleep 60", options=["--name", "lead"])
    until(lambda: len(instance.status()["agents"]) == 2)
    instance.spawn("sleep", "60", options=["--goal", "Write\nthe docs"])
    head, lead, child, queued = orchctl("status").out.splitlines()
    assert head == "slots [##] 2/2 in use · 2/28 alive · 1 queued · 1 pm · 1 sub-skill"
    assert lead.split()[:3] == [parent, "lead", "running"]
    assert child.split()[:4] == ["└─", "agent-002", "child", "running"]
    assert "queued" in queued
    assert "#1: " in queued
    assert queued.endswith("Write the docs")


def test_status_shows_only_the_named_agents(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sleep", "60")
    instance.spawn("sleep", "60")
    assert len(orchctl("status", "2").out.splitlines()) == 2
    result = orchctl("status", "9")
    assert result.code == 1
    assert result.err.startswith("unknown-agent: ")


def test_status_all_shows_every_page_of_the_history(instance: Instance, orchctl: Orchctl) -> None:
    team = "\n".join('{"command": ["true"]}' for _ in range(501))
    orchctl("pause")
    orchctl("spawn", "--batch", "-", input=team)
    orchctl("cancel", *map(str, range(1, 502)))
    assert "orchctl status --all" in orchctl("status").out.splitlines()[-1]
    assert len(orchctl("status", "--all").out.splitlines()) == 1 + 1 + 501
    assert len({agent["id"] for agent in instance.status("--all")["agents"]}) == 501


def test_text_output_shows_the_first_100_agents_and_json_output_all(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("pause")
    orchctl("spawn", "--batch", "-", input="\n".join('{"command": ["true"]}' for _ in range(501)))
    assert len(instance.status()["agents"]) == 501
    lines = orchctl("status").out.splitlines()
    assert [line.split()[0] for line in lines[2:-1]] == [f"agent-{number:03d}" for number in range(1, 101)]
    assert "401 queued" in lines[-1]
    assert len(orchctl("status", "--all").out.splitlines()) == 2 + 501
    assert len(orchctl("status", *map(str, range(1, 151))).out.splitlines()) == 2 + 150


def test_a_goal_that_is_not_utf8_is_shown_with_a_replacement(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("spawn", "--goal", "\udcff", "--", "sleep", "60")
    assert instance.agent("1")["goal"] == "\udcff"
    assert orchctl("status").out.splitlines()[1].endswith("?")


def test_lines_are_cut_to_the_width_of_the_terminal(
    instance: Instance, background: Background, terminal: Terminal
) -> None:
    instance.spawn("sleep", "60", options=["--goal", "word " * 60])
    ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    instance.env.update(TERM="xterm", PYTHONUTF8="1")
    instance.env.pop("NO_COLOR", None)
    background("status", stdout=terminal.theirs).wait(30)
    output = terminal.until("\n").replace("\r", "") + terminal.until("…\n".replace("\n", "\r\n"))
    line = output.replace("\r", "").splitlines()[-1]
    assert "\x1b[32m" in line
    assert len(line) - len("\x1b[32m\x1b[0m") == 60


def test_the_tree_is_drawn_in_ascii_on_an_ascii_stdout(instance: Instance, orchctl: Orchctl) -> None:
    parent = instance.spawn("sh", "-c", "orchctl spawn -- sleep 60; sleep 60")
    until(lambda: instance.agent(parent)["children"])
    out = orchctl("status", env={**instance.env, "PYTHONIOENCODING": "ascii"}).out
    assert out.isascii()
    assert "`- agent-002" in out


def test_watch_shows_changes_and_ages_and_restores_the_terminal(
    instance: Instance, background: Background, terminal: Terminal
) -> None:
    ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    instance.env.update(TERM="xterm", PYTHONUTF8="1")
    before = termios.tcgetattr(terminal.theirs)
    command = background("status", "--watch", stdout=terminal.theirs, stdin=terminal.theirs)
    terminal.until("no agents")
    instance.spawn("sleep", "60", options=["--name", "first"])
    terminal.until("first")
    terminal.until("  2.")  # nothing happens, and it grows older
    instance.kill()
    terminal.until("no daemon is running")
    instance.start()
    instance.spawn("sleep", "60", options=["--name", "second"])
    terminal.until("second")
    ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 2, 40, 0, 0))
    command.send_signal(signal.SIGWINCH)
    terminal.until("more lines")
    command.send_signal(signal.SIGINT)
    output = terminal.until("\x1b[?1049l")
    assert command.wait(30) == 130
    assert output.startswith("\x1b[?1049h\x1b[?25l")
    assert output.endswith("\x1b[?25h\x1b[?1049l")
    assert termios.tcgetattr(terminal.theirs) == before


def test_a_terminated_watch_restores_the_terminal(
    instance: Instance, background: Background, terminal: Terminal
) -> None:
    command = background("status", "--watch", stdout=terminal.theirs)
    terminal.until("no agents")
    command.send_signal(signal.SIGTERM)
    assert terminal.until("\x1b[?1049l").endswith("\x1b[?25h\x1b[?1049l")
    assert command.wait(30) == 128 + signal.SIGTERM


def test_watch_without_a_terminal_prints_only_on_changes(instance: Instance, background: Background) -> None:
    instance.spawn("sleep", "60")
    command = background("status", "--watch", "--json")
    assert command.stdout is not None
    assert len(json.loads(command.stdout.readline())["agents"]) == 1
    assert not select.select([command.stdout], [], [], 1.5)[0]
    instance.spawn("sleep", "60")
    assert len(json.loads(command.stdout.readline())["agents"]) == 2
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 130


def test_watch_without_a_daemon_fails(stopped: Instance, orchctl: Orchctl) -> None:
    assert orchctl("status", "--watch").code == 69


def test_a_budget_is_shown_until_the_last_agent_of_its_session_ends(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("sleep", "60")
    instance.ctl("budget", "session-001", "--max-tokens", "5000")
    assert orchctl("status").out.splitlines()[1].startswith("budget of session-001 [")
    instance.ctl("cancel", agent_id)
    instance.ctl("wait", agent_id, code=1)
    assert "budget" not in orchctl("status").out
