"""Task files: `subtask-NAME.md`, the keys of its front matter, and the prompt below it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from orchctl.tasks import front_matter
from orchctl.tasks.front_matter import FrontMatter
from orchctl.tasks.problems import TaskProblem, TasksError
from orchd.instance.system import open_file
from orchd.protocol import bounds, dependencies, schema, specs
from orchd.protocol.durations import duration
from orchd.protocol.sizes import share, size

DIRECTORY = "docs/tasks"
PREFIX = "subtask-"
RESULTS = "results"

_NAME = re.compile(r"[^\W_][\w.-]*")  # of letters and digits of any script; it becomes part of file names
_ID = re.compile(r"(agent|run)-\d+", re.ASCII)
_LONGEST = 100  # bytes


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A task as its file defines it: `timeout` in seconds, `memory_max` in bytes, the lines of its keys in `lines`."""

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
    files: tuple[str, ...] = ()  # paths and globs that the task writes to
    body: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    command: tuple[str, ...] = ()  # run instead of a runner

    def condition(self, name: str) -> str:
        """Return how the task `name` in `after` must end for this task to start."""
        return self.conditions.get(name, dependencies.COMPLETED)

    @property
    def dependencies(self) -> list[str]:
        """Return `after` as it is written, with conditions."""
        return [f"{name}:{how}" if (how := self.conditions.get(name)) else name for name in self.after]

    def result(self, results: Path) -> Path:
        """Return its file in `results`: NAME.md, or subtask-NAME.md when a person named the task after its file."""
        own, other = self.results(results)
        return other if other.is_file() and not own.is_file() else own

    def results(self, results: Path) -> tuple[Path, Path]:
        """Return both paths where its result may be."""
        return results / f"{self.name}.md", results / f"{PREFIX}{self.name}.md"


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """All tasks of a directory that could be read, in the order of their files, and the problems of the others."""

    directory: Path
    tasks: tuple[TaskFile, ...] = ()
    problems: tuple[TaskProblem, ...] = ()

    @property
    def results(self) -> Path:
        """The directory of results."""
        return self.directory / RESULTS


def read_all(directory: Path, name: str) -> TaskFiles:
    """Read every task file of `directory`, named `name` in messages. Raises TasksError when there is none."""
    by_number = re.compile(r"([0-9]+)")  # `subtask-2` stands before `subtask-10`
    paths = sorted(
        (path for path in directory.glob(f"{PREFIX}*.md") if path.is_file()),
        key=lambda path: [(int(part), "") if part.isdecimal() else (0, part) for part in by_number.split(path.stem)],
    )
    if not paths:
        what = "no such directory" if not directory.is_dir() else f"contains no {PREFIX}NAME.md"
        way_out = "create a task: orchctl tasks new NAME --goal TEXT"
        raise TasksError([TaskProblem("no-tasks", name, 0, what, way_out)])
    tasks: list[TaskFile] = []
    problems: list[TaskProblem] = []
    for path in paths:
        try:
            tasks.append(read(path, f"{name}/{path.name}"))
        except TasksError as error:
            problems += error.problems
    return TaskFiles(directory, tuple(tasks), tuple(problems))


