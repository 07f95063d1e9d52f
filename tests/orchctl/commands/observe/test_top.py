"""`orchctl top`, in a real terminal: tmux types and reads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BIN, Instance, until
from tests.orchctl.conftest import Orchctl

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux to be the terminal")


class Tmux:
    """One terminal of 100 columns and 20 lines, with a shell in it."""

    def __init__(self, instance: Instance, directory: Path) -> None:
        self._socket = str(directory / "tmux")
        self._env = {**instance.env, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "TERM": "xterm"}
        self._run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "20", "sh")

    def _run(self, *words: str) -> str:
        result = subprocess.run(
            ["tmux", "-S", self._socket, *words], env=self._env, capture_output=True, text=True, check=True, timeout=30
        )
        return result.stdout

    def type(self, *keys: str) -> None:
        """Press these keys."""
        self._run("send-keys", *keys)

    def shows(self) -> str:
        """Return the visible screen."""
        return self._run("capture-pane", "-p")

    def until(self, *texts: str) -> str:
        """Wait until the screen has all of these texts; return the screen."""
        return str(
            until(lambda: (screen := self.shows()) and all(text in screen for text in texts) and screen, 30.0, texts[0])
        )

    def end(self) -> None:
        """Close the terminal."""
        self._run("kill-server")


@pytest.fixture
def tmux(instance: Instance, tmp_path: Path) -> Iterator[Tmux]:
    """A terminal."""
    tmux_session = Tmux(instance, tmp_path)
    yield tmux_session
    tmux_session.end()


def start_top(tmux: Tmux) -> None:
    """Start `top` in the terminal."""
    tmux.type("echo ready $((40 + 2))", "Enter")
    tmux.until("ready 42")
    tmux.type(f"{BIN}/orchctl top", "Enter")
    tmux.until("q quit")


def test_top_shows_and_controls_agents_and_restores_the_terminal(instance: Instance, tmux: Tmux) -> None:
    instance.ctl("limit", "2")
    instance.spawn("sh", "-c", "while :; do :; done", options=["--name", "busy"])
    start_top(tmux)
    instance.spawn("sh", "-c", "echo the last words; sleep 60", options=["--name", "talker"])
    instance.spawn("sleep", "60", options=["--name", "third"])
    tmux.until("2/2 in use", "the last words", "#1: 2 of 2 slots are in use")
    until(lambda: any("busy" in line and "%" in line and " 0%" not in line for line in tmux.shows().splitlines()))
    tmux.type("+")
    tmux.until("limit set to 3", "3/3 in use")
    tmux.type("-")
    tmux.until("3/2 in use, 1 over the limit")
    tmux.type("p")
    tmux.until("paused: no new agents will start")
    tmux.type("p")
    tmux.until("resumed: new agents will start")
    tmux.type("Down", "c")
    tmux.until("cancel agent-002 talker and all its descendants? y or n")
    tmux.type("n")
    until(lambda: "y or n" not in tmux.shows())
    assert instance.agent("2")["status"] == "running"
    tmux.type("c", "y")
    until(lambda: instance.agent("2")["status"] == "cancelled")
    tmux.type("q")
    until(lambda: "working" not in tmux.shows())  # until then, keys are its own
    tmux.type("echo still $((40 + 2))", "Enter")
    assert "working" not in tmux.until("still 42")


def test_top_follows_a_log_and_explains_the_state_of_an_agent(instance: Instance, tmux: Tmux, tmp_path: Path) -> None:
    gate_path = tmp_path / "go-on"
    script = f"echo one; until [ -e {gate_path} ]; do sleep 0.05; done; echo two; sleep 60"
    instance.spawn("sh", "-c", script, options=["--name", "talker"])
    start_top(tmux)
    tmux.type("Enter")
    tmux.until("agent-001 talker, running, attempt 1", "one", "q goes back")
    gate_path.touch()
    tmux.until("two")
    tmux.type("q", "w")
    tmux.until("agent-001 talker is running: it holds a slot")
    tmux.type("q")
    tmux.until("q quit")


def test_top_keeps_running_across_a_daemon_kill(instance: Instance, tmux: Tmux) -> None:
    instance.spawn("sleep", "60", options=["--name", "survivor"])
    start_top(tmux)
    tmux.until("survivor")
    instance.kill()
    tmux.until("this is the last known state", "survivor")
    tmux.type("p")
    instance.start()
    instance.spawn("sleep", "60", options=["--name", "newcomer"])
    screen = tmux.until("newcomer", "2/7 in use")
    assert "this is the last known state" not in screen


def test_top_without_a_terminal_suggests_status_watch(instance: Instance, orchctl: Orchctl) -> None:
    result = orchctl("top")
    assert (result.code, result.err) == (
        2,
        "usage: top requires a terminal; `orchctl status --watch` works without a terminal\n",
    )


def test_top_shows_key_help_and_retries_a_failed_agent(instance: Instance, tmux: Tmux, tmp_path: Path) -> None:
    instance.ctl("wait", instance.spawn("sh", "-c", f"echo >>{tmp_path}/tries; exit 3"), code=1)
    start_top(tmux)
    tmux.until("failed")
    tmux.type("?")
    tmux.until("retry it if it ended", "q goes back")
    tmux.type("q")
    tmux.until("q quit")
    tmux.type("c")
    tmux.until("agent-001 has ended: failed")
    tmux.type("r")
    tmux.until("? y or n")
    tmux.type("y")
    until(lambda: len((tmp_path / "tries").read_text()) == 2)
