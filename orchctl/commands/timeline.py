"""`orchctl timeline`: what was at work when, as a picture. It never starts a daemon."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from orchctl import exits, out
from orchctl.client import Client
from orchctl.errors import UsageError

if TYPE_CHECKING:
    from orchctl.gantt import Numbers

_KINDS = (".svg", ".html")


def run(args: SimpleNamespace) -> int:
    """Write the picture to the file, or as SVG to stdout; with `--json` print what it shows in short."""
    check(args.out)
    with Client(starts=False) as client:
        known, picture = drawn(client, args.id, args.out)
    if args.out is None and not args.json:
        out.put(picture)
        return exits.OK
    answer = {"file": args.out, **known._asdict()}
    out.result(answer, [f"{args.out}: {known.agents} agents, {known.attempts} attempts"], as_json=args.json)
    return exits.OK


def check(name: str | None) -> None:
    """Raises UsageError for a file that can be no timeline."""
    if name is not None and Path(name).suffix not in _KINDS:
        raise UsageError(f"{name}: a timeline is {' or '.join(_KINDS)}, and the ending of its name says which")


def drawn(client: Client, one: str | None, name: str | None) -> tuple[Numbers, str]:
    """The history of `one`, or all of it, in short and as a picture, which is written to `name` if there is one."""
    from orchctl import gantt
    from orchctl.telling import told

    history = told(client, one, time.clock_gettime(time.CLOCK_REALTIME))
    picture = gantt.html(history) if name is not None and name.endswith(".html") else gantt.svg(history)
    if name is not None:
        Path(name).write_text(picture, encoding="utf-8")
    return gantt.numbers(history), picture
