"""Keys of `config.toml`: their units, and when a change takes effect; read by daemon and clients.

A value that a command changes at run time is state, not configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from orchd.instance.runner_config import Runners, RunnerSettings, checked, wrong
from orchd.instance.system import open_file, os_errors
from orchd.protocol import bounds
from orchd.protocol.addresses import can_be_listened_on
from orchd.protocol.durations import duration
from orchd.protocol.schema import Constraint, Violation, parse, violations
from orchd.protocol.sizes import share, size

RESIDENT_PER_LIMIT = 4
LOG_BYTES = 64 << 20
LEAST_LOG = 64 << 10  # its head and its tail are still worth reading

_Count = Annotated[int, bounds.LIMIT]
_Bytes = Annotated[int, bounds.NOT_NEGATIVE]
_Kept = Annotated[int, bounds.AT_LEAST_ONE]
_LogBytes = Annotated[int, Constraint(lambda number: number >= LEAST_LOG, f"{LEAST_LOG:,} or more")]
_Seconds = Annotated[float, bounds.NOT_NEGATIVE]
_Listened = Annotated[str, Constraint(can_be_listened_on, "tcp://ADDRESS:PORT with a numeric address of this machine")]
_Positive = Annotated[float, bounds.POSITIVE]


def _is_inside(path: str) -> bool:
    return bool(path) and path[0] != "/" and ".." not in path.split("/")


def _reads(text: str, read: Callable[[str], float], least: float) -> bool:
    try:
        return read(text) >= least
    except ValueError:
        return False


_Size = Annotated[str, Constraint(lambda text: _reads(text, size, 1 << 20), "a size of at least 1M, e.g. 512M or 2G")]
_Share = Annotated[
    str, Constraint(lambda text: _reads(text, share, 0.01), "a percentage of one core, e.g. 50% or 150%")
]
_Umask = Annotated[str, Constraint(re.compile("0?[0-7]{3}").fullmatch, "three octal digits, e.g. 077")]
_Relative = Annotated[str, Constraint(_is_inside, "a path inside the project")]
_Pattern = Annotated[str, Constraint(_is_inside, "a pattern inside the checkout")]
_Line = Annotated[str, Constraint(lambda text: text.strip() and "\0" not in text, "a shell command")]
_Directory = Annotated[str, Constraint(re.compile("(~|~?/.*)").fullmatch, "a path that begins with / or ~/")]
_Pids = Annotated[int, Constraint(lambda number: number >= 4, "4 or more")]


class SettingsError(ValueError):
    """A configuration file cannot be used; has all problems of the file, and the first in its message."""

    def __init__(self, path: Path, problems: list[Violation]) -> None:
        more = f" ({len(problems) - 1} more: see `orchctl config check`)" if problems[1:] else ""
        super().__init__(f"{path}: {problems[0].message}{more}")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ProjectManagement:
    """The table `[pm]`."""

    labels: dict[str, str] = field(default_factory=dict)  # the skill that a task with this label is done with


@dataclass(frozen=True, slots=True)
class Trees:
    """How the git worktrees of agents are filled. Patterns are git's (`glob`), from the top of the checkout."""

    copy: tuple[_Pattern, ...] = ()  # files that git ignores, copied from the checkout
    setup: _Line | None = None  # run in the worktree before the agent, in its attempt
    submodules: bool | None = None  # whether they are filled
    reproducible: tuple[_Pattern, ...] = ()  # files that git ignores and `worktrees prune` takes along


@dataclass(frozen=True, slots=True)
class AllTrees(Trees):
    """The table `[worktree]` of config.toml, for the worktrees of all repositories."""

    trusted: tuple[_Directory, ...] = ()  # below them, `.orchd.toml` may have a `setup`


@dataclass(frozen=True, slots=True)
class Project:
    """`.orchd.toml` at the top of a checkout."""

    worktree: Trees = field(default_factory=Trees)


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """The table `[remote]`."""

    listen: _Listened | None = None  # where clients with authorized keys connect from other machines


