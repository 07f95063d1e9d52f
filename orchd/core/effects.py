"""Effects: what the shell is asked to do, in the imperative. The core never learns how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchd.core.state.agents import AgentId, RequestId


@dataclass(frozen=True, slots=True)
class Launch:
    """Make the attempt's process, behind its gate. Done before the commit; answered with Spawned or SpawnFailed."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Release:
    """Open the gate. Done after the commit: from here on the agent runs."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask the whole process tree to end (SIGTERM); tell when it is gone."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End the whole process tree (SIGKILL), again and again until it is gone; tell when it is."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Keep every process of the tree from running until it is thawed or ended."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class Thaw:
    """Let every process of the tree run, also when nothing is known to keep it from that."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class CheckOutput:
    """Tell when the attempt last put something out."""

    agent: AgentId
    attempt: int


@dataclass(frozen=True, slots=True)
class WatchCaller:
    """Tell when the client blocked in this wait dies."""

    agent: AgentId
    request: RequestId


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply to a request with these agents, or with what its op shows when there are none."""

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
