"""Shapes of all operations, declared once and checked on receipt.

Durations are seconds. Ids are `agent-001`; `1` and `agent-1` name the same agent. Refusals are WireErrors with a
kebab-case code, e.g. `bad-request` for arguments that do not fit the shape, `unknown-agent`, or `forbidden`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from orchd.protocol import bounds, remote_operations
from orchd.protocol.attributes import SentAttributes
from orchd.protocol.schema import Constraint
from orchd.protocol.specs import Agents, Dollars, Groups, Ids, Members, Name, Path, Seconds, Tokens


@dataclass(frozen=True, slots=True)
class Spawn:
    """Spawn all of `agents` or none. Result: `{agents: [{id, name, status, position, reason}]}`."""

    agents: Agents
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    parent: Name | None = None  # must be the calling agent, by the kernel
    no_queue: bool = False  # refuse (`would-queue`) rather than queue
    project: Path | None = None  # the directory whose session they belong to; `cwd` otherwise
    attributes: SentAttributes | None = None  # of the client's process: umask, niceness, CPUs, resource limits


@dataclass(frozen=True, slots=True)
class Run:
    """Start a composition, all of it or none; the first of `groups` is the run itself. Result: `{run, agents}`."""

    name: Name
    groups: Groups
    members: Members
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    task_id: Name | None = None
    results: Path | None = None  # the directory of what members write, as `run-status` shows it
    parent: Name | None = None  # must be the calling agent, by the kernel
    project: Path | None = None  # the directory whose session they belong to; `cwd` otherwise
    max_tokens: Tokens | None = None  # once they are used, no more members of the run start
    max_cost: Dollars | None = None
    attributes: SentAttributes | None = None  # of the client's process


@dataclass(frozen=True, slots=True)
class Runs:
    """List runs, newest first, without their members. Result: `{runs: [...], more}`."""

    all: bool = False  # finished runs too; otherwise only the last ten of them
    before: int | None = None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Show one run with a page of its members, as `status` shows them. Result: `{run: {...}, agents: [...], more}`;
    `more` is the `skip` of the next page, and of later pages `run` is null: the first has it."""

    id: Name
    skip: Annotated[int, bounds.NOT_NEGATIVE] = 0  # as many members as the pages before had


@dataclass(frozen=True, slots=True)
class Sessions:
    """List sessions, of one directory or of all, newest first. Result: `{sessions: [...], more}`."""

    project: Path | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """Show a session and a page of its agents, newest first: session `id`, the caller's own, or else the newest of the
    directory. Result: `{session: {...}, agents: [...], more}`."""

    id: Name | None = None
    project: Path | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SessionNew:
    """Open a session in a directory; the open session there is closed. Result: `{session: {...}}`."""

    project: Path
    name: Name | None = None
    max_tokens: Tokens | None = None
    max_cost: Dollars | None = None


@dataclass(frozen=True, slots=True)
class SessionClose:
    """Close a session: later agents in its directory belong to another. Result: `{session: {...}}`."""

    id: Name


@dataclass(frozen=True, slots=True)
class Budget:
    """Show how much a session or a run may cost in all, or change either number or both.
    Result: `{id, max_tokens, max_cost, tokens, cost_usd, reached}`."""

    id: Name
    max_tokens: Tokens | None = None
    max_cost: Dollars | None = None
    unlimited: bool = False  # neither number holds any more


@dataclass(frozen=True, slots=True)
class Skills:
    """Show durations of skills, from completed agents. Result: `{skills: {name: {seconds, samples}}, limit}`."""

    names: Ids


