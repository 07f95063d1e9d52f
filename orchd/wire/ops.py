"""Every operation's shape, declared once and checked at the door. docs/protocol.md shows each with an example.

Durations are seconds. Ids are `agent-001`; `1` and `agent-1` name the same agent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from orchd.wire import afar
from orchd.wire.shapes import Check

MOST = 10_000  # in one request: a larger one would keep everybody else waiting

Text = Annotated[str, Check(lambda text: len(text) <= 4096, "at most 4,096 characters")]
Name = Annotated[str, Check(lambda text: 0 < len(text) <= 200, "1 to 200 characters")]
Path = Annotated[str, Check(lambda path: path.startswith("/"), "an absolute path")]
Positive = Annotated[float, Check(lambda number: number > 0, "above 0")]
Seconds = Annotated[float, Check(lambda number: number >= 0, "0 or more")]
Node = Annotated[str, Check(lambda path: len(path) <= 1000 and not path.startswith("/"), "a path of at most 1,000")]
Nodes = Annotated[tuple[Node, ...], Check(lambda paths: len(paths) <= MOST, "a list of at most 10,000 paths")]
Tokens = Annotated[int, Check(lambda number: number > 0, "above 0")]
Dollars = Annotated[float, Check(lambda number: number > 0, "above 0")]
Ids = Annotated[tuple[Name, ...], Check(lambda ids: len(ids) <= MOST, "a list of at most 10,000 ids")]
Memory = Annotated[int, Check(lambda amount: amount >= 1 << 20, "at least 1M, in bytes 1048576")]
Processors = Annotated[float, Check(lambda number: 0.01 <= number <= MOST, "between 1% and 1,000,000%")]
Pids = Annotated[int, Check(lambda number: number >= 4, "4 or more: its supervising shell is one of them")]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent to be: a command or a runner, and how to supervise it.

    Without a command its runner, or the default one, is given the prompt: what is on `stdin`, or else `goal` and the
    text of `skill`. With a runner, `command` holds more arguments for the runner's own CLI.
    """

    command: Annotated[tuple[str, ...], Check(lambda argv: not argv or argv[0], "a list that begins with a word")] = ()
    runner: Name | None = None
    model: Name | None = None  # for the runner; it has a default of its own
    name: Name | None = None  # defaults to the program's file name
    goal: Text | None = None
    skill: Name | None = None
    task_id: Name | None = None
    cwd: Path | None = None  # defaults to the request's
    env: dict[str, str] = field(default_factory=dict)  # over the request's
    stdin: Path | None = None  # /dev/null otherwise
    output_dir: Path | None = None  # made before the start, told to the agent as ORCHD_OUTPUT_DIR
    result: Path | None = None  # the file for its result, told to the agent as ORCHD_RESULT
    worktree: bool = False  # work in a git worktree of its own of the repository that holds `cwd`
    tokens: Annotated[int, Check(lambda number: number >= 0, "0 or more")] | None = None  # how many it may take
    after: Ids = ()  # ids, or names of others in the same request; all must complete first
    priority: Annotated[int, Check(lambda number: -100 <= number <= 100, "between -100 and 100")] = 0
    nesting: Annotated[int, Check(lambda number: number >= 0, "0 or more")] = 0  # levels it may wait for
    timeout: Positive | None = None  # from its start to its end
    silence: Positive | None = None  # without a byte of output
    grace: Seconds | None = None  # between TERM and KILL
    retries: Annotated[int, Check(lambda number: 0 <= number <= 1000, "between 0 and 1000")] = 0
    memory_max: Memory | None = None  # of its whole tree
    cpu_max: Processors | None = None  # 1.5 are one and a half
    pids_max: Pids | None = None  # processes and threads, its shim among them

    @property
    def has_work(self) -> bool:
        """Whether it says what is to be done."""
        return bool(self.command or self.goal or self.skill or self.stdin)


def name_of(spec: AgentSpec) -> str:
    """What the agent is called, also when nobody gave it a name."""
    program = spec.command[0].rstrip("/").rpartition("/")[2][:200] if spec.command else ""
    return spec.name or (not spec.command and spec.skill) or spec.runner or program or "agent"


Agents = Annotated[tuple[AgentSpec, ...], Check(lambda agents: 0 < len(agents) <= MOST, "a list of 1 to 10,000 agents")]


@dataclass(frozen=True, slots=True)
class Spawn:
    """All of `agents` or none. Result: `{agents: [{id, name, status, position, reason}]}`."""

    agents: Agents
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    parent: Name | None = None  # must be who the kernel says is calling
    no_queue: bool = False  # refuse (`would-queue`) rather than queue
    project: Path | None = None  # the directory whose session they belong to; `cwd` otherwise


@dataclass(frozen=True, slots=True)
class RunGroup:
    """A composition inside a run: the whole, or one that is a sub-skill of another."""

    path: Node = ""  # "" is the whole; "web" a nested one, "web/forms" one inside that
    max_parallel: Annotated[int, Check(lambda number: number >= 1, "1 or more")] | None = None  # of its own that work
    on_failure: Annotated[str, Check(lambda how: how in ("fail-fast", "continue"), "fail-fast or continue")] = (
        "fail-fast"
    )
    after: Nodes = ()  # paths of members or groups in the same group; all must complete first
    required: bool = True  # whether its failure is that of the group around it


