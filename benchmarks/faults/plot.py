"""Lines over time as SVG: panels below each other, each with its own scale and a word of how flat it is."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 820, 90, 80, 40, 40


class Panel(NamedTuple):
    """One value over time, and what is to be said of it."""

    title: str
    points: Sequence[tuple[float, float]]
    bound: float | None = None  # a line that must not be passed


def svg(title: str, panels: Sequence[Panel], marks: Sequence[float], half: float) -> str:
    """All panels on one axis of minutes; `marks` are moments of faults, `half` is where flatness is looked at from."""
    end = max(at for panel in panels for at, _ in panel.points)
    height = _TOP + len(panels) * (_HEIGHT + _GAP)
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + _LEFT + 20}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-size="14">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        rows += _panel(panel, _TOP + number * (_HEIGHT + _GAP), end, marks, half)
    return "\n".join([*rows, "</svg>\n"])


def _panel(panel: Panel, top: float, end: float, marks: Sequence[float], half: float) -> list[str]:
    most = max(*(value for _, value in panel.points), panel.bound or 0.0) * 1.1 or 1.0

    def x(at: float) -> float:
        return _LEFT + _WIDTH * at / end

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - value / most)

    line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in panel.points)
    bottom = top + _HEIGHT
    rows = [
        f'<rect x="{x(half):.1f}" y="{top}" width="{x(end) - x(half):.1f}" height="{_HEIGHT}" fill="#eef3fa"/>',
        *(f'<path d="M{x(at):.1f} {top}v{_HEIGHT}" stroke="#e8c4c4"/>' for at in marks),
        f'<path d="M{_LEFT} {top}v{_HEIGHT}h{_WIDTH}" stroke="#444" fill="none"/>',
        f'<polyline points="{line}" fill="none" stroke="#1f5fa8"/>',
        f'<text x="{_LEFT}" y="{top - 5}">{escape(panel.title)}</text>',
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{most:.3g}</text>',
        f'<text x="{_LEFT + _WIDTH}" y="{bottom + 14}" text-anchor="end">{end / 60:.1f} min</text>',
    ]
    if panel.bound is not None:
        rows.append(f'<path d="M{_LEFT} {y(panel.bound):.1f}h{_WIDTH}" stroke="#b03030" stroke-dasharray="6 4"/>')
    return rows
