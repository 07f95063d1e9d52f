"""Configuration of runners, which turn a prompt into the command of a coding agent, and its output into a report.

`[runners.NAME]` of config.toml changes built-in runners and defines others. The daemon checks the tables when it
starts, the runner program reads them when it runs. `RunnerSettings` describes every key.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

from orchd.instance.environment import ENV_DEFAULT_RUNNER
from orchd.instance.system.open_file import read_file
from orchd.protocol.errors import WireError
from orchd.protocol.schema import Constraint, ShapeError, Violation, parse

MOCK, CLAUDE, CODEX = "mock", "claude", "codex"
BUILT_IN = (MOCK, CLAUDE, CODEX)
PLACEHOLDERS = (
    "prompt",
    "goal",
    "skill",
    "model",
    "result",
    "task_id",
    "name",
    "cwd",
    "output_dir",
    "attempt",
    "session",
)
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MEMBERS_OWN = "command"  # what a composition's member says that brings a command of its own
# Which keys apply to which built-in runner; the keys of its own kind apply to all others.
_OF = {
    MOCK: {"env", "unset"},
    CLAUDE: {"command", "args", "model", "subagents", "prices", "env", "unset"},
    CODEX: {"command", "args", "model", "subagents", "prices", "env", "unset"},
}
_OF_BUILT_IN_ONLY = {"subagents"}
_READ_FROM_JSON = (
    *("text", "error", "session"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost"),
)

_Words = Annotated[
    tuple[str, ...], Constraint(lambda words: not words or words[0], "a list that starts with a program")
]
_Dollars = Annotated[float, Constraint(lambda number: 0 <= number <= 10**6, "between 0 and 1,000,000")]
_Place = Annotated[str, Constraint(lambda path: all(path.split(".")), "keys and indices separated by dots, e.g. a.0.b")]
_Prompt = Annotated[str, Constraint(("stdin", "argument").__contains__, "stdin or argument")]
_Usage = Annotated[str, Constraint(("last", "sum").__contains__, "last or sum")]
_Result = Annotated[str, Constraint(("exit-code", "file", "json").__contains__, "exit-code, file or json")]


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in dollars for a million tokens."""

    input: _Dollars
    output: _Dollars
    cache_read: _Dollars | None = None  # that of `input` when not given
    cache_write: _Dollars | None = None  # that of `input` when not given


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """Every key of `[runners.NAME]`."""

    command: _Words = ()
    args: tuple[str, ...] = ()
    model: str | None = None
    prompt: _Prompt = "stdin"
    result: _Result = "exit-code"
    text: _Place | None = None
    error: _Place | None = None
    session: _Place | None = None
    resume: _Words = ()
    input_tokens: _Place | None = None
    output_tokens: _Place | None = None
    cache_read_tokens: _Place | None = None
    cache_write_tokens: _Place | None = None
    cost: _Place | None = None
    usage: _Usage = "last"
    subagents: bool = False
    prices: dict[str, Price] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Runners:
    """All runners, and the default runner."""

    default: str | None  # None: none is configured, see `chosen`
    settings: Mapping[str, RunnerSettings]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of built-in runners, then of custom runners."""
        return (*BUILT_IN, *(name for name in self.settings if name not in BUILT_IN))

    def of(self, name: str) -> RunnerSettings:
        """Return the settings of a runner."""
        return self.settings.get(name, RunnerSettings())

    def program(self, name: str) -> str | None:
        """Return the program that a runner starts; None for the mock."""
        return None if name == MOCK else (self.of(name).command or (name,))[0]

    def installed(self, path: str | None) -> list[str]:
        """Return the runners whose programs are on this PATH."""
        programs = {name: self.program(name) for name in self.names}
        return [name for name, program in programs.items() if program and shutil.which(program, path=path or "")]

    def chosen(self, environment: Mapping[str, str]) -> str:
        """Return the default runner for a caller with this environment: ORCHD_DEFAULT_RUNNER, else `runner` of
        config.toml, else the only installed runner. Raises WireError `no-runner` or `unknown-runner`."""
        name = environment.get(ENV_DEFAULT_RUNNER) or self.default
        if name is not None:
            return self.known(name)
        there = self.installed(environment.get("PATH"))
        if len(there) == 1:
            return there[0]
        state = f"{' and '.join(there)} are installed" if there else f"none of {', '.join(self.names[1:])} is on PATH"
        raise WireError(
            "no-runner",
            f"no runner is chosen, and {state}; give --runner NAME, or set `runner` in config.toml or "
            f"{ENV_DEFAULT_RUNNER} ({MOCK} does no real work)",
        )

    def known(self, name: str) -> str:
        """Return `name`, if there is such a runner. Raises WireError `unknown-runner`."""
        if name not in self.names:
            raise WireError(
                "unknown-runner",
                f"unknown runner {name!r}; valid runners are {', '.join(self.names)}, and config.toml can add more",
            )
        return name


def checked(default: str | None, settings: Mapping[str, RunnerSettings]) -> Runners:
    """Return the runners of a configuration. Raises ShapeError for the first violation."""
    if (first := next(wrong(default, settings), None)) is not None:
        raise ShapeError(first.message)
    return Runners(default, settings)


def wrong(default: str | None, settings: Mapping[str, RunnerSettings]) -> Iterator[Violation]:
    """Yield the violations of each runner, and of all runners together."""
    blank = RunnerSettings()
    for name, runner in settings.items():
        if not _NAME.fullmatch(name) or name == _MEMBERS_OWN:
            yield Violation(
                f"runners.{name}",
                f"runners.{name:.60} is not a valid name: use letters, digits, `_`, `-` and `.`, but not "
                f"{_MEMBERS_OWN!r}",
            )
        known = _OF.get(name, {key.name for key in fields(RunnerSettings)} - _OF_BUILT_IN_ONLY)
        given = {key.name for key in fields(RunnerSettings) if getattr(runner, key.name) != getattr(blank, key.name)}
        if strange := sorted(given - known):
            key = f"runners.{name}.{strange[0]}"
            yield Violation(key, f"{key} is not valid for this runner; valid keys are {', '.join(sorted(known))}")
        if name not in BUILT_IN:
            own = (_wrong_command(name, runner), _wrong_resume(name, runner))
            yield from (problem for problem in own if problem is not None)
    runners = Runners(default, settings)
    if default is not None and default not in runners.names:
        yield Violation("runner", f"runner must be one of {', '.join(runners.names)}, not {default!r}")


def read(path: Path) -> Runners:
    """Return the runners in a config.toml, or the built-in runners without a file. Raises ShapeError, OSError."""
    try:
        text = read_file(path, follow=True)
    except FileNotFoundError:
        text = b""
    if b"runner" not in text:  # most have none, and a parser takes its time to import
        return Runners(None, {})
    import tomllib

    try:
        whole = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ShapeError(str(error)) from None
    table = parse(_Table, {key: whole[key] for key in ("runner", "runners") if key in whole})
    return checked(table.runner, table.runners)


@dataclass(frozen=True, slots=True)
class _Table:
    runner: str | None = None
    runners: dict[str, RunnerSettings] = field(default_factory=dict)


def _wrong_resume(name: str, settings: RunnerSettings) -> Violation | None:
    """Return the first violation of the key `resume` of a custom runner."""
    path = f"runners.{name}"
    if not settings.resume:
        return None
    used = [name for word in settings.resume for name in PLACEHOLDER.findall(word)]
    if "session" not in used or settings.session is None:
        needed = f"{path}.session, the place of the session in its JSON"
        return Violation(path, f"{path}.resume needs {{session}} in one of its words, and {needed}")
    if strange := sorted(set(used) - set(PLACEHOLDERS)):
        return Violation(path, f"{path}.resume has the unknown placeholder {{{strange[0]}}}")
    if ("prompt" in used) != (settings.prompt == "argument"):
        return Violation(path, f'{path}.resume must have {{prompt}} when {path}.prompt is "argument", and only then')
    return None


def _wrong_command(name: str, settings: RunnerSettings) -> Violation | None:
    """Return the first violation of a custom runner; any later violations follow from it."""
    path = f"runners.{name}"
    if not settings.command:
        return Violation(path, f"{path}.command is missing: a list with the program and its arguments")
    words = (*settings.command, *settings.args)
    used = [name for word in words for name in PLACEHOLDER.findall(word)]
    if strange := sorted({*used} - {*PLACEHOLDERS} | {*used} & {"session"}):
        shown = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS if name != "session")
        return Violation(path, f"{path}.command has the unknown placeholder {{{strange[0]}}}; placeholders are {shown}")
    if ("prompt" in used) != (settings.prompt == "argument"):
        return Violation(path, f'{path}.prompt must be "argument" when its command has {{prompt}}, and only then')
    if settings.result == "json" and settings.text is None:
        return Violation(
            path, f"{path}.text is missing: the path of the result's text in the JSON, e.g. message.content"
        )
    if settings.result != "json" and settings.usage != "last":
        return Violation(path, f'{path}.usage applies only with result = "json"')
    if settings.result != "json" and (given := [key for key in _READ_FROM_JSON if getattr(settings, key)]):
        return Violation(path, f'{path}.{given[0]} is a path in JSON and applies only with result = "json"')
    return None
