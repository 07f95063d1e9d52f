"""Pictures of figures as SVG that stands alone: bars in columns, lines over logarithmic axes; in light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from orchctl.timeline.palette import DARK, LIGHT

WIDTH = 960
_LABEL, _GAP, _HEAD, _ROW = 264, 28, 84, 26
_LEFT, _RIGHT, _PLOT = 84, 250, 330
_SHADES = ("pm", "composite", "sub-skill", "again", "bad", "cut", "faint")
_LETTER = 6.6  # pixels of a letter


class Cell(NamedTuple):
    """One bar, its spread, and what stands behind it; a bad one is in another colour."""

    value: float
    least: float
    most: float
    text: str
    is_bad: bool = False


class Row(NamedTuple):
    """A name, and a bar for each column; ours is told from the others."""

    label: str
    cells: Sequence[Cell]
    is_ours: bool = False


class Column(NamedTuple):
    """What a column shows, and where it has a bound."""

    title: str
    bound: float | None = None


class Point(NamedTuple):
    """Where a line passes, and how far apart the samples were."""

    x: float
    y: float
    least: float
    most: float


class Series(NamedTuple):
    """A line."""

    name: str
    points: Sequence[Point]


def bars(title: str, said: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A row for each name, a scale from 0 for each column."""
    height = _HEAD + len(rows) * _ROW + 16
    return "\n".join([*_opened(title, said, height), *_columns(columns, rows, height), "</svg>"]) + "\n"


def lines(title: str, said: str, axes: tuple[str, str], series: Sequence[Series]) -> str:
    """Both axes logarithmic, so that what is flat is flat and what is proportional has a slope of one."""
    height = _HEAD + _PLOT + 56
    drawn = _Lines([one for one in series if one.points])
    return "\n".join([*_opened(title, said, height), *drawn.grid(axes), *drawn.drawn(), "</svg>"]) + "\n"


def _opened(title: str, said: str, height: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
        f'height="{height:g}" role="img" aria-labelledby="title desc">'
    )
    yield f'<title id="title">{escape(title)}</title><desc id="desc">{escape(said)}</desc>'
    yield _style()
    yield f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>'
    yield f'<text class="ink big" x="16" y="28">{escape(title)}</text>'
    yield f'<text class="faint" x="16" y="47">{escape(said)}</text>'


def _style() -> str:
    rules = "text{font:12px system-ui,sans-serif}.big{font-size:17px;font-weight:600}.end{text-anchor:end}"
    rules += ".mid{text-anchor:middle}.bold{font-weight:600}.line{fill:none;stroke-width:2.2}.thin{stroke-width:1.2}"
    dark = _coloured(DARK)
    return f"<style>{rules}{_coloured(LIGHT)}@media (prefers-color-scheme:dark){{{dark}}}</style>"


def _coloured(shades: dict[str, str]) -> str:
    names = ("paper", "ink", *_SHADES)
    fills = "".join(f".{name}{{fill:{shades[name]}}}.{name}-line{{stroke:{shades[name]}}}" for name in names)
    bound = f".bound{{stroke:{shades['limit']};stroke-width:1.5;stroke-dasharray:6 4}}"
    halo = f".halo{{paint-order:stroke;stroke:{shades['paper']};stroke-width:3px}}"
    return f"{fills}{bound}{halo}.grid{{stroke:{shades['grid']};stroke-width:1}}"


def _columns(columns: Sequence[Column], rows: Sequence[Row], height: float) -> Iterator[str]:
    for number, row in enumerate(rows):
        bold = " bold" if row.is_ours else ""
        y = _HEAD + number * _ROW + 17
        yield f'<text class="ink end{bold}" x="{_LABEL - 8}" y="{y}">{escape(row.label)}</text>'
    width = (WIDTH - _LABEL - 16 - _GAP * (len(columns) - 1)) / len(columns)
    for number, column in enumerate(columns):
        cells = [(row, row.cells[number]) for row in rows]
        yield from _column(column, cells, _LABEL + number * (width + _GAP), width, height)


