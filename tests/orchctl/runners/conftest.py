"""A stage: the runner program itself, with a script in the place of an agent's CLI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

RUNNERS = [sys.executable, "-E", "-P", "-m", "orchctl.runners"]


class RunnerResult(NamedTuple):
    """How a runner ended: its exit code, its log, its report."""

    code: int
    log: str
    report: dict[str, Any]

    @property
    def status(self) -> str:
        """Return the status in the report."""
        return str(self.report["status"])

    @property
    def reason(self) -> str:
        """Return the reason in the report."""
        return str(self.report["reason"])


class Stage:
    """The place of a runner: its home, its result file, and the programs on its PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.result = directory / "result.md"
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.config = directory / "config.toml"
        self.stdin: bytes | None = None  # of runners that are started from now on
        self._report = directory / "report"
        self._started: list[subprocess.Popen[bytes]] = []

    def program(self, name: str, script: str) -> None:
        """Install `script`, in shell, as the program `name`."""
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def says(self, name: str, *messages: Mapping[str, Any], code: int = 0, first: str = "") -> None:
        """Install `name`: it keeps its prompt and arguments, prints these messages a line each, and ends."""
        lines = "".join(f"{json.dumps(message)}\n" for message in messages)
        (self.directory / "stream").write_text(lines)
        self.program(
            name,
            f'cat > {self.directory}/prompt; printf "%s\\n" "$@" > {self.directory}/argv; env > {self.directory}/env\n'
            f"{first}\ncat {self.directory}/stream; exit {code}",
        )

    @property
    def prompt(self) -> str:
        """Return the prompt that the program received."""
        return (self.directory / "prompt").read_text()

    @property
    def argv(self) -> list[str]:
        """Return the arguments of the program."""
        return (self.directory / "argv").read_text().splitlines()

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of the program."""
        lines = (self.directory / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def start(self, runner: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Start the runner; its log is the file `log`."""
        defaults = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "ORCHD_HOME": str(self.directory),
            "ORCHD_RUNNER": runner,
            "ORCHD_NAME": "api",
            "ORCHD_GOAL": "Build the API.",
            "ORCHD_RESULT": str(self.result),
            "ORCHD_REPORT": str(self._report),
        }
        stdin_file = self.directory / "stdin"
        stdin_file.write_bytes(self.stdin or b"")
        stdin = stdin_file if self.stdin else Path(os.devnull)
        with (self.directory / "log").open("wb") as log, stdin.open("rb") as file:
            settings: dict[str, Any] = {"stdin": file, "stdout": log, "stderr": log, "cwd": self.directory}
            set_variables = {name: value for name, value in {**defaults, **env}.items() if value}
            process = subprocess.Popen([*RUNNERS, *arguments], env=set_variables, start_new_session=True, **settings)
        self._started.append(process)
        return process

    def ended(self, process: subprocess.Popen[bytes]) -> RunnerResult:
        """Wait for the runner and return its result."""
        code = process.wait(30)
        return RunnerResult(code, self.log, self.reported())

    def reported(self) -> dict[str, Any]:
        """Return the report as it is now; empty when there is none."""
        report: dict[str, Any] = json.loads(self._report.read_text()) if self._report.exists() else {}
        return report

    @property
    def log(self) -> str:
        """Return the log so far."""
        return (self.directory / "log").read_text()

    def run(self, runner: str, *arguments: str, **env: str) -> RunnerResult:
        """Run the runner to its end."""
        return self.ended(self.start(runner, *arguments, **env))

    def close(self) -> None:
        """Kill every process of the stage."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage per test."""
    stage = Stage(tmp_path)
    yield stage
    stage.close()
