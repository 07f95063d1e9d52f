"""Definitions of commands: their words, arguments and options, and the kinds of values that these take."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import SimpleNamespace
from typing import NamedTuple

from orchctl.client import target
from orchctl.errors import UsageError
from orchd.instance import environment
from orchd.protocol import bounds
from orchd.protocol.durations import duration
from orchd.protocol.sizes import share, size

_LONGEST_SHOWN = 60  # characters
_LARGEST = 2**63 - 1  # what a msgpack integer holds


class Where(Enum):
    """Which daemon a command can be called for."""

    ANY_DAEMON = "the daemon of this machine or of another: the command needs none of its files"
    THIS_MACHINE = "the daemon of this machine: the command works on its files and processes"
    NO_DAEMON = "no daemon: the command sends no request"


class Completion(Enum):
    """What a shell completes an argument or the value of an option with."""

    AGENTS = "ids of agents"
    DEPENDENCIES = "ids of agents, then conditions"
    RUNS = "ids of runs"
    COMPOSITIONS = "files, folders and names of compositions"
    SKILLS = "names of skills"
    TASKS = "names of tasks"
    WORKTREES = "ids of agents with a worktree"
    RUNNERS = "names of runners"
    ROLES = "roles of keys"
    PLAN_FORMATS = "formats of task lists"
    CHART_FORMATS = "formats of timelines"


class Option(NamedTuple):
    """An option. `name` is its attribute of the arguments that `run` gets."""

    name: str
    help: str
    kind: str = "flag"
    many: bool = False
    metavar: str | None = None
    short: str | None = None
    completes: Completion | None = None
    bound: bounds.Constraint | None = None

    @property
    def label(self) -> str:
        """Return the name of the option in an error."""
        return self.flags[-1]

    @property
    def flags(self) -> tuple[str, ...]:
        """Return how the option is written, short form first."""
        long = f"--{self.name.replace('_', '-')}"
        return (self.short, long) if self.short else (long,)

    @property
    def default(self) -> object:
        """Return what `run` gets when the option is not given."""
        if self.kind == "flag":
            return False
        return () if self.many else None


class Argument(NamedTuple):
    """A positional argument, or with `many` all that are left."""

    name: str
    help: str
    metavar: str
    kind: str = "text"
    many: bool = False
    required: bool = False
    completes: Completion | None = None
    bound: bounds.Constraint | None = None

    @property
    def label(self) -> str:
        """Return the name of the argument in an error: `ID` for `[ID]...`."""
        return self.metavar.strip("[].")

    @property
    def default(self) -> object:
        """Return what `run` gets when the argument is not given."""
        return () if self.many else None


class Command(NamedTuple):
    """A verb. Its module is imported when the command runs, not before."""

    words: tuple[str, ...]
    help: str
    module: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    has_rest: bool = False  # all from the first word that is no option is the argument, options included
    function: str = "run"
    where: Where = Where.THIS_MACHINE  # the safe default: refused for another machine

    def run(self, args: SimpleNamespace) -> int:
        """Run the command. Returns the exit code; its errors are for `exit_codes.run`."""
        self.check_bounds(args)
        if self.where is Where.THIS_MACHINE:
            target.check_is_here(" ".join(self.words))
        from importlib import import_module

        function: Callable[[SimpleNamespace], int] = getattr(
            import_module(f"orchctl.commands.{self.module}"), self.function
        )
        return function(args)

    def check_bounds(self, args: SimpleNamespace) -> None:
        """Raise UsageError for a value that the daemon would refuse."""
        fields: list[Argument | Option] = [*self.arguments, *self.options]
        for field in fields:
            value = getattr(args, field.name, None)
            if field.bound is None or value is None:
                continue
            for part in value if field.many else (value,):
                if not field.bound.holds(part):
                    shown = _shown(part, field.kind)
                    raise UsageError(
                        f"{field.label} must be {field.bound.words}, not {shown}; "
                        f"see `orchctl {' '.join(self.words)} --help`"
                    )


def _shown(value: object, kind: str) -> str:
    """Return a value for an error, as it is written on the command line, shortened."""
    if isinstance(value, float):
        return f"{value * 100:g}%" if kind == "share" else f"{value:g}"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def number(text: str) -> int:
    """Return the whole number. Raises ValueError, also for a number that is too large for a message."""
    try:
        value = int(text)
    except ValueError:
        value = _LARGEST + 1
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is not a valid integer")
    return value


def pair(text: str) -> str:
    """Return `KEY=VALUE` as it is. Raises ValueError for other text."""
    if text.find("=") < 1:
        raise ValueError(f"{text!r} is not KEY=VALUE")
    return text


def variable(text: str) -> str:
    """Return `KEY=VALUE` of an environment as it is. Raises ValueError without the value, which may be secret."""
    name, equals, _ = text.partition("=")
    if not equals or not environment.is_name(name):
        raise ValueError(f"{name!r} is not KEY=VALUE: write a name without spaces, `=` and the value")
    return text


def amount(text: str) -> float:
    """Return dollars, written as `5` or `2.50`. Raises ValueError."""
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not a positive dollar amount, e.g. 2.50")
    return value


def moment(text: str) -> str:
    """Return the text of a time, an age or ISO 8601, for the command to resolve. Raises ValueError for other text."""
    unix_time(text, 0.0)
    return text


def unix_time(text: str, now: float) -> float:
    """Return the Unix time of an age like `2h` or of an ISO 8601 time, local without a zone. Raises ValueError."""
    with suppress(ValueError):
        return now - duration(text)
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is not a time: write an age, as in 90s, 15m, 2h, 1d, or an ISO time, as in 2026-11-30T10:00"
        ) from None


KINDS: dict[str, Callable[[str], object]] = {
    "text": str,
    "number": number,
    "duration": duration,
    "size": size,
    "share": share,
    "pair": pair,
    "variable": variable,
    "amount": amount,
    "moment": moment,
}

JSON = Option("json", "Print the result or the error as JSON.")
COMMAND = Argument("command", "Program and arguments, after --.", "-- COMMAND [ARG]...", many=True)
GOAL = Option("goal", "Goal, as text; the runner turns it into a prompt.", "text", metavar="TEXT", bound=bounds.GOAL)
SKILL = Option("skill", "Skill to use.", "text", metavar="NAME", completes=Completion.SKILLS, bound=bounds.NAME)
MODEL = Option("model", "Model for the runner.", "text", metavar="NAME", bound=bounds.NAME)
RETRIES = Option(
    "retries", "Number of new attempts after a failure (default: 0).", "number", metavar="N", bound=bounds.RETRIES
)
BUDGET = (
    Option(
        "max_tokens",
        "Token budget: start no more agents once it is used up; mock agents are not counted.",
        "number",
        metavar="N",
        bound=bounds.BUDGET,
    ),
    Option(
        "max_cost",
        "Cost budget in dollars: start no more agents once it is used up; mock agents are not counted.",
        "amount",
        metavar="DOLLARS",
    ),
)
