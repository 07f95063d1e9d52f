"""`orchctl plan`: a forecast of a composition. It never starts a daemon."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.composition import LIMIT, flatten
from orchctl.errors import NoDaemonError, UsageError
from orchctl.render.status_tree import Look
from orchctl.runs import drawing as graphs
from orchctl.runs.forecast import foretold, plan_lines
from orchctl.runs.locate import as_json, note_risks, opened
from orchctl.terminal import console, output_file
from orchd.instance.home import HomeError
from orchd.protocol.errors import WireError

_FORMS = (".svg", ".dot")
_MOST = 10_000  # names in one request
_PATIENCE = 5.0  # seconds for a daemon to answer: the plan can do without


def run(args: SimpleNamespace) -> int:
    """Print the plan, or with --graph the graph, on stdout or into a file."""
    _check(args)
    tree = opened(args.file, Path.cwd())
    flat = flatten(tree)
    names = list(dict.fromkeys(member.sub_skill.skill_name for member in flat.members))[:_MOST]
    try:
        with Client(starts=False) as client:
            answer = client.call("skills", {"names": names}, patience=_PATIENCE)
    except (NoDaemonError, HomeError, WireError):
        answer = {"skills": {}, "limit": {"limit": LIMIT}}
        if args.limit is None:
            console.warn(f"no daemon is running: assuming limit {LIMIT}; durations of skills are unknown")
    seconds = {name: skill["seconds"] for name, skill in answer["skills"].items()}
    plan = foretold(tree, seconds=seconds, limit=args.limit or answer["limit"]["limit"])
    plan["warnings"] = [as_json(problem) for problem in note_risks(tree)]
    if args.graph:
        drawing = graphs.drawing(flat, plan["critical_path"])
        if args.out is None:
            graph = {node: list(after) for node, after in drawing.graph.items()}
            look = Look(is_plain=not console.can_show("├─└│"))
            console.result({"graph": graph}, graphs.text_lines(drawing, look), as_json=args.json)
            return exit_codes.OK
        picture = graphs.svg(drawing) if args.out.endswith(".svg") else graphs.dot(drawing)
        output_file.write(args.out, picture, errors="replace")
        console.warn(f"wrote {args.out}")
        if not args.json:
            return exit_codes.OK
    console.result(plan, plan_lines(plan, "→" if console.can_show("→") else "->"), as_json=args.json)
    return exit_codes.OK


def _check(args: SimpleNamespace) -> None:
    """Raise UsageError for options that contradict each other."""
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit must be 1 or more, not {args.limit}")
    if args.out is None:
        return
    if not args.graph:
        raise UsageError(f"{args.out!r} is an output file: use `--graph {args.out}` to write the graph there")
    if not args.out.endswith(_FORMS):
        raise UsageError(f"{args.out!r} is not a .svg or .dot file: use `orchctl plan FILE --graph OUT.svg`")
