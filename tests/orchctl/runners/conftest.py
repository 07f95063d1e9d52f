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


class Ran(NamedTuple):
    """How a runner ended: its exit code, its log, what it reported."""

    code: int
    log: str
    report: dict[str, Any]

    @property
    def status(self) -> str:
        """By the report."""
        return str(self.report["status"])

    @property
    def reason(self) -> str:
        """By the report."""
        return str(self.report["reason"])


class Stage:
    """Where a runner runs: its home, its result, and the programs on its PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.result = directory / "result.md"
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.config = directory / "config.toml"
        self._report = directory / "report"
        self._started: list[subprocess.Popen[bytes]] = []

    def program(self, name: str, script: str) -> None:
        """Let `script`, in shell, be what runs when `name` is called."""
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def says(self, name: str, *messages: Mapping[str, Any], code: int = 0, first: str = "") -> None:
        """Let `name` keep its prompt and its arguments, print these messages a line each, and end."""
        lines = "".join(f"{json.dumps(message)}\n" for message in messages)
        (self.directory / "stream").write_text(lines)
        self.program(
            name,
            f'cat > {self.directory}/prompt; printf "%s\\n" "$@" > {self.directory}/argv; env > {self.directory}/env\n'
            f"{first}\ncat {self.directory}/stream; exit {code}",
        )

    @property
    def prompt(self) -> str:
        """What the program was told."""
        return (self.directory / "prompt").read_text()

    @property
    def argv(self) -> list[str]:
        """What it was called with."""
        return (self.directory / "argv").read_text().splitlines()

    @property
    def env(self) -> dict[str, str]:
        """Its environment."""
        lines = (self.directory / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def start(self, runner: str, *arguments: str, stdin: bytes | None = None, **env: str) -> subprocess.Popen[bytes]:
        """The runner, running; its log is the file `log`."""
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
        stdin_file.write_bytes(stdin or b"")
        with (self.directory / "log").open("wb") as log, (stdin_file if stdin else Path(os.devnull)).open("rb") as file:
            settings: dict[str, Any] = {"stdin": file, "stdout": log, "stderr": log, "cwd": self.directory}
            set_variables = {name: value for name, value in {**defaults, **env}.items() if value}
            process = subprocess.Popen([*RUNNERS, *arguments], env=set_variables, start_new_session=True, **settings)
        self._started.append(process)
        return process

    def ended(self, process: subprocess.Popen[bytes]) -> Ran:
        """How it ended."""
        code = process.wait(30)
        return Ran(code, self.log, self.reported())

    def reported(self) -> dict[str, Any]:
        """The report as it is now; empty when there is none."""
        report: dict[str, Any] = json.loads(self._report.read_text()) if self._report.exists() else {}
        return report

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.directory / "log").read_text()

    def run(self, runner: str, *arguments: str, stdin: bytes | None = None, **env: str) -> Ran:
        """Run it to its end."""
        return self.ended(self.start(runner, *arguments, stdin=stdin, **env))

    def close(self) -> None:
        """Leave nobody behind."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage of its own."""
    stage = Stage(tmp_path)
    yield stage
    stage.close()
