"""What there is besides the daemon: processes that live and die, clients that block, what a store gives back."""

from __future__ import annotations

from dataclasses import dataclass

from orchd.codec import pack_agent, pack_spec, unpack_agent
from orchd.core import inputs
from orchd.core.model import Agent, AgentId, Oom, Outcome, Report

Key = tuple[AgentId, int]


@dataclass
class Proc:
    """One attempt's processes."""

    key: Key
    is_open: bool = False  # its gate
    is_running: bool = True  # its own process
    has_rest: bool = False  # others of its tree
    code: int | None = None
    report: Report | None = None  # what its runner said of it
    oom: Oom | None = None
    asked: str | None = None  # how this daemon asked it to end

    @property
    def outcome(self) -> Outcome:
        """How its own process ended."""
        return Outcome(self.code, report=self.report, oom=self.oom)

    @property
    def is_alive(self) -> bool:
        """Whether it holds a place."""
        return self.is_running or self.has_rest


@dataclass
class Client:
    """A process inside an agent that is blocked in a wait."""

    begin: inputs.BeginWait
    attempt: int
    since: float
    is_connected: bool = True


def copied(agent: Agent) -> Agent:
    """What the store would give back."""
    return unpack_agent(agent.id, pack_spec(agent), pack_agent(agent))
