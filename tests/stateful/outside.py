"""The world besides the daemon: processes that live and die, clients that block, copies as a store returns them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchd.core import inputs
from orchd.core.state.agents import Agent, AgentId, Oom, Outcome, Report
from orchd.store.codec import pack_agent, pack_spec, unpack_agent

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
    is_frozen: bool = False  # the kernel runs no process of it; a new daemon finds it so
    is_ended_parked: bool = False  # it is being ended, and could not run when that began

    @property
    def outcome(self) -> Outcome:
        """The outcome of its own process."""
        return Outcome(self.code, report=self.report, oom=self.oom)

    @property
    def is_alive(self) -> bool:
        """Whether it holds a slot."""
        return self.is_running or self.has_rest


@dataclass
class Client:
    """A process inside an agent that is blocked in a wait."""

    begin: inputs.BeginWait
    attempt: int
    since: float
    is_connected: bool = True
    is_beside: bool = False  # the agent works beside it

    @property
    def key(self) -> Key:
        """The attempt that it is a process of."""
        return self.begin.agent, self.attempt


def can_run(proc: Proc, clients: Iterable[Client]) -> bool:
    """Whether a process of the attempt may use a CPU now, apart from an attempt that is ended after it waited.

    A client that has lost its daemon asks again and again, and so blocks its agent as well as a connected one does.
    """
    if not proc.is_alive or not proc.is_open or proc.is_frozen or proc.is_ended_parked:
        return False
    return not proc.is_running or not any(client.key == proc.key and not client.is_beside for client in clients)


def copied(agent: Agent) -> Agent:
    """The agent as the store would return it."""
    return unpack_agent(agent.id, pack_spec(agent), pack_agent(agent))
