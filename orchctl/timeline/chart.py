"""A timeline as SVG: attempts by slot, waits, and how many agents were working and queued.

The same history gives the same text. The picture is self-contained: its colours are in it, and it runs no script.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from orchctl.history.lifecycles import AttemptHistory
from orchctl.render import text as render
from orchctl.render.svg import add, picture, written
from orchctl.timeline import lanes, summary
from orchctl.timeline.folding import Axis
from orchctl.timeline.lanes import Bar
from orchctl.timeline.palette import style
from orchctl.timeline.summary import History

LEFT = 76
_WIDTH, _RIGHT = 1200, 24
_HEAD, _LANE, _THIN, _CHART, _GAP = 92, 24, 8, 56, 34
_NAMED, _MOST_NAMED = 16, 12  # the height of a wait with its name, and the most rows of waits that have names
_MOST_TALL = 40  # lanes; if there are more, they are thin and without names
_LETTER = 6.4  # width of a letter in a bar, in pixels
_BREAK, _LABELLED = 22, 13  # width of a folded gap, and the width that its label needs, in pixels
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 12
_APART = 48  # pixels between two labels of the axis
_ENDS = {
    "completed": ("", "completed"),
    "retried": ("again", "retried"),
    "deferred": ("again", "retried"),
    "voided": ("again", "retried"),
    "failed": ("bad", "failed"),
    "timed-out": ("bad", "failed"),
    "lost": ("bad", "failed"),
    "cancelled": ("cut", "cancelled"),
    "skipped": ("cut", "cancelled"),
}
_MARKS = {"bad": "✕", "again": "↻", "cut": "■"}


class _Bands(NamedTuple):
    """The heights of a lane and of a wait, and the tops of the bands, from the top to the bottom."""

    lane: int
    wait: int
    places: int
    waits: int
    busy: int
    queue: int
    foot: int


def svg(history: History) -> str:
    """Return the picture as text."""
    return written(_Drawing(history).drawn())


class _Drawing:
    def __init__(self, history: History) -> None:
        self._history = history
        width = _WIDTH - LEFT - _RIGHT
        self._axis = Axis(history.begin, history.end, width, summary.folded(history), _BREAK)
        self._blocks = self._since_begin(lanes.working(history.lives, history.end))
        self._waits = self._since_begin(lanes.waiting(history.lives, history.end))
        self._limit = max((limit for _, limit in history.limits), default=0)
        self._places = max([self._limit, *(block.lane + 1 for block in self._blocks)], default=0)
        lane = _LANE if self._places <= _MOST_TALL else _THIN
        waits = _HEAD + self._places * lane + _GAP
        rows = max((block.lane + 1 for block in self._waits), default=0)
        wait = _NAMED if rows <= _MOST_NAMED else _THIN
        busy = waits + rows * wait + (_GAP if rows else 0)
        queue = busy + _CHART + _GAP
        self._bands = _Bands(lane, wait, _HEAD, waits, busy, queue, queue + _CHART)
        description = summary.described(history)
        self._root = picture(_WIDTH, self._bands.foot + 40, style(), history.title or "timeline", description)

    def _since_begin(self, blocks: Sequence[Bar]) -> list[Bar]:
        return lanes.in_lanes([block for block in blocks if block.end > self._history.begin])

    def _x(self, at: float) -> float:
        return LEFT + self._axis.x(at)

    def drawn(self) -> Element:
        """Return the picture, drawn from back to front."""
        add(self._root, "rect", class_="paper", width=_WIDTH, height=self._bands.foot + 40)
        self._heading()
        begin = self._history.begin
        # the axis: a line for each tick, and a label where there is room
        fitting = (tick for tick in _TICKS if self._axis.seconds / tick <= _MOST_TICKS)
        step = next(fitting, self._axis.seconds / _MOST_TICKS)
        labelled = float("-inf")
        for at in self._axis.ticks(step, begin):
            x = self._x(at)
            add(self._root, "line", class_="grid", x1=x, y1=_HEAD - 6, x2=x, y2=self._bands.foot)
            if x - labelled >= _APART:
                label = summary.offset(at - begin, is_exact=bool(self._axis.breaks))
                self._text("faint mid", x, self._bands.foot + 18, label)
                labelled = x
        self._lanes()
        self._waiting()
        busy = lanes.counts((max(block.begin, begin), block.end) for block in self._blocks)
        most = max([self._limit, *(count for _, count in busy)], default=1) or 1
        self._chart("working", "busy", busy, most, self._bands.busy)
        self._limit_line(lambda limit: self._bands.busy + _CHART * (1 - limit / most))
        queue = lanes.counts(summary.queued(self._history))
        most_queued = max((count for _, count in queue), default=1) or 1
        self._chart("queued", "queue", queue, most_queued, self._bands.queue)
        self._breaks()
        return self._root

    def _text(self, style: str, x: float, y: float, text: str) -> None:
        add(self._root, "text", text, class_=style, x=x, y=y)

    def _heading(self) -> None:
        """Draw the title, the numbers, and a legend of the states that occur."""
        self._text("ink big", LEFT, 30, self._history.title)
        self._text("faint", LEFT, 50, summary.described(self._history))
        levels = {block.life.level for block in self._blocks if not _class_of(block.attempt)}
        ends = {_class_of(block.attempt): _ENDS[block.attempt.how or "completed"][1] for block in self._blocks}
        legend = [
            *((level, "", level) for level in ("pm", "composite", "sub-skill") if level in levels),
            *((name, _MARKS[name], ends[name]) for name in ("bad", "again", "cut") if name in ends),
            *([("wait", "", "waiting for other agents, without a slot")] if self._waits else []),
        ]
        x = float(LEFT)
        for name, mark, label in legend:
            add(self._root, "rect", class_=name, x=x, y=62, width=12, height=12, rx=2)
            self._text("faint", x + 17, 72, f"{mark} {label}")
            x += 17 + (len(label) + 2) * _LETTER + 18

    def _breaks(self) -> None:
        """Draw the folded gaps, over everything that crosses them."""
        top, foot = _HEAD - 6, self._bands.foot + 4
        for fold in self._axis.breaks:
            left, right, length = LEFT + fold.left, LEFT + fold.right, render.span(fold.end - fold.begin)
            group = add(self._root, "g")
            add(group, "title", f"idle for {length}, not to scale")
            add(group, "rect", class_="paper", x=left, y=top, width=right - left, height=foot - top)
            for x in (left, right):
                add(group, "path", class_="fold", d=f"M{x:.1f} {top} V{foot}")
            if right - left >= _LABELLED:
                x, y = (left + right) / 2 + 4, (top + foot) / 2
                turned = f"rotate(-90 {x:.1f} {y:.1f})"
                add(group, "text", f"{length} idle", class_="faint mid small", x=x, y=y, transform=turned)

    def _lanes(self) -> None:
        """Draw the lanes of the slots, a bar for each span of work in them, and the limit."""
        bands = self._bands
        for lane in range(self._places):
            y, whole = bands.places + lane * bands.lane, _WIDTH - LEFT - _RIGHT
            add(self._root, "rect", class_="lane", x=LEFT, y=y + 1, width=whole, height=bands.lane - 2, rx=3)
            if bands.lane == _LANE:
                self._text("faint end", LEFT - 8, y + 16, f"slot {lane + 1}")
        for block in self._blocks:
            life, attempt = block.life, block.attempt
            ending = _class_of(attempt) if block.is_last else ""
            x, top = self._x(block.begin), bands.places + block.lane * bands.lane
            width = max(self._x(block.end) - x, 1.0)
            group = add(self._root, "g")
            queued, worked = attempt.admitted - attempt.queued, block.end - block.begin
            tooltip = (
                f"{life.id} {life.name}, {life.level}, attempt {attempt.number}: {attempt.how or 'running'}"
                f"{f' ({attempt.reason})' if attempt.reason else ''}; "
                f"queued {render.span(queued)}, ran {render.span(worked)}"
            )
            add(group, "title", tooltip)
            inner, radius = max(width - 0.8, 0.8), min(3.0, width / 3)
            add(
                group,
                "rect",
                class_=ending or life.level,
                x=x,
                y=top + 2,
                width=inner,
                height=bands.lane - 4,
                rx=radius,
            )
            mark = f" {_MARKS[ending]}" if ending else ""
            tries = f" #{attempt.number}" if attempt.number > 1 else ""
            room = int((width - 8) / _LETTER)
            if bands.lane == _LANE and room >= len(mark) + 1:
                label = _fitted(render.clean(life.name) + tries, room - len(mark)) + mark
                add(group, "text", label, class_="name", x=x + 5, y=top + 16)
        self._limit_line(lambda limit: bands.places + limit * bands.lane)

    def _limit_line(self, y: Callable[[int], float]) -> None:
        if points := self._steps(self._history.limits, y):
            line = add(self._root, "path", class_="limit", d=points)
            add(line, "title", "the limit")
            at = float(y(self._history.limits[-1][1]))
            self._text("limited end", _WIDTH - _RIGHT, at + 14, f"limit {self._history.limits[-1][1]}")

    def _waiting(self) -> None:
        """Draw the attempts that wait for other agents."""
        tall = self._bands.wait
        if self._waits:
            self._text("faint end", LEFT - 8, self._bands.waits + 10, "waiting")
        for block in self._waits:
            x, y = self._x(block.begin), self._bands.waits + block.lane * tall
            width = max(self._x(block.end) - x, 1.0)
            tooltip = (
                f"{block.life.id} {block.life.name} waiting for other agents, {render.span(block.end - block.begin)}"
            )
            group = add(self._root, "g")
            add(group, "title", tooltip)
            add(group, "rect", class_="wait", x=x, y=y + 1, width=width, height=tall - 3, rx=2)
            name = _fitted(render.clean(block.life.name), int((width - 8) / _LETTER)) if tall == _NAMED else ""
            if name:
                add(group, "text", name, class_="faint small", x=x + 5, y=y + 11)

    def _chart(self, label: str, name: str, steps: Sequence[tuple[float, int]], most: int, top: int) -> None:
        foot = top + _CHART
        self._text("faint end", LEFT - 8, foot, label)
        self._text("faint end", LEFT - 8, top + 10, str(most))
        add(self._root, "line", class_="grid", x1=LEFT, y1=foot, x2=_WIDTH - _RIGHT, y2=foot)
        if points := self._steps(steps, lambda count: foot - count / most * _CHART):
            left, right = self._x(steps[0][0]), self._x(self._history.end)
            closed = f"{points} L{right:.1f} {foot} L{left:.1f} {foot} Z"
            area = add(self._root, "path", class_=f"{name} area", d=closed)
            add(area, "title", f"{label}, at most {most}")

    def _steps(self, steps: Sequence[tuple[float, int]], y: Callable[[int], float]) -> str:
        points = []
        for index, (at, count) in enumerate(steps):
            height = f"{y(count):.1f}"
            points.append(f"M{self._x(at):.1f} {height}" if index == 0 else f"H{self._x(at):.1f} V{height}")
        return " ".join([*points, f"H{self._x(self._history.end):.1f}"]) if points else ""


def _class_of(attempt: AttemptHistory) -> str:
    return _ENDS[attempt.how][0] if attempt.how else ""


def _fitted(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters > 3 else ""  # noqa: PLR2004 - less says nothing
