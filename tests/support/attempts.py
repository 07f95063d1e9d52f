"""Attempts without a daemon."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from orchd.core.state.agents import Agent, Level, Spec, agent_id
from orchd.instance.home import Home
from orchd.processes.linux.procfs import BOOT
from orchd.processes.local import LocalProcesses

ENV = {"PATH": os.environ["PATH"]}


def local(home: Home) -> LocalProcesses:
    """The processes of a daemon that knows one environment."""
    home.create()
    return LocalProcesses(home, lambda _: ENV, None, time.monotonic, time.time)


def agent(*command: str, number: int = 1, pid: int | None = None, **fields: Any) -> Agent:
    """An agent at its first attempt."""
    spec = replace(Spec(command, "name", "/", "e"), **fields)
    return Agent(agent_id(number), spec, Level.PM, (), 0, 0.0, attempt=1, pid=pid)


def left(home: Home, record: bytes, boot: bytes = BOOT) -> None:
    """The files that an earlier daemon left of the first attempt, whose shim wrote this record."""
    content = b"agent-001.1 " + record if record else b""
    (home.agents / "agent-001.1.exit").write_bytes(boot + b"\n" + content)