@dataclass(frozen=True, slots=True)
class RunMember:
    """One sub-skill of a run: an agent of level `composite`. `after` of its `agent` must be empty."""

    path: Node  # "api", or "web/api" in the group "web"
    agent: AgentSpec
    after: Nodes = ()  # paths of members or groups in the same group; all must complete first
    required: bool = True
    variables: dict[str, str] = field(default_factory=dict)  # over its environment, and kept for retries: no secrets


Groups = Annotated[tuple[RunGroup, ...], Check(lambda groups: 0 < len(groups) <= MOST, "a list of 1 to 10,000 groups")]
Members = Annotated[tuple[RunMember, ...], Check(lambda found: 0 < len(found) <= MOST, "a list of 1 to 10,000 members")]


@dataclass(frozen=True, slots=True)
class Run:
    """A composition as agents, all or none. `groups` begins with the whole. Result: `{run: {...}, agents: [...]}`."""

    name: Name
    groups: Groups
    members: Members
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    task_id: Name | None = None
    results: Path | None = None  # the directory of what members write, as `run-status` shows it
    parent: Name | None = None  # must be who the kernel says is calling
    project: Path | None = None  # the directory whose session they belong to; `cwd` otherwise
    max_tokens: Tokens | None = None  # once they are spent, nothing more of the run is started
    max_cost: Dollars | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs there are, newest first, without their members. Result: `{runs: [...], more}`."""

    all: bool = False  # those that are over too; otherwise only the last ten of them
    before: int | None = None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run with its members. Result: `{run: {...}, agents: [...]}`, the agents as `status` shows them."""

    id: Name


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions there are, of one directory or of all, newest first. Result: `{sessions: [...], more}`."""

    project: Path | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A session and a page of its agents, newest first: the one named, the caller's own, or else the newest of the
    directory. Result: `{session: {...}, agents: [...], more}`."""

    id: Name | None = None
    project: Path | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SessionNew:
    """A new session in a directory; the one that is open there is closed. Result: `{session: {...}}`."""

    project: Path
    name: Name | None = None
    max_tokens: Tokens | None = None
    max_cost: Dollars | None = None


@dataclass(frozen=True, slots=True)
class SessionClose:
    """What is spawned in its directory later belongs to another one. Result: `{session: {...}}`."""

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
    """What is known of skills from agents that completed. Result: `{skills: {name: {seconds, samples}}, limit}`."""

    names: Ids


@dataclass(frozen=True, slots=True)
class Status:
    """What there is. Result: docs/protocol.md, `status`; `more` is the next page's `before`, or null."""

    ids: Ids = ()
    all: bool = False
    before: int | None = None
    usage: bool = True  # sample the CPU time and memory of what lives


@dataclass(frozen=True, slots=True)
class Why:
    """Why an agent or run does not go on, or ended so. Result: docs/protocol.md, `why`."""

    id: Name


@dataclass(frozen=True, slots=True)
class Wait:
    """Answered when it is true. Result: `{agents: [...], timed_out}`."""

    ids: Ids = ()
    scope: Annotated[str, Check(lambda scope: scope in ("ids", "all", "children"), "ids, all or children")] = "ids"
    any: bool = False
    timeout: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End these agents or runs and all that is under them. Result: `{agents: [...]}`."""

    ids: Annotated[Ids, Check(len, "a list of at least one id")]


@dataclass(frozen=True, slots=True)
class Retry:
    """A new attempt for agents, or members of runs, that ended without completing. Result: `{agents: [...]}`."""

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
    """The facts after `since`, oldest first; of those up to `pruned` some are gone.
    Result: `{events: [{seq, at, event, agent, ...}], last, pruned}`."""

    since: Annotated[int, Check(lambda number: number >= 0, "0 or more")] = 0
    count: Annotated[int, Check(lambda number: 1 <= number <= 1000, "between 1 and 1,000")] = 1000


@dataclass(frozen=True, slots=True)
class Prune:
    """Let go what is over, with its logs: what ended longer ago, all but so many agents, or else what the configuration
    says. Answered when it is gone. Result: `{agents, runs, bytes, dry_run, left}`."""

    older_than: Seconds | None = None
    keep: Annotated[int, Check(lambda number: number >= 0, "0 or more")] | None = None
    dry_run: bool = False  # only say how much it would be


@dataclass(frozen=True, slots=True)
class Daemon:
    """Who is there. Result: `{pid, version, uptime_seconds, socket, home}`."""


@dataclass(frozen=True, slots=True)
class Reload:
    """Read `config.toml` again; a wrong one changes nothing. Result: `{config, changed, later}`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the daemon: `keep` leaves agents running, `stop` ends them, `drain` lets them finish.

    Result: `{living, agents}`, how many lived when it was asked, and which: with `keep` those that are left.
    """

    agents: Annotated[str, Check(lambda how: how in ("keep", "stop", "drain"), "keep, stop or drain")]


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
    | Reload
    | Stop
    | afar.Output
    | afar.Listen
    | afar.Keys
    | afar.KeyAuthorize
    | afar.KeyRevoke
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
    "reload": Reload,
    "stop": Stop,
    "output": afar.Output,
    "listen": afar.Listen,
    "keys": afar.Keys,
    "key-authorize": afar.KeyAuthorize,
    "key-revoke": afar.KeyRevoke,
}