def _column(
    column: Column, cells: Sequence[tuple[Row, Cell]], left: float, width: float, height: float
) -> Iterator[str]:
    room = width - max(len(cell.text) for _, cell in cells) * _LETTER - 10
    scale = room / (max([column.bound or 0, *(cell.most for _, cell in cells)]) or 1)
    yield f'<text class="ink bold" x="{left:.1f}" y="72">{escape(column.title)}</text>'
    for number, (row, cell) in enumerate(cells):
        yield from _bar(row, cell, _HEAD + number * _ROW, left, scale)
    yield f'<line class="grid" x1="{left:.1f}" x2="{left:.1f}" y1="{_HEAD}" y2="{height - 12:g}"/>'
    if column.bound is not None:
        x = left + column.bound * scale
        yield f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="{_HEAD - 4}" y2="{height - 12:g}"/>'
    for number, (_, cell) in enumerate(cells):  # last, so that nothing is drawn over it
        x, y = left + max(cell.value, cell.most) * scale + 6, _HEAD + number * _ROW + 17
        yield f'<text class="ink halo" x="{x:.1f}" y="{y}">{escape(cell.text)}</text>'


def _bar(row: Row, cell: Cell, y: float, left: float, scale: float) -> Iterator[str]:
    shade = "bad" if cell.is_bad else "pm" if row.is_ours else "cut"
    yield f"<g><title>{escape(f'{row.label}: {cell.text}')}</title>"
    yield f'<rect class="{shade}" x="{left:.1f}" y="{y + 4}" width="{max(cell.value * scale, 1):.1f}" height="17"/>'
    if cell.least < cell.most:
        ends = f'x1="{left + cell.least * scale:.1f}" x2="{left + cell.most * scale:.1f}"'
        yield f'<line class="ink-line thin" {ends} y1="{y + 12.5}" y2="{y + 12.5}"/>'
    yield "</g>"


class _Lines:
    def __init__(self, series: Sequence[Series]) -> None:
        self._series = series
        points = [point for one in series for point in one.points]
        self._least = min(point.x for point in points), 10 ** math.floor(math.log10(min(one.least for one in points)))
        self._most = max(point.x for point in points), 10 ** math.ceil(math.log10(max(one.most for one in points)))

    def _x(self, value: float) -> float:
        width = WIDTH - _LEFT - _RIGHT
        return _LEFT + width * _part(value, self._least[0], self._most[0])

    def _y(self, value: float) -> float:
        return _HEAD + _PLOT * (1 - _part(value, self._least[1], self._most[1]))

    def grid(self, axes: tuple[str, str]) -> Iterator[str]:
        """Powers of ten, and what the axes show."""
        right, foot = WIDTH - _RIGHT, _HEAD + _PLOT
        for value in _decades(self._least[1], self._most[1]):
            y = self._y(value)
            yield f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="faint end" x="{_LEFT - 8}" y="{y + 4:.1f}">{value:,g}</text>'
        for value in sorted({point.x for one in self._series for point in one.points}):
            x = self._x(value)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_HEAD}" y2="{foot}"/>'
            yield f'<text class="faint mid" x="{x:.1f}" y="{foot + 18}">{value:,g}</text>'
        yield f'<text class="faint mid" x="{(_LEFT + right) / 2}" y="{foot + 40}">{escape(axes[0])}</text>'
        yield f'<text class="faint" x="16" y="{_HEAD - 14}">{escape(axes[1])}</text>'

    def drawn(self) -> Iterator[str]:
        """The lines, each with its name at its end."""
        ends = apart([self._y(one.points[-1].y) + 4 for one in self._series])
        for number, (one, at) in enumerate(zip(self._series, ends, strict=True)):
            shade = _SHADES[number % len(_SHADES)]
            way = " L".join(f"{self._x(point.x):.1f} {self._y(point.y):.1f}" for point in one.points)
            yield f'<g><title>{escape(one.name)}</title><path class="line {shade}-line" d="M{way}"/>'
            for point in one.points:
                x, low, high = self._x(point.x), self._y(point.least), self._y(point.most)
                yield f'<line class="{shade}-line thin" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
                yield f'<circle class="{shade}" cx="{x:.1f}" cy="{self._y(point.y):.1f}" r="3.2"/>'
            x = self._x(one.points[-1].x) + 10
            yield f'<text class="{shade} bold" x="{x:.1f}" y="{at:.1f}">{escape(one.name)}</text></g>'


def _part(value: float, least: float, most: float) -> float:
    """Where a value is between two others, by its logarithm."""
    return math.log(value / least) / (math.log(most / least) or 1)


def _decades(least: float, most: float) -> Iterator[float]:
    for power in range(round(math.log10(least)), round(math.log10(most)) + 1):
        yield 10.0**power


def apart(heights: Sequence[float], least: float = 15.0) -> list[float]:
    """The same heights in the same order, moved down where two would stand upon each other."""
    moved = list(heights)
    below = -math.inf
    for number in sorted(range(len(heights)), key=lambda one: heights[one]):
        moved[number] = below = max(heights[number], below + least)
    return moved
