"""Lines over time as SVG: panels below each other, each with its own scale and a word of how flat it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from orchctl.render.svg import add, picture, written
from orchctl.timeline.palette import sheet

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 820, 90, 80, 40, 40
_RULES = (
    "text{font:12px system-ui,sans-serif}.big{font-size:14px}.end{text-anchor:end}path,polyline{fill:none}"
    ".fault{stroke-opacity:.4}.bound{stroke-dasharray:6 4}"
)


class Panel(NamedTuple):
    """One value over time, and the sentence about it."""

    title: str
    points: Sequence[tuple[float, float]]
    bound: float | None = None  # a line that must not be passed


def svg(title: str, panels: Sequence[Panel], marks: Sequence[float], half: float) -> str:
    """Draw panels on one axis of minutes; `marks` are moments of faults, `half` is where the measured half begins."""
    end = max(at for panel in panels for at, _ in panel.points)
    height = _TOP + len(panels) * (_HEIGHT + _GAP)
    root = picture(
        _WIDTH + _LEFT + 20, height, sheet(_RULES, _coloured), title, "; ".join(panel.title for panel in panels)
    )
    add(root, "rect", class_="paper", width="100%", height="100%")
    add(root, "text", title, class_="big", x=_LEFT, y=18)
    for number, panel in enumerate(panels):
        _panel(root, panel, _TOP + number * (_HEIGHT + _GAP), (end, half), marks)
    return written(root)


def _coloured(shades: Mapping[str, str]) -> str:
    strokes = {"fault": "bad", "axis": "faint", "line": "pm", "bound": "limit"}
    lines = "".join(f".{name}{{stroke:{shades[colour]}}}" for name, colour in strokes.items())
    return f".paper{{fill:{shades['paper']}}}.half{{fill:{shades['lane']}}}text{{fill:{shades['ink']}}}{lines}"


def _panel(root: Element, panel: Panel, top: float, seconds: tuple[float, float], marks: Sequence[float]) -> None:
    end, half = seconds
    top_value = max(*(value for _, value in panel.points), panel.bound or 0.0) * 1.1 or 1.0

    def x(at: float) -> float:
        return _LEFT + _WIDTH * at / end

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - value / top_value)

    line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in panel.points)
    bottom = top + _HEIGHT
    add(root, "rect", class_="half", x=x(half), y=top, width=x(end) - x(half), height=_HEIGHT)
    for at in marks:
        add(root, "path", class_="fault", d=f"M{x(at):.1f} {top}v{_HEIGHT}")
    add(root, "path", class_="axis", d=f"M{_LEFT} {top}v{_HEIGHT}h{_WIDTH}")
    add(root, "polyline", class_="line", points=line)
    add(root, "text", panel.title, x=_LEFT, y=top - 5)
    for label, height in (("0", bottom), (f"{top_value:.3g}", top + 10)):
        add(root, "text", label, class_="end", x=_LEFT - 6, y=height)
    add(root, "text", f"{end / 60:.1f} min", class_="end", x=_LEFT + _WIDTH, y=bottom + 14)
    if panel.bound is not None:
        add(root, "path", class_="bound", d=f"M{_LEFT} {y(panel.bound):.1f}h{_WIDTH}")
