"""Pictures of figures as SVG that stands alone: bars in columns, lines over logarithmic axes; in light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from orchctl.render.svg import add, picture, written
from orchctl.timeline.palette import sheet

WIDTH = 960
_LABEL, _GAP, _HEAD, _ROW = 264, 28, 84, 26
_LEFT, _RIGHT, _PLOT = 84, 250, 330
_SHADES = ("pm", "composite", "sub-skill", "again", "bad", "cut", "faint")
_LETTER = 6.6  # pixels of a letter


class Cell(NamedTuple):
    """One bar, its spread, and the text behind it; a bad bar has another colour."""

    value: float
    least: float
    most: float
    text: str
    is_bad: bool = False


class Row(NamedTuple):
    """A name and a bar for each column; rows of this project differ in style."""

    label: str
    cells: Sequence[Cell]
    is_ours: bool = False


class Column(NamedTuple):
    """The title of a column, and its bound."""

    title: str
    bound: float | None = None


class Point(NamedTuple):
    """A point of a line, and the spread of its samples."""

    x: float
    y: float
    least: float
    most: float


class Series(NamedTuple):
    """A line."""

    name: str
    points: Sequence[Point]


def bars(title: str, description: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Draw a row for each name and a scale from 0 for each column."""
    height = _HEAD + len(rows) * _ROW + 16
    root = _opened(title, description, height)
    _columns(root, columns, rows, height)
    return written(root)


def lines(title: str, description: str, axes: tuple[str, str], series: Sequence[Series]) -> str:
    """Draw both axes logarithmic, so that a flat value is flat and a proportional value has a slope of one."""
    height = _HEAD + _PLOT + 56
    drawn_lines = _Lines([curve for curve in series if curve.points])
    root = _opened(title, description, height)
    drawn_lines.grid(root, axes)
    drawn_lines.draw(root)
    return written(root)


def _opened(title: str, description: str, height: float) -> Element:
    rules = (
        "text{font:12px system-ui,sans-serif}.big{font-size:17px;font-weight:600}.end{text-anchor:end}"
        ".mid{text-anchor:middle}.bold{font-weight:600}.line{fill:none;stroke-width:2.2}.thin{stroke-width:1.2}"
    )
    root = picture(WIDTH, height, sheet(rules, _coloured), title, description)
    add(root, "rect", class_="paper", width=WIDTH, height=f"{height:g}")
    _text(root, "ink big", 16, 28, title)
    _text(root, "faint", 16, 47, description)
    return root


def _text(parent: Element, style: str, x: float, y: float, text: str) -> None:
    add(parent, "text", text, class_=style, x=x, y=y)