@dataclass(frozen=True, slots=True)
class Config:
    """Every key of `config.toml`, described in KEYS: times in seconds, sizes in bytes."""

    limit: _Count = 7
    resident: _Count | None = None
    enforcement: Annotated[str, Constraint(lambda how: how in ("strict", "lenient"), "strict or lenient")] = "strict"
    stall_after: _Seconds = 30.0
    depth: _Count = 3
    children: _Count = 20
    agents: _Count = 500
    grace: _Seconds = 10.0
    timeout: _Positive | None = None
    silence: _Positive | None = None
    memory_max: _Size | None = None
    cpu_max: _Share | None = None
    pids_max: _Pids | None = None
    umask: _Umask | None = None
    confined_callers: Annotated[str, Constraint(lambda how: how in ("refuse", "accept"), "refuse or accept")] = "refuse"
    session_files: bool = True
    sessions_path: _Relative = ".agent/sessions"
    state_path: _Relative = ".claude/state"
    rate_limit_waits: Annotated[int, Constraint(lambda number: 0 <= number <= 10_000, "between 0 and 10,000")] = 10
    rate_limit_time: _Seconds = 8 * 86_400.0
    free_bytes: _Bytes | None = None
    keep_age: _Positive | None = None
    keep_count: _Kept = 100_000
    keep_bytes: _Bytes | None = None
    log_bytes: _LogBytes = LOG_BYTES
    cgroups: Annotated[str, Constraint(lambda how: how in ("auto", "off"), "auto or off")] = "auto"
    runner: str | None = None
    runners: dict[str, RunnerSettings] = field(default_factory=dict)
    pm: ProjectManagement = field(default_factory=ProjectManagement)
    worktree: AllTrees = field(default_factory=AllTrees)
    remote: RemoteConfig = field(default_factory=RemoteConfig)

    @property
    def known_runners(self) -> Runners:
        """Return all runners. Raises ShapeError when their settings are invalid."""
        return checked(self.runner, self.runners)


RELOAD = "on reload"
NEW_AGENTS = "on reload, for agents that are spawned afterwards"
RESTART = "on restart: `orchctl daemon restart`; agents keep running"
LIMITED = "on reload, unless `orchctl limit` has set it; `orchctl limit --reset` returns to the file"
COMMAND = "after `orchctl limit --reset`: a command has set it, and takes precedence over the file"
LIMITS = ("limit", "resident")
IN_LIMIT = ("agents", "resident", "enforcement", "stall_after")  # of the table [limit]
TABLES = ("runners", "pm", "worktree", "remote")
RUNNERS = "immediately; a new runner on reload"
AT_ONCE = "immediately, without a reload"


class Key(NamedTuple):
    """The description of a key."""

    unit: str
    about: str
    effective: str = RELOAD  # when a change takes effect
    unset: str = ""  # the meaning of a missing key that has no default value


_UNBOUND = "unlimited"
_FREE = "256 MiB, or a twentieth of the disk if that is less"
_KEPT = "10 GiB, or a tenth of the disk if that is less"

KEYS: dict[str, Key] = {
    "limit": Key("agents", "maximum number of agents at work; initial value, `orchctl limit` changes it", LIMITED),
    "resident": Key("agents", "maximum number of agents alive, waiting agents included", LIMITED, "4 x `limit`"),
    "enforcement": Key(
        "strict or lenient",
        "strict: an agent whose wait ended early runs again only when it has a slot; lenient: it runs at once",
    ),
    "stall_after": Key(
        "duration", "time without CPU or output after which an agent that polls lends its slot to an agent it polls for"
    ),
    "depth": Key("levels", "maximum nesting depth of agents"),
    "children": Key("agents", "maximum number of unfinished children of one agent"),
    "agents": Key("agents", "maximum number of agents ever spawned in one tree"),
    "grace": Key("duration", "time between SIGTERM and SIGKILL when an agent is ended", NEW_AGENTS),
    "timeout": Key("duration", "maximum duration of an attempt", NEW_AGENTS, "none"),
    "silence": Key("duration", "maximum time without output of an attempt", NEW_AGENTS, "none"),
    "memory_max": Key("size", "memory limit of an agent's process tree; an agent above it fails", NEW_AGENTS, _UNBOUND),
    "cpu_max": Key("per cent of one processor", "CPU limit of an agent's process tree", NEW_AGENTS, _UNBOUND),
    "pids_max": Key("processes", "maximum number of processes and threads of an agent", NEW_AGENTS, _UNBOUND),
    "umask": Key("octal digits", "umask of all agents", NEW_AGENTS, "the umask of the caller"),
    "confined_callers": Key(
        "refuse or accept",
        "whether callers in other namespaces or with NoNewPrivs may spawn agents, which would not be confined",
    ),
    "session_files": Key("true or false", "whether session files are written to project directories"),
    "sessions_path": Key("path", "directory of `latest.yaml`, relative to the project directory"),
    "state_path": Key("path", "directory of `agents.json` and `events.jsonl`, relative to the project directory"),
    "rate_limit_waits": Key("waits", "maximum number of rate limits that an agent waits for before it fails"),
    "rate_limit_time": Key("duration", "maximum time from an agent's first rate limit to the end of its last"),
    "free_bytes": Key(
        "size", "minimum free space on the disk of the home; below it no agent starts; 0 disables this", RELOAD, _FREE
    ),
    "keep_age": Key("duration", "age at which finished agents are deleted from the history", RELOAD, "none"),
    "keep_count": Key("agents", "maximum number of finished agents in the history"),
    "keep_bytes": Key("size", "maximum size of all logs", RELOAD, _KEPT),
    "log_bytes": Key("size", "maximum size of the log of an attempt; its beginning and end are kept"),
    "cgroups": Key("auto or off", "whether agents get cgroups of their own where the machine allows it", RESTART),
    "runner": Key(
        "name", "runner of an agent that names neither a runner nor a command", NEW_AGENTS, "the installed CLI"
    ),
    "runners": Key(
        "tables",
        "`[runners.NAME]` sets `model`, `args` and more of a runner, or describes [a runner of your own]"
        "(../guides/runners.md#your-own-runner)",
        RUNNERS,
        "the built-in runners",
    ),
    "pm": Key("table", "`[pm]`: `labels` maps the label of a task to a skill", AT_ONCE, "no labels"),
    "worktree": Key(
        "table",
        "`[worktree]` fills new worktrees with [what git does not track]"
        "(../guides/worktrees.md#what-git-does-not-track): `copy`, `setup`, `submodules`, `reproducible`",
        AT_ONCE,
        "empty",
    ),
    "remote": Key("table", "`[remote]`: `listen` is the address for clients on other machines", RESTART, "disabled"),
}


