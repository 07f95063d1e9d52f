"""The instance that every test of a real daemon needs, and the proof that no process of it survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from orchctl.client import Client
from orchd.instance.home import Home

pytest_plugins = ("tests.support.fixtures",)
BIN = Path(sys.executable).parent
DEADLINE = 30.0

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, print_blob=True
)
# Which lines run is seen with few examples; `derandomize` makes them the same in every run.
settings.register_profile("coverage", parent=settings.get_profile("default"), max_examples=10)
settings.register_profile("stress", parent=settings.get_profile("default"), max_examples=3000, derandomize=False)
settings.load_profile(os.environ.get("ORCHD_PROFILE", "default"))


def pytest_configure() -> None:
    """Restore signals that a shell ignores in its background jobs: all processes started here would inherit that."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def until(predicate: Callable[..., Any], timeout: float = DEADLINE, what: str = "") -> Any:
    """The first true value of `predicate`, for what has no event; AssertionError when it does not come in time.

    `predicate` is called without arguments: those of a lambda in a loop have the variables of the loop as defaults.
    """
    end = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := predicate()):
        assert time.monotonic() < end, f"not within {timeout} s: {what or predicate}"
        pause.wait(0.01)
    return value


def processes_of(home: Path) -> dict[int, str]:
    """Every living process that belongs to an instance: its pid and its command line."""
    mark, command_lines = b"ORCHD_HOME=" + os.fsencode(home), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                command_lines[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
        except OSError:
            continue
    return {pid: line for pid, line in command_lines.items() if line}


class Instance:
    """One daemon of one home, and its client."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory)
        self.directory = directory
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("ORCHD_")}
        self.env.update(ORCHD_HOME=str(directory), PATH=f"{BIN}:{os.environ['PATH']}")
        self.env["ORCHD_DEFAULT_RUNNER"] = "mock"  # whatever is installed here
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def daemon(self) -> subprocess.Popen[bytes]:
        """The process of the daemon, which was started."""
        assert self._daemon is not None
        return self._daemon

    def configure(self, text: str) -> None:
        """Write `config.toml`."""
        self.home.config.write_text(text)
        if text.startswith("runner =") or "\nrunner =" in text:
            self.env.pop("ORCHD_DEFAULT_RUNNER", None)  # which would go before it

    def start(self, *command: str) -> None:
        """Start the daemon (or `command` instead of it) and return when it answers."""
        reader, writer = os.pipe()
        program = list(command) or [sys.executable, "-m", "orchd"]
        with (self.directory / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*program, "--home", str(self.directory), "--ready-fd", str(writer)],
                env=self.env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                pass_fds=[writer],
                start_new_session=True,
            )
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            line = ready.readline()
        assert line == b"ready\n", (line, self.log())

    def refusal(self, *before: str) -> subprocess.CompletedProcess[str]:
        """A daemon that must not start, run to its end; `before` are words before its command."""
        process = subprocess.run(
            [*before, sys.executable, "-m", "orchd", "--home", str(self.directory)],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert "Traceback" not in process.stderr
        return process

    def log(self) -> str:
        """The log of the daemon."""
        return (self.directory / "daemon.log").read_text()

    def kill(self) -> None:
        """`kill -9` of the daemon, and of nothing else."""
        self.daemon.kill()
        self.daemon.wait(DEADLINE)

    def stop(self, how: str = "--stop-agents") -> None:
        """End the daemon in an orderly way."""
        self.ctl("daemon", "stop", how)
        self.daemon.wait(DEADLINE)

    def ctl(
        self,
        *words: str,
        code: int | None = 0,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> str:
        """The standard output of one `orchctl` command, which must end with `code` (None: with any)."""
        process = subprocess.run(
            [BIN / "orchctl", *words],
            env={**self.env, **(env or {})},
            input=stdin,
            text=True,
            capture_output=True,
            timeout=60,
            cwd=cwd or self.directory,  # what a project gets to see of its session must not be put into this one
            check=False,
        )
        assert code is None or process.returncode == code, (words, process.returncode, process.stdout, process.stderr)
        return process.stdout

    def spawn(self, *words: str, options: list[str] | None = None) -> str:
        """The id of a new agent that runs `words`."""
        return self.ctl("spawn", *(options or []), "--", *words).strip()

    def status(self, *words: str) -> dict[str, Any]:
        """`orchctl status --json`."""
        reply: dict[str, Any] = json.loads(self.ctl("status", "--json", *words))
        return reply

    def agent(self, agent_id: str) -> dict[str, Any]:
        """One agent as `status` shows it."""
        (agent,) = self.status(agent_id)["agents"]
        return dict(agent)

    def client(self) -> Client:
        """An open connection; close it."""
        return Client(self.home)

    def end(self) -> None:
        """End everything that this instance started, by pid, and say what it was."""
        if self._daemon is not None and self._daemon.poll() is None:
            self.ctl("daemon", "stop", "--stop-agents", code=None)
            try:
                self._daemon.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
        for pid in processes_of(self.directory):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def home_directory() -> Iterator[Path]:
    """A short private directory: a socket's path may have 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="orchd-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def stopped(home_directory: Path) -> Iterator[Instance]:
    """An instance whose daemon the test starts itself; what survives the test is its failure."""
    instance = Instance(home_directory)
    yield instance
    if processes_of(home_directory):  # a client may have brought back a daemon that the test killed
        instance.ctl("daemon", "stop", "--stop-agents", code=None)
    if instance._daemon is not None:
        instance._daemon.wait(DEADLINE)
    try:
        until(lambda: not processes_of(home_directory), 10.0, f"left over: {processes_of(home_directory)}")
    finally:
        instance.end()


@pytest.fixture
def instance(stopped: Instance) -> Instance:
    """An instance whose daemon runs."""
    stopped.start()
    return stopped