def _line(parent: Element, style: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    add(parent, "line", class_=style, x1=x[0], x2=x[1], y1=y[0], y2=y[1])


def _coloured(shades: Mapping[str, str]) -> str:
    names = ("paper", "ink", *_SHADES)
    fills = "".join(f".{name}{{fill:{shades[name]}}}.{name}-line{{stroke:{shades[name]}}}" for name in names)
    bound = f".bound{{stroke:{shades['limit']};stroke-width:1.5;stroke-dasharray:6 4}}"
    halo = f".halo{{paint-order:stroke;stroke:{shades['paper']};stroke-width:3px}}"
    return f"{fills}{bound}{halo}.grid{{stroke:{shades['grid']};stroke-width:1}}"


def _columns(root: Element, columns: Sequence[Column], rows: Sequence[Row], height: float) -> None:
    for number, row in enumerate(rows):
        bold = " bold" if row.is_ours else ""
        _text(root, f"ink end{bold}", _LABEL - 8, _HEAD + number * _ROW + 17, row.label)
    width = (WIDTH - _LABEL - 16 - _GAP * (len(columns) - 1)) / len(columns)
    for number, column in enumerate(columns):
        cells = [(row, row.cells[number]) for row in rows]
        _column(root, column, cells, (_LABEL + number * (width + _GAP), width), height)


def _column(
    root: Element, column: Column, cells: Sequence[tuple[Row, Cell]], place: tuple[float, float], height: float
) -> None:
    x_left, width = place
    room = width - max(len(cell.text) for _, cell in cells) * _LETTER - 10
    scale = room / (max([column.bound or 0, *(cell.most for _, cell in cells)]) or 1)
    _text(root, "ink bold", x_left, 72, column.title)
    for number, (row, cell) in enumerate(cells):
        _bar(root, row, cell, (x_left, _HEAD + number * _ROW), scale)
    _line(root, "grid", (x_left, x_left), (_HEAD, height - 12))
    if column.bound is not None:
        x = x_left + column.bound * scale
        _line(root, "bound", (x, x), (_HEAD - 4, height - 12))
    for number, (_, cell) in enumerate(cells):  # last, so that nothing is drawn over it
        x = x_left + max(cell.value, cell.most) * scale + 6
        _text(root, "ink halo", x, _HEAD + number * _ROW + 17, cell.text)


def _bar(root: Element, row: Row, cell: Cell, place: tuple[float, float], scale: float) -> None:
    x, y = place
    shade = "bad" if cell.is_bad else "pm" if row.is_ours else "cut"
    group = add(root, "g")
    add(group, "title", f"{row.label}: {cell.text}")
    add(group, "rect", class_=shade, x=x, y=y + 4, width=max(cell.value * scale, 1.0), height=17)
    if cell.least < cell.most:
        _line(group, "ink-line thin", (x + cell.least * scale, x + cell.most * scale), (y + 12.5, y + 12.5))


class _Lines:
    def __init__(self, series: Sequence[Series]) -> None:
        self._series = series
        points = [point for curve in series for point in curve.points]
        self._least = (
            min(point.x for point in points),
            10 ** math.floor(math.log10(min(curve.least for curve in points))),
        )
        self._most = max(point.x for point in points), 10 ** math.ceil(math.log10(max(curve.most for curve in points)))

    def _x(self, value: float) -> float:
        width = WIDTH - _LEFT - _RIGHT
        return _LEFT + width * _part(value, self._least[0], self._most[0])

    def _y(self, value: float) -> float:
        return _HEAD + _PLOT * (1 - _part(value, self._least[1], self._most[1]))

    def grid(self, root: Element, axes: tuple[str, str]) -> None:
        """Draw powers of ten, and the names of the axes."""
        right, foot = WIDTH - _RIGHT, _HEAD + _PLOT
        for value in _decades(self._least[1], self._most[1]):
            y = self._y(value)
            _line(root, "grid", (_LEFT, right), (y, y))
            _text(root, "faint end", _LEFT - 8, y + 4, f"{value:,g}")
        for value in sorted({point.x for curve in self._series for point in curve.points}):
            x = self._x(value)
            _line(root, "grid", (x, x), (_HEAD, foot))
            _text(root, "faint mid", x, foot + 18, f"{value:,g}")
        _text(root, "faint mid", (_LEFT + right) / 2, foot + 40, axes[0])
        _text(root, "faint", 16, _HEAD - 14, axes[1])

    def draw(self, root: Element) -> None:
        """Draw the lines, each with its name at its end."""
        ends = apart([self._y(curve.points[-1].y) + 4 for curve in self._series])
        for number, (curve, at) in enumerate(zip(self._series, ends, strict=True)):
            shade = _SHADES[number % len(_SHADES)]
            path_data = " L".join(f"{self._x(point.x):.1f} {self._y(point.y):.1f}" for point in curve.points)
            group = add(root, "g")
            add(group, "title", curve.name)
            add(group, "path", class_=f"line {shade}-line", d=f"M{path_data}")
            for point in curve.points:
                x = self._x(point.x)
                _line(group, f"{shade}-line thin", (x, x), (self._y(point.least), self._y(point.most)))
                add(group, "circle", class_=shade, cx=x, cy=self._y(point.y), r=3.2)
            _text(group, f"{shade} bold", self._x(curve.points[-1].x) + 10, at, curve.name)


def _part(value: float, least: float, most: float) -> float:
    """Return the position of a value between two others, by its logarithm."""
    return math.log(value / least) / (math.log(most / least) or 1)


def _decades(least: float, most: float) -> Iterator[float]:
    for power in range(round(math.log10(least)), round(math.log10(most)) + 1):
        yield 10.0**power


def apart(heights: Sequence[float], least: float = 15.0) -> list[float]:
    """Return the heights in the same order, moved down where two labels would overlap."""
    moved = list(heights)
    below = -math.inf
    for number in sorted(range(len(heights)), key=lambda index: heights[index]):
        moved[number] = below = max(heights[number], below + least)
    return moved
