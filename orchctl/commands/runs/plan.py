"""`orchctl plan`: what can be foretold of a composition. A daemon is asked when one runs; none is started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.composition import LIMIT, Flat, flatten
from orchctl.errors import NoDaemonError, UsageError
from orchctl.render.status_tree import Look
from orchctl.runs import drawing as graphs
from orchctl.runs.forecast import foretold, plan_lines
from orchctl.runs.locate import as_json, note_risks, opened
from orchctl.terminal import console
from orchd.instance.home import HomeError
from orchd.protocol.errors import WireError

_FORMS = (".svg", ".dot")
_MOST = 10_000  # names in one request
_PATIENCE = 5.0  # seconds for a daemon to say what it knows: the plan can do without


def run(args: SimpleNamespace) -> int:
    """Print the plan, or with --graph the graph, on stdout or into a file."""
    _check(args)
    tree = opened(args.file, Path.cwd())
    flat = flatten(tree)
    known = _known(flat)
    if known is None and args.limit is None:
        console.warn(f"no daemon answers: limit {LIMIT} is assumed, and nothing is known of how long skills take")
    seconds, limit = known or ({}, LIMIT)
    plan = foretold(tree, seconds=seconds, limit=args.limit or limit)
    plan["warnings"] = [as_json(problem) for problem in note_risks(tree)]
    if args.graph:
        _draw(args, graphs.drawing(flat, plan["critical_path"]))
        if not (args.json and args.out):
            return exit_codes.OK
    console.result(plan, plan_lines(plan, "→" if console.can_show("→") else "->"), as_json=args.json)
    return exit_codes.OK


def _check(args: SimpleNamespace) -> None:
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit}: it must be 1 or more")
    if args.out is None:
        return
    if not args.graph:
        raise UsageError(f"{args.out!r}: two files; `--graph {args.out}` writes the graph there")
    if not args.out.endswith(_FORMS):
        raise UsageError(f"{args.out!r} is no .svg or .dot file: `orchctl plan FILE --graph OUT.svg`")


def _known(flat: Flat) -> tuple[dict[str, float], int] | None:
    """The seconds that skills took, and the limit; None when no daemon answers."""
    names = list(dict.fromkeys(one.sub_skill.skill_name for one in flat.members))[:_MOST]
    try:
        with Client(starts=False) as client:
            answer = client.call("skills", {"names": names}, patience=_PATIENCE)
    except (NoDaemonError, HomeError, WireError):
        return None
    return {name: one["seconds"] for name, one in answer["skills"].items()}, answer["limit"]["limit"]


def _draw(args: SimpleNamespace, drawn: graphs.Drawing) -> None:
    if args.out is not None:
        text = graphs.svg(drawn) if args.out.endswith(".svg") else graphs.dot(drawn)
        Path(args.out).write_text(text, encoding="utf-8", errors="replace")
        console.warn(f"wrote {args.out}")
        return
    value: dict[str, Any] = {"graph": {node: list(after) for node, after in drawn.graph.items()}}
    look = Look(is_plain=not console.can_show("├─└│"))
    console.result(value, graphs.text_lines(drawn, look), as_json=args.json)
