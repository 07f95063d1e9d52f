"""`orchctl tasks merge`: merge the results of all tasks into one document. It never starts a daemon."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.errors import UsageError
from orchctl.render import text as render
from orchctl.tasks.directory import opened, place, standing_anyway
from orchctl.tasks.merge import merged
from orchctl.tasks.task_file import RESULTS
from orchctl.terminal import console, output_file


def run(args: SimpleNamespace) -> int:
    """Print the document, or write it to --out; exit code 1 when a result is missing."""
    where = place(args.directory)
    tasks = opened(where, ignored=("not-independent",))
    if args.out is not None:
        # a file that is to be read must not be written over
        files = [path for task in tasks for path in (task.path, *task.results(where.path / RESULTS))]
        if (Path.cwd() / args.out).resolve() in {path.resolve() for path in files}:
            raise UsageError(f"--out {args.out!r} is a task or a result itself; choose another file")
    document = merged(tasks, standing_anyway(tasks, where), where.path / RESULTS)
    if args.out is not None:
        output_file.write(args.out, document.text)
    value = {
        "tasks": [task.name for task in tasks],
        "lacking": dict(document.lacking),
        "outdated": dict(document.outdated),
        "out": None if args.out is None else str(Path.cwd() / args.out),
        "text": document.text if args.out is None else None,
    }
    lines = document.text.rstrip("\n").split("\n") if args.out is None else [args.out]
    # a terminal might obey what is not printable
    harmless = ("".join(char if char.isprintable() or char == "\t" else "?" for char in line) for line in lines)
    console.result(value, harmless, as_json=args.json)
    if not args.json:
        for name, why in {**document.outdated, **document.lacking}.items():
            verb = "is" if name in document.lacking else "may be outdated:"
            console.warn(render.clean_line(f"{name} {verb} {why}"))
    return exit_codes.REFUSED if document.lacking else exit_codes.OK
