"""`orchctl timeline`: draw agents over time. It never starts a daemon."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.commands.spec import unix_time
from orchctl.errors import UsageError
from orchctl.terminal import console, output_file

if TYPE_CHECKING:
    from orchctl.timeline.summary import History

_FORMATS = {"svg": ".svg", "html": ".html", "text": ".txt"}
FORMATS = tuple(_FORMATS)
_SUFFIXES = ", ".join(_FORMATS.values())
_WIDTH = 100  # columns of a text chart that no terminal shows


def run(args: SimpleNamespace) -> int:
    """Write the timeline to the file or to stdout; with `--json` print its numbers."""
    if args.out == "-":
        if args.json:
            raise UsageError("-o -: --json prints to stdout too; choose one of them")
        args.out = None
    from orchctl.timeline import summary
    from orchctl.timeline.data import history_of

    kind = chosen(args.out, args.format)
    now = time.clock_gettime(time.CLOCK_REALTIME)
    with Client(starts=False) as client:
        since = None if args.since is None else unix_time(args.since, now)
        history = history_of(client, args.id, now, since)._replace(folds=not args.no_fold)
    if args.out is None and not args.json:
        console.put(_drawing(history, kind or ("text" if console.is_terminal() else "svg"), is_shown=True))
        return exit_codes.OK
    if args.out is not None:
        output_file.write(args.out, _drawing(history, kind or "svg"))
    gaps = [
        {"begin": _iso(begin), "end": _iso(end), "seconds": round(end - begin, 3)}
        for begin, end in summary.gaps(history)
    ]
    answer: dict[str, Any] = {"file": args.out, **summary.numbers(history)._asdict(), "gaps": gaps}
    lines = [f"{args.out}: {answer['agents']} agents, {answer['attempts']} attempts"]
    console.result(answer, lines, as_json=args.json)
    return exit_codes.OK


def chosen(name: str | None, kind: str | None) -> str | None:
    """Return the format from `--format` or the suffix of the file. Raises UsageError for an unknown format."""
    if kind is not None and kind not in _FORMATS:
        raise UsageError(f"--format: {kind!r} is not a valid format; use {', '.join(_FORMATS)}")
    if name is None:
        return kind
    by_name = next((known for known, suffix in _FORMATS.items() if suffix == Path(name).suffix), None)
    if by_name is None and kind is None:
        raise UsageError(f"-o: {name}: unknown suffix; use {_SUFFIXES}, or add --format")
    if None not in (by_name, kind) and by_name != kind:
        raise UsageError(
            f"--format {kind} and -o {name} contradict each other; leave --format out, or change the suffix"
        )
    return kind or by_name


def check(flag: str, name: str | None) -> None:
    """Raise UsageError for the value of an option whose suffix is not a format."""
    if name == "-":
        raise UsageError(f"{flag} -: give a file name; `orchctl timeline` writes to stdout")
    if name is not None and Path(name).suffix not in _FORMATS.values():
        raise UsageError(f"{flag}: {name}: unknown suffix; use {_SUFFIXES}")


def write(client: Client, name: str) -> None:
    """Write the timeline of all agents to the file."""
    from orchctl.timeline.data import history_of

    history = history_of(client, None, time.clock_gettime(time.CLOCK_REALTIME))
    output_file.write(name, _drawing(history, chosen(name, None) or "svg"))


def _drawing(history: History, kind: str, *, is_shown: bool = False) -> str:
    if kind == "html":
        from orchctl.timeline import page

        return page.html(history)
    if kind == "svg":
        from orchctl.timeline import chart as gantt

        return gantt.svg(history)
    from orchctl.render.status_tree import Look
    from orchctl.timeline import text_chart

    look, most = Look(_WIDTH), None
    if is_shown:
        look = Look(console.width() or _WIDTH, console.has_colours(), not console.can_show(text_chart.CHARACTERS))
        most = text_chart.MOST
    return "".join(f"{line}\n" for line in text_chart.chart(history, look, most))


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
