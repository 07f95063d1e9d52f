"""`orchctl tasks merge`: one document out of all results. A daemon is asked when one runs; none is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.errors import UsageError
from orchctl.render import text as render
from orchctl.tasks.directory import Place, opened, place, standing_anyway
from orchctl.tasks.merge import merged
from orchctl.tasks.task_file import RESULTS, TaskFile
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the document, or write it to --out; exit code 1 when a result lacks."""
    where = place(args.directory)
    tasks = opened(where, ignored=("not-independent",))
    if args.out is not None:
        _check(args.out, tasks, where)
    made = merged(tasks, standing_anyway(tasks, where), where.path / RESULTS)
    if args.out is not None:
        Path(args.out).write_text(made.text, encoding="utf-8")
    value = {
        "tasks": [task.name for task in tasks],
        "lacking": dict(made.lacking),
        "outdated": dict(made.outdated),
        "out": None if args.out is None else str(Path.cwd() / args.out),
        "text": made.text if args.out is None else None,
    }
    shown = made.text.rstrip("\n").split("\n") if args.out is None else [args.out]
    console.result(value, map(_shown, shown), as_json=args.json)
    if not args.json:
        for name, why in {**made.outdated, **made.lacking}.items():
            console.warn(render.clean_line(f"{name} is {why}" if name in made.lacking else f"{name} may be old: {why}"))
    return exit_codes.REFUSED if made.lacking else exit_codes.OK


def _shown(line: str) -> str:
    """A line as it is, but for what a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in line)


def _check(path: str, tasks: Sequence[TaskFile], where: Place) -> None:
    """Whatever is to be read must not be written over."""
    wanted = (Path.cwd() / path).resolve()
    results = where.path / RESULTS
    if wanted in {one.resolve() for task in tasks for one in (task.path, *task.results(results))}:
        raise UsageError(f"--out {path!r} is a task or a result itself; choose another file")