def read(path: Path) -> Config:
    """Return the configuration in `path`, or the defaults without a file. Raises SettingsError with all problems."""
    import tomllib  # a quick command that wants one number of this module does not pay for a parser

    try:
        whole = tomllib.loads(open_file.read_file(path, follow=True).decode())
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path, [Violation("", f"cannot be read: {os_errors.summary(error)}")]) from None
    except (ValueError, RecursionError) as error:  # digits or brackets without end are no TOMLDecodeError
        raise SettingsError(path, [Violation("", str(error))]) from None
    plain, problems = _plain(whole)
    wrong_keys = list(violations(Config, plain))
    bad = {problem.key.partition(".")[0] for problem in wrong_keys}
    problems += wrong_keys
    # keys that are valid by themselves may contradict each other
    config = parse(Config, {key: value for key, value in plain.items() if key not in bad})
    if "runners" not in bad:
        problems += (problem for problem in wrong(config.runner, config.runners) if problem.key not in bad)
    if "limit" not in bad and config.resident is not None and config.resident < config.limit:
        message = f"resident must be at least limit ({config.limit}), not {config.resident}"
        problems.append(Violation("resident", message))
    if problems:
        raise SettingsError(path, problems)
    return config


# What may be written with a unit, as on the command line.
_WRITTEN: dict[str, Callable[[str], float]] = {
    **dict.fromkeys(("stall_after", "grace", "timeout", "silence", "rate_limit_time", "keep_age"), duration),
    **dict.fromkeys(("free_bytes", "keep_bytes", "log_bytes"), size),
}


def _plain(whole: Mapping[str, object]) -> tuple[dict[str, object], list[Violation]]:
    """Return the values without their units and with the table `[limit]` flattened, where `agents` is the key `limit`;
    and the violations of malformed values."""
    plain, problems = dict(whole), []
    if isinstance(table := whole.get("limit"), dict):
        del plain["limit"]
        for name, value in table.items():
            key = "limit" if name == "agents" else name
            if name not in IN_LIMIT:
                message = f"limit.{name} is unknown; [limit] has {', '.join(IN_LIMIT)}"
                problems.append(Violation(f"limit.{name}", message))
            elif key in plain:
                message = f"{key} is set twice, in [limit] and outside it; remove one of them"
                problems.append(Violation(key, message))
            else:
                plain[key] = value
    for key in [key for key in _WRITTEN if isinstance(plain.get(key), str)]:
        try:
            plain[key] = _WRITTEN[key](str(plain[key]))
        except ValueError as error:
            problems.append(Violation(key, f"{key}: {error}"))
            del plain[key]
    if type(amount := plain.get("memory_max")) is int:
        plain["memory_max"] = str(amount)
    return plain, problems


def resident_of(config: Config) -> int:
    """Return the limit of resident agents where no command has set it."""
    return config.resident or RESIDENT_PER_LIMIT * config.limit


def default(key: str) -> object:
    """Return the value of a key that is not given."""
    (declared,) = (candidate for candidate in fields(Config) if candidate.name == key)
    return blank(declared)


def blank(declared: Field[Any]) -> object:
    """Return the default of a field; MISSING when it is required."""
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


def changed(old: Config, new: Config) -> list[str]:
    """Return the keys in which two configurations differ."""
    return [key for key in KEYS if getattr(old, key) != getattr(new, key)]
