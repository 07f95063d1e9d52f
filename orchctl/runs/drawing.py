"""Graphs of compositions as text, as DOT and as SVG. A nested composition begins at `web/` and ends at `web`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from orchctl.composition import Flat, levels
from orchctl.render import text as render
from orchctl.render.status_tree import Look

_BOX, _JOINT, _GAP = 34, 10, 18  # heights of a member and of a joint, and the room between two
_CHARACTER, _PADDING, _COLUMNS = 7.4, 14, 70  # widths: of a letter, beside a name, between two columns
_LONGEST = 40  # letters of a name that is shown
_STYLE = """
svg { background: #fff; font: 13px ui-monospace, monospace }
rect { fill: #f6f8fa; stroke: #57606a } text { fill: #1f2328; text-anchor: middle; dominant-baseline: central }
path { fill: none; stroke: #8c959f; stroke-width: 1.5 } circle { fill: #8c959f }
.critical { stroke: #bc4c00; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117 } rect { fill: #161b22; stroke: #8b949e } text { fill: #e6edf3 }
  path { stroke: #6e7681 } circle { fill: #6e7681 } .critical { stroke: #f0883e }
}"""


class Drawing(NamedTuple):
    """What is drawn: a graph, its nodes that are no members, and those on the critical path."""

    graph: Mapping[str, Sequence[str]]
    joints: Collection[str] = ()
    critical: Collection[str] = ()


def drawing(flat: Flat, critical: Collection[str]) -> Drawing:
    """A run's graph."""
    return Drawing(flat.graph(), flat.joints(), critical)


def text_lines(drawn: Drawing, look: Look) -> Iterator[str]:
    """A tree: each node under the last of its dependencies; behind it the others that it comes after too."""
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
        yield render.clean_line(f"{before}{node}{_others(drawn, node, place)}{_mark(drawn, node)}")
        children = under.get(node, [])  # last one first, as the stack wants them
        for index, child in enumerate(children):
            branch, deeper = (end, nothing) if index == 0 else (beside, below)
            pending.append((indent + branch, indent + deeper, child))


def _others(drawn: Drawing, node: str, place: Mapping[str, int]) -> str:
    others = sorted(drawn.graph[node], key=place.__getitem__)[:-1]
    return f"  (also after {', '.join(others)})" if others else ""


def _mark(drawn: Drawing, node: str) -> str:
    return "  *" if node in drawn.critical else ""


def dot(drawn: Drawing) -> str:
    """The graph for Graphviz."""
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
    """The graph as a picture, a column for each group, readable on light and on dark pages."""
    groups = levels(drawn.graph)
    widths = [max(_width(drawn, node) for node in group) for group in groups]
    heights = [sum(_height(drawn, node) + _GAP for node in group) + _GAP for group in groups]
    width, height = round(sum(widths) + _COLUMNS * len(widths)), max(heights, default=_GAP)
    spots: dict[str, _Spot] = {}
    left = _COLUMNS / 2
    for group, column, used in zip(groups, widths, heights, strict=True):
        spots.update(_column(drawn, group, left + column / 2, (height - used) / 2 + _GAP))
        left += column + _COLUMNS
    edges = [_edge(drawn, spots, before, node) for node in drawn.graph for before in drawn.graph[node]]
    nodes = [_node(drawn, node, spot) for node, spot in spots.items()]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return "\n".join([head, f"<style>{_STYLE}\n</style>", *edges, *nodes, "</svg>", ""])


def _column(drawn: Drawing, group: Sequence[str], center: float, top: float) -> Iterator[tuple[str, _Spot]]:
    for node in group:
        half = _width(drawn, node) / 2
        yield node, _Spot(center - half, center + half, top + _height(drawn, node) / 2)
        top += _height(drawn, node) + _GAP


def _label(node: str) -> str:
    return render.fitted(render.clean(node), _LONGEST, "…")


def _width(drawn: Drawing, node: str) -> float:
    return _JOINT if node in drawn.joints else render.columns(_label(node)) * _CHARACTER + 2 * _PADDING


def _height(drawn: Drawing, node: str) -> int:
    return _JOINT if node in drawn.joints else _BOX


def _edge(drawn: Drawing, spots: Mapping[str, _Spot], before: str, node: str) -> str:
    start, end = spots[before], spots[node]
    bend = (end.left - start.right) / 2
    critical = ' class="critical"' if {before, node} <= set(drawn.critical) else ""
    return (
        f'<path{critical} d="M{start.right:.1f} {start.middle:.1f} C{start.right + bend:.1f} {start.middle:.1f} '
        f'{end.left - bend:.1f} {end.middle:.1f} {end.left:.1f} {end.middle:.1f}"/>'
    )


def _node(drawn: Drawing, node: str, spot: _Spot) -> str:
    title = f"<title>{escape(render.clean(node))}</title>"
    center = (spot.left + spot.right) / 2
    if node in drawn.joints:
        return f'<circle cx="{center:.1f}" cy="{spot.middle:.1f}" r="{_JOINT / 2:.1f}">{title}</circle>'
    critical = ' class="critical"' if node in drawn.critical else ""
    return (
        f'<g>{title}<rect{critical} x="{spot.left:.1f}" y="{spot.middle - _BOX / 2:.1f}" rx="6" '
        f'width="{spot.right - spot.left:.1f}" height="{_BOX}"/>'
        f'<text x="{center:.1f}" y="{spot.middle:.1f}">{escape(_label(node))}</text></g>'
    )