def read(path: Path, file: str) -> TaskFile:
    """Read a task file. Raises TasksError with every mistake."""
    try:
        return parse(path, open_file.read_file(path, follow=True).decode(), file)
    except OSError as error:
        what, way_out = f"cannot be read: {error.strerror}", "check the path and its permissions"
        raise TasksError([TaskProblem("unreadable", file, 0, what, way_out)]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise TasksError([TaskProblem("not-utf-8", file, line, "is not UTF-8", "save the file as UTF-8")]) from None


def parse(path: Path, text: str, file: str) -> TaskFile:
    """Return the task in `text`, the contents of the file `path`. Raises TasksError with every mistake.

    `file` is the name of the file in messages.
    """
    parsed = front_matter.parse(text)
    problems = [TaskProblem("bad-front-matter", file, *mistake) for mistake in parsed.mistakes]
    values = dict(_values(parsed, file, {mistake.line for mistake in parsed.mistakes}, problems))
    lines_in_error = {problem.line for problem in problems}
    values["name"] = plain(values.get("name") or path.stem)
    line = _line_of(parsed, "name")
    if (why := why_no_name(values["name"])) is not None and (not line or line not in lines_in_error):
        problems.append(TaskProblem("bad-name", file, line, *why))
    body = parsed.body.strip()
    command_line = shlex.join(values.get("command", ()))
    values["goal"] = values.get("goal") or _first_words(body) or command_line[: bounds.LONGEST_GOAL]
    problems += [
        TaskProblem("bad-value", file, _line_of(parsed, key), f"{key} has no effect on a command", "remove one of them")
        for key in ("runner", "model")
        if values.get("command") and values.get(key)
    ]
    if not values["goal"] and not lines_in_error:
        way_out = "add `goal: ...` or `command: [...]` to its front matter, or text below it"
        problems.append(TaskProblem("no-goal", file, 0, "has no goal, command or text", way_out))
    after = values.pop("after", {})
    values["after"] = tuple(after)
    values["conditions"] = {name: how for name, how in after.items() if how != dependencies.COMPLETED}
    if problems:
        raise TasksError(sorted(problems, key=lambda problem: problem.line))
    return TaskFile(path, body=body, lines={key: value.line for key, value in parsed.values.items()}, **values)


def _line_of(parsed: FrontMatter, key: str) -> int:
    return parsed.values[key].line if key in parsed.values else 0


def plain(name: str) -> str:
    """Return the name of a task without the prefix of its file."""
    return name.removeprefix(PREFIX)


def why_no_name(name: str) -> tuple[str, str] | None:
    """Return why a name is invalid and the fix; None when it is valid."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST or name.endswith(".prompt"):
        way_out = "use letters, digits, `.`, `_` and `-`, a letter or digit first, at most 100 bytes, no `.prompt` last"
        return f"{name!r:.60} is not a valid name", way_out
    if _ID.fullmatch(name):
        return f"{name!r} is reserved for ids of agents and runs", "choose another name"
    return None


def _first_words(body: str) -> str:
    """Return the first line of the first heading or paragraph, or of the text."""
    if not body:
        return ""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(body)
    text = next((token.content for token in tokens if token.type == "inline" and token.content.strip()), body)
    return text.strip().splitlines()[0].strip()[: bounds.LONGEST_GOAL]


def _values(parsed: FrontMatter, file: str, wrong: set[int], problems: list[TaskProblem]) -> Iterator[tuple[str, Any]]:
    """Yield the parsed values of keys; mistakes go to `problems`."""
    for key, (line, value) in parsed.values.items():
        if key.startswith("x-") or line in wrong:
            continue
        if key not in KEYS:
            nearest = get_close_matches(key, KEYS, 1)
            way_out = (
                f"did you mean `{nearest[0]}`?"
                if nearest
                else f"known keys: {', '.join(KEYS)}, and any key that begins with `x-`"
            )
            problems.append(TaskProblem("unknown-key", file, line, f"unknown key `{key}`", way_out))
        elif value != ():
            try:
                yield key, KEYS[key](key, value)
            except ValueError as error:
                message, _, way_out = str(error).partition("; ")
                problems.append(TaskProblem("bad-value", file, line, message, way_out or "correct it"))


def _text(key: str, value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        raise ValueError(f"{key} must be a string, not a list; write one string")  # noqa: TRY004 - a mistake in a file
    return value


def _fitting(key: str, value: str | tuple[str, ...]) -> Any:
    """Return a value that the daemon accepts for this key."""
    return _checked(key, _text(key, value))


def _number(key: str, value: str | tuple[str, ...]) -> Any:
    text = _text(key, value)
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError(f"{key}: {text!r:.60} is not a valid integer; write e.g. 2")
    return _checked(key, int(text))


def _checked(key: str, value: object) -> object:
    """Return `value` if the daemon accepts it. Raises ShapeError, which is a ValueError."""
    schema.parse(specs.AgentSpec, {key: value})
    return value


def _with_unit(parse: Callable[[str], float], key: str, value: str | tuple[str, ...]) -> Any:
    try:
        return _checked(key, parse(_text(key, value)))
    except schema.ShapeError:
        raise
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _texts(_: str, value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _words(key: str, value: str | tuple[str, ...]) -> Any:
    """Return a program and its arguments."""
    if isinstance(value, str):
        example = json.dumps(value.split(), ensure_ascii=False)
        way_out = f'write each word separately, e.g. {example}, or ["sh", "-c", "..."] for a shell command line'
        raise ValueError(f"{key} must be a list; {way_out}")  # noqa: TRY004 - a mistake in a file
    if not value[0]:
        raise ValueError(f"{key} has no program; write the program first")
    return _checked(key, value)


def _dependencies(key: str, value: str | tuple[str, ...]) -> dict[str, str]:
    """Return the condition of each dependency. Names of tasks have no colon."""
    conditions: dict[str, str] = {}
    for text in _texts(key, value):
        name, _, condition = plain(text).partition(":")
        condition = condition or dependencies.COMPLETED
        if condition not in dependencies.CONDITIONS:
            known = ", ".join(f"{name}:{allowed}" for allowed in dependencies.CONDITIONS)
            raise ValueError(f"{key}: {condition!r:.60} in {text!r:.160} is not a valid condition; write {known}")
        if conditions.setdefault(name, condition) != condition:
            raise ValueError(
                f"{key}: {name!r} is given twice, with {conditions[name]} and {condition}; keep one of them"
            )
    return conditions


KEYS: dict[str, Callable[[str, str | tuple[str, ...]], Any]] = {
    "name": _text,
    "goal": _fitting,
    "skill": _fitting,
    "command": _words,
    "runner": _fitting,
    "model": _fitting,
    "after": _dependencies,
    "timeout": partial(_with_unit, duration),
    "retries": _number,
    "memory_max": partial(_with_unit, size),
    "cpu_max": partial(_with_unit, share),
    "pids_max": _number,
    "tokens": _number,
    "nesting": _number,
    "files": _texts,
}
