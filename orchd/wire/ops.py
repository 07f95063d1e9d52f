"""Every operation's shape, declared once and checked at the door. docs/protocol.md shows each with an example.

Durations are seconds. Ids are `agent-001`; `1` and `agent-1` name the same agent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from orchd.wire.shapes import Check

MOST = 10_000  # in one request: a larger one would keep everybody else waiting

Text = Annotated[str, Check(lambda text: len(text) <= 4096, "at most 4,096 characters")]
Name = Annotated[str, Check(lambda text: 0 < len(text) <= 200, "1 to 200 characters")]
Path = Annotated[str, Check(lambda path: path.startswith("/"), "an absolute path")]
Positive = Annotated[float, Check(lambda number: number > 0, "above 0")]
Seconds = Annotated[float, Check(lambda number: number >= 0, "0 or more")]
Ids = Annotated[tuple[Name, ...], Check(lambda ids: len(ids) <= MOST, "a list of at most 10,000 ids")]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent to be: a command and how to supervise it."""

    command: Annotated[tuple[str, ...], Check(lambda argv: argv and argv[0], "a list with a program in it")]
    name: Name | None = None  # defaults to the program's file name
    goal: Text | None = None
    skill: Name | None = None
    task_id: Name | None = None
    cwd: Path | None = None  # defaults to the request's
    env: dict[str, str] = field(default_factory=dict)  # over the request's
    stdin: Path | None = None  # /dev/null otherwise
    output_dir: Path | None = None  # made before the start, told to the agent as ORCHD_OUTPUT_DIR
    after: Ids = ()  # ids, or names of others in the same request; all must complete first
    priority: Annotated[int, Check(lambda number: -100 <= number <= 100, "between -100 and 100")] = 0
    nesting: Annotated[int, Check(lambda number: number >= 0, "0 or more")] = 0  # levels it may wait for
    timeout: Positive | None = None  # from its start to its end
    silence: Positive | None = None  # without a byte of output
    grace: Seconds | None = None  # between TERM and KILL
    retries: Annotated[int, Check(lambda number: 0 <= number <= 1000, "between 0 and 1000")] = 0


Agents = Annotated[tuple[AgentSpec, ...], Check(lambda agents: 0 < len(agents) <= MOST, "a list of 1 to 10,000 agents")]


@dataclass(frozen=True, slots=True)
class Spawn:
    """All of `agents` or none. Result: `{agents: [{id, name, status, position, reason}]}`."""

    agents: Agents
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    parent: Name | None = None  # must be who the kernel says is calling
    no_queue: bool = False  # refuse (`would-queue`) rather than queue


@dataclass(frozen=True, slots=True)
class Status:
    """What there is. Result: docs/protocol.md, `status`; `more` is the next page's `before`, or null."""

    ids: Ids = ()
    all: bool = False
    before: int | None = None
    usage: bool = True  # sample the CPU time and memory of what lives


@dataclass(frozen=True, slots=True)
class Wait:
    """Answered when it is true. Result: `{agents: [...], timed_out}`."""

    ids: Ids = ()
    scope: Annotated[str, Check(lambda scope: scope in ("ids", "all", "children"), "ids, all or children")] = "ids"
    any: bool = False
    timeout: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End these and all that is under them. Result: `{agents: [...]}`."""

    ids: Annotated[Ids, Check(len, "a list of at least one id")]


@dataclass(frozen=True, slots=True)
class Retry:
    """A new attempt for agents that ended without completing. Result: `{agents: [...]}`."""

    ids: Annotated[Ids, Check(len, "a list of at least one id")]
    env: dict[str, str] = field(default_factory=dict)  # their old one is gone: it was deleted when they ended


@dataclass(frozen=True, slots=True)
class Pause:
    """No admissions until `resume`. Result: the limit."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Admissions again. Result: the limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Show the limit, or change it at once. Result: `{limit, working, resident, living, overdrawn, paused}`."""

    limit: Annotated[int, Check(lambda number: 1 <= number <= 10_000, "between 1 and 10,000")] | None = None
    resident: Annotated[int, Check(lambda number: 1 <= number <= 10_000, "between 1 and 10,000")] | None = None


@dataclass(frozen=True, slots=True)
class Logs:
    """Where an attempt's output is. Result: `{id, attempt, attempts, path, over}`."""

    id: Name
    attempt: Annotated[int, Check(lambda number: number >= 1, "1 or more")] | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """The facts after `since`, oldest first. Result: `{events: [{seq, at, event, agent, ...}], last}`."""

    since: Annotated[int, Check(lambda number: number >= 0, "0 or more")] = 0
    count: Annotated[int, Check(lambda number: 1 <= number <= 1000, "between 1 and 1,000")] = 1000


@dataclass(frozen=True, slots=True)
class Daemon:
    """Who is there. Result: `{pid, version, uptime_seconds, socket, home}`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the daemon: `keep` leaves agents running, `stop` ends them, `drain` lets them finish. Result: `{living}`."""

    agents: Annotated[str, Check(lambda how: how in ("keep", "stop", "drain"), "keep, stop or drain")]


Request = Spawn | Status | Wait | Cancel | Retry | Pause | Resume | Limit | Logs | Events | Daemon | Stop

OPS: dict[str, type[Request]] = {
    "spawn": Spawn,
    "status": Status,
    "wait": Wait,
    "cancel": Cancel,
    "retry": Retry,
    "pause": Pause,
    "resume": Resume,
    "limit": Limit,
    "logs": Logs,
    "events": Events,
    "daemon": Daemon,
    "stop": Stop,
}