@dataclass(frozen=True, slots=True)
class Status:
    """List agents with the limit. Result: `{daemon, limit, levels, agents: [...], more}`; `more` is the `before` of the
    next page, or null.

    With `most` and without `all` the reply is one page: running agents, then waiting, queued and ended agents. It also
    has `counts` of agents by status, `tokens` used, and `budgets` of sessions and runs of the agents.
    """

    ids: Ids = ()
    all: bool = False
    before: int | None = None
    usage: bool = True  # sample the CPU time and memory of agents alive
    most: Annotated[int, Constraint(lambda number: 0 <= number <= 1000, "between 0 and 1,000")] | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Explain why an agent or run is blocked, or how it ended. Result: `{id, status, rule, reason, blockers: [{id,
    name, status, since}], blocked_by, way_out, unmet}`."""

    id: Name


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until agents have finished. Result: `{agents: [...], timed_out}`; with `paged` also `more`, the ids of the
    agents that had no room in `agents`. The scope `tree` is the agents in `ids` and the unfinished agents below them
    when the request arrives; agents that they spawn later are not included."""

    ids: Ids = ()
    scope: Annotated[
        str, Constraint(lambda scope: scope in ("ids", "tree", "all", "children"), "ids, tree, all or children")
    ] = "ids"
    any: bool = False
    timeout: Seconds | None = None
    paged: bool = False  # needed for more than 10,000 agents


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel these agents or runs and all their descendants. Result: `{agents: [...]}`."""

    ids: Annotated[Ids, Constraint(len, "a list of at least one id")]


@dataclass(frozen=True, slots=True)
class Retry:
    """Begin a new attempt of agents, or members of runs, that ended without completing. Result: `{agents: [...]}`."""

    ids: Annotated[Ids, Constraint(len, "a list of at least one id")]
    env: dict[str, str] = field(default_factory=dict)  # over the environment with which each was spawned
    current_env: bool = False  # `env` alone, without the environment that each was spawned with
    attributes: SentAttributes | None = None  # of the client's process; otherwise each keeps its own
    resume_session: bool = False  # continue the last CLI session of each agent, which must be known


@dataclass(frozen=True, slots=True)
class Pause:
    """Start no more agents until `resume`. Result: as of `limit`.

    With `ids`, hold queued agents, and freeze the process trees of the others. Result: `{agents: [...]}`."""

    ids: Ids = ()
    release_slot: bool = False  # of agents that are running: others may start instead


@dataclass(frozen=True, slots=True)
class Resume:
    """Start agents again. Result: as of `limit`. With `ids`, these agents continue. Result: `{agents: [...]}`."""

    ids: Ids = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """Show the limit, or change it at once; `reset` sets both numbers to the configured values.
    Result: `{limit, resident, working, living, overdrawn, paused, disk_pressure, held, ...}`."""

    limit: Annotated[int, bounds.LIMIT] | None = None
    resident: Annotated[int, bounds.LIMIT] | None = None
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Logs:
    """Show where the output of an attempt is. Result: `{id, attempt, attempts, path, over}`."""

    id: Name
    attempt: Annotated[int, bounds.AT_LEAST_ONE] | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """List the events after `since`, oldest first; of the events up to `pruned` some are deleted.
    Result: `{events: [{seq, at, event, agent, ...}], last, pruned}`."""

    since: Annotated[int, bounds.NOT_NEGATIVE] = 0
    count: Annotated[int, Constraint(lambda number: 1 <= number <= 1000, "between 1 and 1,000")] = 1000
    agent: Name | None = None  # only events about this agent


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete finished agents with their logs: by age, all but so many agents, or else as the configuration says.
    Answered when they are deleted. Result: `{agents, runs, bytes, dry_run, left}`."""

    older_than: Seconds | None = None
    keep: Annotated[int, bounds.NOT_NEGATIVE] | None = None
    dry_run: bool = False  # only say how much it would be


@dataclass(frozen=True, slots=True)
class Daemon:
    """Show the daemon's identity. Result: `{pid, version, uptime_seconds, socket, home}`."""


@dataclass(frozen=True, slots=True)
class Config:
    """Show the settings in force. Result: `{config, values, by_command}`."""


@dataclass(frozen=True, slots=True)
class Reload:
    """Read `config.toml` again; an invalid file changes nothing. Result: `{config, changed, later}`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the daemon: `keep` leaves agents running, `stop` ends them, `drain` lets them finish.

    Result: `{living, agents}`, how many were alive when it was requested, and which: with `keep`, the remaining agents.
    """

    agents: Annotated[str, Constraint(lambda how: how in ("keep", "stop", "drain"), "keep, stop or drain")]


Request = (
    Spawn
    | Run
    | Runs
    | RunStatus
    | Skills
    | Sessions
    | SessionStatus
    | SessionNew
    | SessionClose
    | Budget
    | Status
    | Why
    | Wait
    | Cancel
    | Retry
    | Pause
    | Resume
    | Limit
    | Logs
    | Events
    | Prune
    | Daemon
    | Config
    | Reload
    | Stop
    | remote_operations.Output
    | remote_operations.Listen
    | remote_operations.Keys
    | remote_operations.KeyAuthorize
    | remote_operations.KeyRevoke
)

OPS: dict[str, type[Request]] = {
    "spawn": Spawn,
    "run": Run,
    "runs": Runs,
    "run-status": RunStatus,
    "skills": Skills,
    "sessions": Sessions,
    "session-status": SessionStatus,
    "session-new": SessionNew,
    "session-close": SessionClose,
    "budget": Budget,
    "status": Status,
    "why": Why,
    "wait": Wait,
    "cancel": Cancel,
    "retry": Retry,
    "pause": Pause,
    "resume": Resume,
    "limit": Limit,
    "logs": Logs,
    "events": Events,
    "prune": Prune,
    "daemon": Daemon,
    "config": Config,
    "reload": Reload,
    "stop": Stop,
    "output": remote_operations.Output,
    "listen": remote_operations.Listen,
    "keys": remote_operations.Keys,
    "key-authorize": remote_operations.KeyAuthorize,
    "key-revoke": remote_operations.KeyRevoke,
}
