"""Task files: `subtask-NAME.md`, what its front matter says in keys, and the prompt below it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orchctl.tasks import front_matter
from orchctl.tasks.front_matter import Parsed
from orchctl.tasks.problems import Problem, TasksError
from orchd.instance.system import open_file
from orchd.protocol import dependencies, schema, specs
from orchd.protocol.durations import duration
from orchd.protocol.sizes import share, size

DIRECTORY = "docs/tasks"
PREFIX = "subtask-"
RESULTS = "results"

_NAME = re.compile(r"[^\W_][\w.-]*")  # of letters and digits of any script; it becomes part of file names
_ID = re.compile(r"(agent|run)-\d+", re.ASCII)
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work, as its file says. `lines` are those of the keys that it has."""

    path: Path
    name: str = ""
    goal: str = ""
    skill: str | None = None
    runner: str | None = None
    model: str | None = None
    after: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)  # of tasks in `after`; `completed` for all others
    timeout: float | None = None
    retries: int = 0
    memory_max: int | None = None
    cpu_max: float | None = None
    pids_max: int | None = None
    tokens: int | None = None
    nesting: int = 0
    files: tuple[str, ...] = ()  # paths and globs that it will write to
    body: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    command: tuple[str, ...] = ()  # what is run instead of a runner

    def condition(self, name: str) -> str:
        """How the task `name` in `after` must end for this task to start."""
        return self.conditions.get(name, dependencies.COMPLETED)

    @property
    def dependencies(self) -> list[str]:
        """`after` as it is written, with conditions."""
        return [f"{name}:{how}" if (how := self.conditions.get(name)) else name for name in self.after]

    def result(self, results: Path) -> Path:
        """Its file in `results`: NAME.md, or subtask-NAME.md when somebody has called the task like its file."""
        own, other = self.results(results)
        return other if other.is_file() and not own.is_file() else own

    def results(self, results: Path) -> tuple[Path, Path]:
        """Where its result may be."""
        return results / f"{self.name}.md", results / f"{PREFIX}{self.name}.md"


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """All tasks of a directory that could be read, in the order of their files, and what is wrong with the others."""

    directory: Path
    tasks: tuple[Task, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def results(self) -> Path:
        """Where results are."""
        return self.directory / RESULTS


def read_all(directory: Path, shown: str) -> TaskFiles:
    """Every task file of `directory`, which messages call `shown`. Raises TasksError when there is none."""
    paths = sorted((path for path in directory.glob(f"{PREFIX}*.md") if path.is_file()), key=_in_order)
    if not paths:
        what = "there is no such directory" if not directory.is_dir() else f"there is no {PREFIX}NAME.md in it"
        way_out = "make one: orchctl tasks new NAME --goal TEXT"
        raise TasksError([Problem("no-tasks", shown, 0, what, way_out)])
    tasks: list[Task] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            tasks.append(read(path, f"{shown}/{path.name}"))
        except TasksError as error:
            problems += error.problems
    return TaskFiles(directory, tuple(tasks), tuple(problems))


def _in_order(path: Path) -> list[tuple[int, str]]:
    """`subtask-2` before `subtask-10`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]+)", path.stem)]


def read(path: Path, shown: str) -> Task:
    """The task in a file. Raises TasksError with every mistake."""
    try:
        return made(path, open_file.read_file(path, follow=True).decode(), shown)
    except OSError as error:
        what, way_out = f"cannot be read: {error.strerror}", "check the path and its rights"
        raise TasksError([Problem("unreadable", shown, 0, what, way_out)]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise TasksError([Problem("not-utf-8", shown, line, "is not UTF-8", "save the file as UTF-8")]) from None


def made(path: Path, text: str, shown: str) -> Task:
    """The task that `text` is, which is, or is to be, in the file `path`. Raises TasksError with every mistake."""
    parsed = front_matter.parse(text)
    problems = [Problem("bad-front-matter", shown, *mistake) for mistake in parsed.mistakes]
    values = dict(_values(parsed, shown, {mistake.line for mistake in parsed.mistakes}, problems))
    told = {problem.line for problem in problems}
    values["name"] = plain(values.get("name") or path.stem)
    line = _line_of(parsed, "name")
    if (why := why_no_name(values["name"])) is not None and (not line or line not in told):
        problems.append(Problem("bad-name", shown, line, *why))
    body = parsed.body.strip()
    line_of_command = shlex.join(values.get("command", ()))
    values["goal"] = values.get("goal") or _first_words(body) or line_of_command[: specs.LONGEST_GOAL]
    problems += [
        Problem("bad-value", shown, _line_of(parsed, key), f"{key} says nothing to a command", "leave one of them out")
        for key in ("runner", "model")
        if values.get("command") and values.get(key)
    ]
    if not values["goal"] and not told:
        way_out = "write `goal: ...` or `command: [...]` into its front matter, or a text below"
        problems.append(Problem("no-goal", shown, 0, "says neither a goal nor anything else", way_out))
    after = values.pop("after", {})
    values["after"] = tuple(after)
    values["conditions"] = {name: how for name, how in after.items() if how != dependencies.COMPLETED}
    if problems:
        raise TasksError(sorted(problems, key=lambda problem: problem.line))
    return Task(path, body=body, lines={key: value.line for key, value in parsed.values.items()}, **values)


def _line_of(parsed: Parsed, key: str) -> int:
    return parsed.values[key].line if key in parsed.values else 0


def plain(name: str) -> str:
    """The name of a task that may be called like its file."""
    return name.removeprefix(PREFIX)


def why_no_name(name: str) -> tuple[str, str] | None:
    """What is wrong with a name and what to do; None when it is right."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST or name.endswith(".prompt"):
        way_out = "use letters, digits, `.`, `_` and `-`, a letter or digit first, at most 100 bytes, no `.prompt` last"
        return f"{name!r:.60} cannot be a name", way_out
    if _ID.fullmatch(name):
        return f"{name!r} is what agents and runs are called", "choose another name"
    return None


def _first_words(body: str) -> str:
    """The first line of the first heading or paragraph, or of what else there is."""
    if not body:
        return ""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(body)
    text = next((token.content for token in tokens if token.type == "inline" and token.content.strip()), body)
    return text.strip().splitlines()[0].strip()[: specs.LONGEST_GOAL]


def _values(parsed: Parsed, shown: str, wrong: set[int], problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """What the keys mean; mistakes go to `problems`."""
    for key, (line, value) in parsed.values.items():
        if key.startswith("x-") or line in wrong:
            continue
        if key not in KEYS:
            nearest = get_close_matches(key, KEYS, 1)
            way_out = f"did you mean `{nearest[0]}`?" if nearest else f"known are {', '.join(KEYS)}, and `x-` anything"
            problems.append(Problem("unknown-key", shown, line, f"`{key}` is no key that is known here", way_out))
        elif value != ():
            try:
                yield key, KEYS[key](key, value)
            except ValueError as error:
                message, _, way_out = str(error).partition("; ")
                problems.append(Problem("bad-value", shown, line, message, way_out or "correct it"))


def _text(key: str, value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        raise ValueError(f"{key} must be a text, not a list; write one")  # noqa: TRY004 - a mistake in a file
    return value


def _fitting(key: str, value: str | tuple[str, ...]) -> Any:
    """A text that the daemon takes for this key."""
    return _checked(key, _text(key, value))


def _number(key: str, value: str | tuple[str, ...]) -> Any:
    text = _text(key, value)
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError(f"{key}: {text!r:.60} is no whole number; write one, as in 2")
    return _checked(key, int(text))


def _checked(key: str, value: object) -> object:
    """`value`, if the daemon takes it. Raises ShapeError, which is a ValueError."""
    schema.build(specs.AgentSpec, {key: value})
    return value


def _duration(key: str, value: str | tuple[str, ...]) -> Any:
    return _with_unit(key, value, duration)


def _size(key: str, value: str | tuple[str, ...]) -> Any:
    return _with_unit(key, value, size)


def _share(key: str, value: str | tuple[str, ...]) -> Any:
    return _with_unit(key, value, share)


def _with_unit(key: str, value: str | tuple[str, ...], reads: Callable[[str], float]) -> Any:
    try:
        return _checked(key, reads(_text(key, value)))
    except schema.ShapeError:
        raise
    except ValueError as error:
        raise ValueError(f"{key}: {error}".replace(": write", "; write")) from None


def _texts(_: str, value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _words(key: str, value: str | tuple[str, ...]) -> Any:
    """A program and its arguments."""
    if isinstance(value, str):
        shown = json.dumps(value.split(), ensure_ascii=False)
        way_out = f'write each word by itself, as in {shown}, or ["sh", "-c", "..."] for a line of a shell'
        raise ValueError(f"{key} must be a list; {way_out}")  # noqa: TRY004 - a mistake in a file
    if not value[0]:
        raise ValueError(f"{key} has no program; write it first")
    return _checked(key, value)


def _dependencies(key: str, value: str | tuple[str, ...]) -> dict[str, str]:
    """The condition of each task that it comes after. Names of tasks have no colon."""
    found: dict[str, str] = {}
    for text in _texts(key, value):
        name, _, condition = plain(text).partition(":")
        condition = condition or dependencies.COMPLETED
        if condition not in dependencies.CONDITIONS:
            known = ", ".join(f"{name}:{one}" for one in dependencies.CONDITIONS)
            raise ValueError(f"{key}: {condition!r:.60} in {text!r:.160} is no condition; write {known}")
        if found.setdefault(name, condition) != condition:
            raise ValueError(f"{key}: {name!r} is given twice, with {found[name]} and {condition}; give one condition")
    return found


KEYS: dict[str, Callable[[str, str | tuple[str, ...]], Any]] = {
    "name": _text,
    "goal": _fitting,
    "skill": _fitting,
    "command": _words,
    "runner": _fitting,
    "model": _fitting,
    "after": _dependencies,
    "timeout": _duration,
    "retries": _number,
    "memory_max": _size,
    "cpu_max": _share,
    "pids_max": _number,
    "tokens": _number,
    "nesting": _number,
    "files": _texts,
}
