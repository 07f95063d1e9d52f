"""A home of its own for this process, and commands in the background."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_DEFAULT_RUNNER, ENV_HOME
from orchd.instance.home import Home
from tests.conftest import BIN, DEADLINE, Instance


class CommandResult(NamedTuple):
    """How a command ended: exit code, output and errors."""

    code: int
    out: str
    err: str


Orchctl = Callable[..., CommandResult]
Background = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(stopped: Instance, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home of `stopped`, as this process's own: daemons that the test starts by itself show whose they are."""
    monkeypatch.setenv(ENV_HOME, str(stopped.directory))
    monkeypatch.delenv(ENV_AGENT, raising=False)
    monkeypatch.delenv(ENV_ATTEMPT, raising=False)
    monkeypatch.setenv(ENV_DEFAULT_RUNNER, "mock")
    return stopped.home


@pytest.fixture
def background(stopped: Instance) -> Iterator[Background]:
    """Starts `orchctl` with these arguments and returns at once."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **settings: Any) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        settings = {"cwd": stopped.directory, **pipes, **settings}
        process = subprocess.Popen([BIN / "orchctl", *words], env=stopped.env, text=True, **settings)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def orchctl(stopped: Instance, tmp_path: Path) -> Orchctl:
    """Runs `orchctl` with these arguments, in `tmp_path`, to its end."""

    def run(*words: str, **settings: Any) -> CommandResult:
        settings = {"env": stopped.env, "cwd": tmp_path, "stdin": subprocess.DEVNULL, **settings}
        if "input" in settings:
            del settings["stdin"]
        result = subprocess.run(
            [BIN / "orchctl", *words], text=True, capture_output=True, timeout=60, check=False, **settings
        )
        return CommandResult(result.returncode, result.stdout, result.stderr)

    return run


class Terminal:
    """A terminal that a command writes to, and the text that it has shown."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.shown = ""

    def until(self, text: str) -> str:
        """Return all output up to the first occurrence of `text`, which must come in time."""
        while text not in self.shown:
            assert select.select([self.ours], [], [], DEADLINE)[0], self.shown
            self.shown += os.read(self.ours, 4096).decode()
        return self.shown

    def type(self, text: str) -> None:
        """Write `text` as a keyboard would."""
        os.write(self.ours, text.encode())

    @contextmanager
    def attached(self, *names: str) -> Iterator[None]:
        """Make this terminal the `stdout` or `stderr` of this process, or both."""
        with pytest.MonkeyPatch.context() as patch, os.fdopen(os.dup(self.theirs), "w") as stream:
            for name in names:
                patch.setattr(sys, name, stream)
            yield

    def close(self) -> None:
        """Close both ends."""
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal."""
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A FIFO `gate` in `tmp_path` that agents block on with `read x <gate`; calling it lets all of them go on."""
    os.mkfifo(tmp_path / "gate")
    descriptor = os.open(tmp_path / "gate", os.O_RDWR)
    yield lambda: void(os.write(descriptor, b"\n" * 64))
    os.close(descriptor)


def void(_: object) -> None:
    """Drop the value."""
