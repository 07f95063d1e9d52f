"""`orchctl tasks new|list|check`: create, list and validate task files."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.errors import RefusedError, UsageError
from orchctl.render import text as render
from orchctl.tasks import task_file
from orchctl.tasks.directory import load, opened, place, standing_anyway
from orchctl.tasks.front_matter import written
from orchctl.tasks.problems import TaskProblem, TasksError
from orchctl.tasks.prompts import skeleton
from orchctl.tasks.task_file import PREFIX, RESULTS, plain
from orchctl.terminal import console

_SHOWN = 20  # errors, without --all
_GIVEN = ("goal", "skill", "runner", "model", "after", "timeout", "retries")


def new(args: SimpleNamespace) -> int:
    """Write a task file and print its path."""
    name = plain(args.name)
    if (why := task_file.why_no_name(name)) is not None:
        raise UsageError("; ".join(why), code="bad-name")
    if not args.goal:
        raise UsageError(f"{name} has no goal: orchctl tasks new {name} --goal TEXT")
    where = place(args.dir)
    path = where.path / f"{PREFIX}{name}.md"
    given = {key: getattr(args, key) for key in _GIVEN if getattr(args, key)}
    result = f"{where.shown}/{RESULTS}/{name}.md"
    body = skeleton(name, args.goal, result) if args.body is None else _body(args.body)
    text = f"{written({'name': name, **given})}\n{body}"
    try:
        task_file.parse(path, text, path.name)
        data = text.encode()
    except UnicodeEncodeError:
        what = f"the file contains the path of its result, and {where.shown!r} is not UTF-8; rename it, or give --body"
        raise UsageError(what, code="not-utf-8") from None
    except TasksError as error:
        raise UsageError("; ".join((error.problems[0].message, error.problems[0].way_out))) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        what = f"{where.shown}/{path.name} already exists; edit it, or choose a name other than {name!r}"
        raise RefusedError(what, code="exists") from None
    except OSError as error:
        if error.filename is None:  # the file was created, and has no room
            path.unlink(missing_ok=True)
            error.filename = str(path)
        raise
    console.result({"name": name, "path": str(path)}, [f"{where.shown}/{path.name}"], as_json=args.json)
    return exit_codes.OK


def _body(source: str) -> str:
    """Return the text of the file `source`, or of stdin for `-`. Raises UsageError."""
    title = "stdin" if source == "-" else source
    try:
        return (sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()).decode()
    except OSError as error:
        raise UsageError(f"--body: {title} cannot be read: {error.strerror}; check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"--body: {title} is not UTF-8; save it as UTF-8") from None


def show(args: SimpleNamespace) -> int:
    """Print a line for each task: its name, its state, the tasks that it comes after, its goal."""
    where = place(args.directory)
    tasks = opened(where, ignored=("not-independent",))
    states = standing_anyway(tasks, where)
    maps = []
    rows = []
    for task in tasks:
        state = states[task.name]
        known = asdict(task)
        del known["lines"], known["body"]
        paths = {"path": str(task.path), "result": str(task.result(where.path / RESULTS))}
        agent = state.agent["id"] if state.agent else None
        maps.append({**known, **paths, "state": state.word, "reason": state.why or None, "agent": agent})
        after = f"after {', '.join(task.dependencies)}" if task.after else ""
        rows.append([task.name, state.summary(), after, task.goal])
    lines = [render.clean_line(line) for line in render.aligned(render.filled(rows))]
    console.result({"tasks": maps}, lines, as_json=args.json)
    return exit_codes.OK


def check(args: SimpleNamespace) -> int:
    """Print every error of the files, alone and together, and every warning; exit code 1 when there is an error."""
    from orchctl.skills import find as skills

    where = place(args.directory)
    read, problems = load(where)
    places = skills.places(Path.cwd())
    way_out = "`orchctl skill list` shows available skills; ignore this if the agent's CLI has a skill of this name"
    warnings = [
        TaskProblem(
            "unknown-skill", where.file(task), task.lines.get("skill", 0), f"unknown skill {task.skill!r}", way_out
        )
        for task in read.tasks
        if task.skill and skills.find(task.skill, places) is None
    ]
    value = {
        "valid": not problems,
        "errors": [asdict(problem) for problem in problems],
        "warnings": [asdict(problem) for problem in warnings],
    }
    listed = problems if args.all else problems[:_SHOWN]
    lines = [f"error: {problem}" for problem in listed]
    if len(problems) > len(listed):
        lines.append(f"and {len(problems) - len(listed):,} more errors: --all shows them")
    lines += [f"warning: {problem}" for problem in warnings]
    count = f"{len(read.tasks)} tasks" if len(read.tasks) != 1 else "1 task"
    lines.append(f"{count}, errors: {len(problems):,}" if problems else f"{count}, all valid")
    console.result(value, map(render.clean_line, lines), as_json=args.json)
    return exit_codes.REFUSED if problems else exit_codes.OK
