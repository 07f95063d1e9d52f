"""Effects: what the core wants the shell to do, named in the imperative. The core does not know how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchd.core.state.agents import AgentId, RequestId


@dataclass(frozen=True, slots=True)
class Launch:
    """Create the attempt's process, behind its gate. Done before the commit; answered with Spawned or SpawnFailed."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Release:
    """Open the gate. Done after the commit: from here on the agent runs."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM to the whole process tree; report when it is gone."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL to the whole process tree, repeatedly until it is gone; report when it is."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Freeze every process of the tree until it is thawed or ended."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Thaw:
    """Thaw every process of the tree, also when no process is known to be frozen."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class CheckOutput:
    """Report when the attempt last wrote output."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class WatchCaller:
    """Report when the client blocked in this wait dies."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply to a request with these agents, or with what its operation shows when there are none."""

    request: RequestId
    agents: tuple[AgentId, ...] = ()
    timed_out: bool = False
    subject: str | None = None  # the session or run that it is about


@dataclass(frozen=True, slots=True)
class Refuse:
    """Reply to a request with an error."""

    request: RequestId
    code: str
    message: str
    details: Mapping[str, object] = field(default_factory=dict)


Effect = Launch | Release | Terminate | Kill | Freeze | Thaw | CheckOutput | WatchCaller | Answer | Refuse
