"""Helpers for tests of a living fleet: gates that agents block on, a book that each attempt signs, quick requests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchctl.client import Client
from tests.conftest import BIN, DEADLINE, Instance, until

# Blocks for ever in a process of its own, which does not hear TERM.
STUBBORN = "trap '' TERM; while :; do sleep 1000; done"


class Gate:
    """A FIFO that agents block on; each newline lets one of them go."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    @property
    def script(self) -> str:
        """The shell's words for standing at this gate."""
        return f"read passed < {self.path}"

    def let(self, count: int = 1) -> None:
        """Let `count` agents pass, now or when they come."""
        os.write(self._descriptor, b"\n" * count)

    def close(self) -> None:
        """Take it away."""
        os.close(self._descriptor)


class Book:
    """A file to which each attempt appends a line when it starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    @property
    def script(self) -> str:
        """The shell's words for signing it."""
        return f'echo "$ORCHD_AGENT $ORCHD_ATTEMPT" >> {self.path}'

    def entries(self) -> list[tuple[str, int]]:
        """Agent and attempt of all that started, in that order."""
        return [
            (agent_id, int(attempt))
            for agent_id, attempt in (line.split() for line in self.path.read_text().splitlines())
        ]

    def agents(self) -> list[str]:
        """The agents of `entries`."""
        return [agent_id for agent_id, _ in self.entries()]


class Fleet:
    """An instance, a connection to it and a directory in which its agents meet the test."""

    def __init__(self, instance: Instance, client: Client, directory: Path) -> None:
        self.instance = instance
        self.client = client
        self.directory = directory
        self.book = Book(directory / "book")
        self._gates: list[Gate] = []
        self._commands: list[subprocess.Popen[str]] = []

    def gate(self) -> Gate:
        """A new gate."""
        self._gates.append(Gate(self.directory / f"gate-{len(self._gates)}"))
        return self._gates[-1]

    def spec(self, script: str, **fields: object) -> dict[str, object]:
        """An agent that signs the book and runs `script`."""
        return {"command": ["sh", "-c", f"{self.book.script}; {script}"], **fields}

    def batch(self, specs: list[dict[str, object]], **fields: object) -> list[str]:
        """The ids of agents spawned in one request."""
        args = {"agents": specs, "cwd": str(self.directory), "env": self.instance.env, **fields}
        return [agent["id"] for agent in self.client.call("spawn", args)["agents"]]

    def spawn(self, script: str, **fields: object) -> str:
        """The id of one agent."""
        (agent_id,) = self.batch([self.spec(script, **fields)])
        return agent_id

    def show(self, *ids: str) -> list[dict[str, Any]]:
        """Agents as `status` shows them, in the order of `ids`; without ids all agents ever spawned."""
        args: dict[str, object] = {"ids": ids} if ids else {"all": True}
        agents = {agent["id"]: agent for agent in self.client.call("status", args)["agents"]}
        return [
            agents[agent_id]
            for agent_id in ids or sorted(agents, key=lambda agent_id: int(agent_id.rpartition("-")[2]))
        ]

    def agent(self, agent_id: str) -> dict[str, Any]:
        """One agent."""
        return self.show(agent_id)[0]

    def ends(self, *ids: str) -> list[dict[str, Any]]:
        """The agents when they have ended; without ids all agents that exist now."""
        args: dict[str, Any] = {"ids": ids} if ids else {"scope": "all"}
        result = self.client.wait(timeout=DEADLINE, **args)
        assert not result["timed_out"], [(agent["id"], agent["status"], agent["reason"]) for agent in result["agents"]]
        return self.show(*ids)

    def all_end(self) -> list[dict[str, Any]]:
        """All agents once each has ended, agents that were spawned meanwhile included."""
        agents = self.ends()
        while any(agent["ended_at"] is None for agent in agents):
            agents = self.ends()
        return agents

    def reaches(self, agent_id: str, *statuses: str) -> dict[str, Any]:
        """The agent when it has reached one of these statuses."""
        return dict(
            until(lambda: next((a for a in self.show(agent_id) if a["status"] in statuses), None), what=agent_id)
        )

    def started(self, *ids: str) -> None:
        """Return when these agents have signed the book."""
        until(lambda: set(ids) <= set(self.book.agents()), what=f"start of {ids}")

    def command(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """An `orchctl` command in the background."""
        self._commands.append(
            subprocess.Popen(
                [BIN / "orchctl", *words],
                env={**self.instance.env, **(env or {})},
                text=True,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return self._commands[-1]

    def waiting(self, *words: str) -> subprocess.Popen[str]:
        """An `orchctl wait` in the background, when the daemon watches it."""
        command, daemon = self.command("wait", *words), self.daemon_pid()
        mark = f"\nPid:\t{command.pid}\n"
        until(lambda: any(mark in info for info in texts(Path(f"/proc/{daemon}/fdinfo"))), what="the wait")
        return command

    def daemon_pid(self) -> int:
        """The pid of the daemon that serves now."""
        return int(self.client.call("daemon")["pid"])

    def daemon_dies(self) -> None:
        """`kill -9` of the daemon, whichever process started it; return when it is gone."""
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), what="the daemon's death")

    def stopped(self, how: str, cancelled: Sequence[str], *others: str) -> tuple[float, list[dict[str, Any]]]:
        """End agents by `cancel`, `cancel-after-death` or `stop-agents`; the seconds it takes, and the agents then."""
        if how == "cancel-after-death":
            self.daemon_dies()
            self.client.call("limit")
        began = time.monotonic()
        if how == "stop-agents":
            self.instance.stop()
            self.instance.start()
            ended = self.show(*cancelled, *others)
        else:
            self.client.call("cancel", {"ids": list(cancelled)})
            ended = self.ends(*cancelled, *others)
        return time.monotonic() - began, ended

    def admitted(self) -> list[str]:
        """The agents in the order in which they were first admitted."""
        events, since = [], 0
        while page := self.client.call("events", {"since": since})["events"]:
            events += page
            since = page[-1]["seq"]
        return list(dict.fromkeys(event["agent"] for event in events if event["event"] == "attempt-admitted"))

    def close(self) -> None:
        """Give everything back."""
        for gate in self._gates:
            gate.close()
        for command in self._commands:
            if command.poll() is None:
                command.kill()
            command.communicate()


def is_alive(pid: int) -> bool:
    """Whether a process that has not ended has this pid."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def texts(directory: Path) -> Iterator[str]:
    """The contents of the files of a directory in /proc, as far as they still exist."""
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            yield path.read_text()


def pids_in(path: Path) -> list[int]:
    """The pids that agents wrote, a complete line each."""
    return [int(pid) for pid in re.findall(r"(\d+)\n", path.read_text())] if path.exists() else []
