"""Draws graphs of compositions as text, DOT and SVG. A nested composition begins at `web/` and ends at `web`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from orchctl.composition import Flat, levels
from orchctl.render import text as render
from orchctl.render.status_tree import Look
from orchctl.render.svg import add, picture, written
from orchctl.timeline.palette import sheet

_BOX, _JOINT, _GAP = 34, 10, 18  # heights of a member and of a joint, and the room between two
_CHARACTER, _PADDING, _COLUMNS = 7.4, 14, 70  # widths: of a letter, beside a name, between two columns
_LONGEST = 40  # letters of a name that is shown
_RULES = (
    "text{font:13px ui-monospace,monospace;text-anchor:middle;dominant-baseline:central}"
    "path{fill:none;stroke-width:1.5}.critical{stroke-width:2.5}"
)


def _colours(shades: Mapping[str, str]) -> str:
    """Return the CSS rules for the colours of a palette."""
    return (
        f"svg{{background:{shades['paper']}}}text{{fill:{shades['ink']}}}"
        f"rect{{fill:{shades['lane']};stroke:{shades['cut']}}}path{{stroke:{shades['faint']}}}"
        f"circle{{fill:{shades['faint']}}}.critical{{stroke:{shades['queue']}}}"
    )


class Drawing(NamedTuple):
    """A graph to draw, its nodes that are not members, and the nodes on the critical path."""

    graph: Mapping[str, Sequence[str]]
    joints: Collection[str] = ()
    critical: Collection[str] = ()


def drawing(flat: Flat, critical: Collection[str]) -> Drawing:
    """Return the drawing of a run."""
    return Drawing(flat.graph(), flat.joints(), critical)


def text_lines(drawn: Drawing, look: Look) -> Iterator[str]:
    """Yield a tree: each node under the last of its dependencies, followed by its other dependencies."""
    order = [node for group in levels(drawn.graph) for node in group]
    place = {node: index for index, node in enumerate(order)}
    under: dict[str | None, list[str]] = {}
    for node in reversed(order):
        last = max(drawn.graph[node], key=place.__getitem__, default=None)
        under.setdefault(last, []).append(node)
    beside, end, below, nothing = look.branches
    pending = [("", "", node) for node in under.get(None, [])]
    while pending:
        before, indent, node = pending.pop()
        others = sorted(drawn.graph[node], key=place.__getitem__)[:-1]
        also = f"  (also after {', '.join(others)})" if others else ""
        mark = "  *" if node in drawn.critical else ""
        yield render.clean_line(f"{before}{node}{also}{mark}")
        children = under.get(node, [])  # in reverse, as the stack needs them
        for index, child in enumerate(children):
            branch, deeper = (end, nothing) if index == 0 else (beside, below)
            pending.append((indent + branch, indent + deeper, child))


def dot(drawn: Drawing) -> str:
    """Return the graph for Graphviz."""
    lines = ["digraph composition {", "  rankdir=LR; node [shape=box];"]
    for node in drawn.graph:
        shape = " [shape=point]" if node in drawn.joints else ""
        critical = " [color=orangered, penwidth=2]" if node in drawn.critical else ""
        lines.append(f"  {_quoted(node)}{shape}{critical};")
    for node, dependencies in drawn.graph.items():
        lines += [f"  {_quoted(dependency)} -> {_quoted(node)};" for dependency in dependencies]
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Spot(NamedTuple):
    left: float
    right: float
    middle: float  # of its height


def svg(drawn: Drawing) -> str:
    """Return the graph as a picture with a column for each group, readable on light and on dark pages."""
    groups = levels(drawn.graph)
    widths = [max(_width(drawn, node) for node in group) for group in groups]
    heights = [sum(_height(drawn, node) + _GAP for node in group) + _GAP for group in groups]
    width, height = round(sum(widths) + _COLUMNS * len(widths)), max(heights, default=_GAP)
    spots: dict[str, _Spot] = {}
    left = _COLUMNS / 2
    for group, column, used in zip(groups, widths, heights, strict=True):
        center, top = left + column / 2, (height - used) / 2 + _GAP
        for node in group:
            half = _width(drawn, node) / 2
            spots[node] = _Spot(center - half, center + half, top + _height(drawn, node) / 2)
            top += _height(drawn, node) + _GAP
        left += column + _COLUMNS
    root = picture(width, height, sheet(_RULES, _colours))
    critical = set(drawn.critical)
    for node, dependencies in drawn.graph.items():
        for dependency in dependencies:
            start, end = spots[dependency], spots[node]
            bend = (end.left - start.right) / 2
            curve = (
                f"M{start.right:.1f} {start.middle:.1f} C{start.right + bend:.1f} {start.middle:.1f} "
                f"{end.left - bend:.1f} {end.middle:.1f} {end.left:.1f} {end.middle:.1f}"
            )
            add(root, "path", class_="critical" if {dependency, node} <= critical else "", d=curve)
    for node, spot in spots.items():
        center = (spot.left + spot.right) / 2
        if node in drawn.joints:
            joint = add(root, "circle", cx=center, cy=spot.middle, r=_JOINT / 2)
            add(joint, "title", node)
            continue
        box = add(root, "g")
        add(box, "title", node)
        top, wide = spot.middle - _BOX / 2, spot.right - spot.left
        kind = "critical" if node in critical else ""
        add(box, "rect", class_=kind, x=spot.left, y=top, rx=6, width=wide, height=_BOX)
        add(box, "text", _label(node), x=center, y=spot.middle)
    return written(root)


def _label(node: str) -> str:
    return render.fitted(render.clean(node), _LONGEST, "…")


def _width(drawn: Drawing, node: str) -> float:
    return _JOINT if node in drawn.joints else render.columns(_label(node)) * _CHARACTER + 2 * _PADDING


def _height(drawn: Drawing, node: str) -> int:
    return _JOINT if node in drawn.joints else _BOX
