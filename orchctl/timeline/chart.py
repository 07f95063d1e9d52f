"""A timeline as SVG: attempts by slot, waits, and how many agents were at work and in the queue.

The same history gives the same text. It stands alone: its colours are in it, and nothing in it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from orchctl.history.lifecycles import Attempt
from orchctl.render import text as render
from orchctl.timeline import lanes, summary
from orchctl.timeline.folding import Axis
from orchctl.timeline.lanes import Block
from orchctl.timeline.palette import style
from orchctl.timeline.summary import History

LEFT = 76
_WIDTH, _RIGHT = 1200, 24
_HEAD, _LANE, _THIN, _CHART, _GAP = 92, 24, 8, 56, 34
_NAMED, _MOST_NAMED = 16, 12  # how tall a wait is with its name, and how many may be at once for that
_MOST_TALL = 40  # lanes; more than these are thin, and without names
_LETTER = 6.4  # pixels of a letter in a bar
_BREAK, _LABELLED = 22, 13  # pixels of a folded gap, and how many its label needs
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 12
_APART = 48  # pixels between two labels of the axis
_ENDS = {
    "completed": ("", "completed"),
    "retried": ("again", "tried again"),
    "deferred": ("again", "tried again"),
    "voided": ("again", "tried again"),
    "failed": ("bad", "failed"),
    "timed-out": ("bad", "failed"),
    "lost": ("bad", "failed"),
    "cancelled": ("cut", "cancelled"),
    "skipped": ("cut", "cancelled"),
}
_MARKS = {"bad": "✕", "again": "↻", "cut": "■"}


class _Bands(NamedTuple):
    """What stands where, from the top to the bottom."""

    lane: int  # how tall one is
    wait: int
    places: int
    waits: int
    busy: int
    queue: int
    foot: int


def svg(history: History) -> str:
    """The picture."""
    return "\n".join(_Drawing(history).lines()) + "\n"


class _Drawing:
    def __init__(self, history: History) -> None:
        self._history = history
        width = _WIDTH - LEFT - _RIGHT
        self._axis = Axis(history.begin, history.end, width, summary.folded(history), _BREAK)
        self._blocks = self._since_begin(lanes.working(history.lives, history.end))
        self._waits = self._since_begin(lanes.waiting(history.lives, history.end))
        self._limit = max((limit for _, limit in history.limits), default=0)
        self._places = max([self._limit, *(one.lane + 1 for one in self._blocks)], default=0)
        self._bands = self._banded()

    def _since_begin(self, blocks: Sequence[Block]) -> list[Block]:
        return lanes.in_lanes([block for block in blocks if block.end > self._history.begin])

    def _banded(self) -> _Bands:
        lane = _LANE if self._places <= _MOST_TALL else _THIN
        waits = _HEAD + self._places * lane + _GAP
        rows = max((one.lane + 1 for one in self._waits), default=0)
        wait = _NAMED if rows <= _MOST_NAMED else _THIN
        busy = waits + rows * wait + (_GAP if rows else 0)
        queue = busy + _CHART + _GAP
        return _Bands(lane, wait, _HEAD, waits, busy, queue, queue + _CHART)

    def _x(self, at: float) -> float:
        return LEFT + self._axis.x(at)

    def lines(self) -> Iterator[str]:
        height = self._bands.foot + 40
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-labelledby="title desc">'
        )
        yield f'<title id="title">{safe(self._history.title)}</title>'
        yield f'<desc id="desc">{safe(summary.described(self._history))}</desc>'
        yield style()
        yield f'<rect class="paper" width="{_WIDTH}" height="{height}"/>'
        yield from self._heading()
        yield from self._grid()
        yield from self._lanes()
        yield from self._waiting()
        yield from self._charts()
        yield from self._breaks()
        yield "</svg>"

    def _heading(self) -> Iterator[str]:
        yield f'<text class="ink big" x="{LEFT}" y="30">{safe(self._history.title)}</text>'
        yield f'<text class="faint" x="{LEFT}" y="50">{safe(summary.described(self._history))}</text>'
        x = float(LEFT)
        for name, mark, label in self._legend():
            yield f'<rect class="{name}" x="{x:.1f}" y="62" width="12" height="12" rx="2"/>'
            yield f'<text class="faint" x="{x + 17:.1f}" y="72">{safe(f"{mark} {label}".strip())}</text>'
            x += 17 + (len(label) + 2) * _LETTER + 18

    def _legend(self) -> Iterator[tuple[str, str, str]]:
        """Only what occurs."""
        levels = {one.life.level for one in self._blocks if not _class_of(one.attempt)}
        yield from ((level, "", level) for level in ("pm", "composite", "sub-skill") if level in levels)
        ends = {_class_of(one.attempt): _ENDS[one.attempt.how or "completed"][1] for one in self._blocks}
        yield from ((name, _MARKS[name], ends[name]) for name in ("bad", "again", "cut") if name in ends)
        if self._waits:
            yield "wait", "", "waits for others, without a slot"

    def _grid(self) -> Iterator[str]:
        fitting = (tick for tick in _TICKS if self._axis.seconds / tick <= _MOST_TICKS)
        step = next(fitting, self._axis.seconds / _MOST_TICKS)
        labelled = float("-inf")
        for at in self._axis.ticks(step, self._history.begin):
            x, seconds = self._x(at), at - self._history.begin
            yield f'<line class="grid" x1="{x:.1f}" y1="{_HEAD - 6}" x2="{x:.1f}" y2="{self._bands.foot}"/>'
            if x - labelled >= _APART:
                label = summary.offset(seconds, is_exact=bool(self._axis.breaks))
                yield f'<text class="faint mid" x="{x:.1f}" y="{self._bands.foot + 18}">{label}</text>'
                labelled = x

    def _breaks(self) -> Iterator[str]:
        """What stands for the folded gaps, over everything that crosses them."""
        top, foot = _HEAD - 6, self._bands.foot + 4
        for fold in self._axis.breaks:
            left, right, length = LEFT + fold.left, LEFT + fold.right, render.span(fold.end - fold.begin)
            yield f"<g><title>idle for {length}, not to scale</title>"
            yield f'<rect class="paper" x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{foot - top}"/>'
            yield from (f'<path class="fold" d="M{x:.1f} {top} V{foot}"/>' for x in (left, right))
            if right - left >= _LABELLED:
                x, y = (left + right) / 2 + 4, (top + foot) / 2
                turned = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
                yield f'<text class="faint mid small" x="{x:.1f}" y="{y:.1f}" {turned}>{length} idle</text>'
            yield "</g>"

    def _lanes(self) -> Iterator[str]:
        bands = self._bands
        for lane in range(self._places):
            y, width = bands.places + lane * bands.lane, _WIDTH - LEFT - _RIGHT
            yield f'<rect class="lane" x="{LEFT}" y="{y + 1}" width="{width}" height="{bands.lane - 2}" rx="3"/>'
            if bands.lane == _LANE:
                yield f'<text class="faint end" x="{LEFT - 8}" y="{y + 16}">slot {lane + 1}</text>'
        for block in self._blocks:
            yield from self._bar(block)
        yield from self._limit_line(lambda limit: bands.places + limit * bands.lane)

    def _bar(self, block: Block) -> Iterator[str]:
        bands, ending = self._bands, _class_of(block.attempt)
        x, y = self._x(block.begin), bands.places + block.lane * bands.lane
        width = max(self._x(block.end) - x, 1.0)
        name = ending if ending and block.is_last else block.life.level
        rest = (
            f'y="{y + 2}" width="{max(width - 0.8, 0.8):.1f}" height="{bands.lane - 4}" rx="{min(3.0, width / 3):.1f}"'
        )
        yield f'<g><title>{safe(_told(block))}</title><rect class="{name}" x="{x:.1f}" {rest}/>'
        mark = f" {_MARKS[ending]}" if ending and block.is_last else ""
        tries = f" #{block.attempt.number}" if block.attempt.number > 1 else ""
        room = int((width - 8) / _LETTER)
        if bands.lane == _LANE and room >= len(mark) + 1:  # of a name, as much as there is room for
            said = _fitted(render.clean(block.life.name) + tries, room - len(mark)) + mark
            yield f'<text class="name" x="{x + 5:.1f}" y="{y + 16}">{safe(said)}</text>'
        yield "</g>"

    def _limit_line(self, y: Callable[[int], float]) -> Iterator[str]:
        if points := self._steps(self._history.limits, y):
            yield f'<path class="limit" d="{points}"><title>the limit</title></path>'
            at = y(self._history.limits[-1][1])
            said = f"limit {self._history.limits[-1][1]}"
            yield f'<text class="limited end" x="{_WIDTH - _RIGHT}" y="{at + 14:.1f}">{said}</text>'

    def _waiting(self) -> Iterator[str]:
        tall = self._bands.wait
        if self._waits:
            yield f'<text class="faint end" x="{LEFT - 8}" y="{self._bands.waits + 10}">waiting</text>'
        for block in self._waits:
            x, y = self._x(block.begin), self._bands.waits + block.lane * tall
            width = max(self._x(block.end) - x, 1.0)
            said = f"{block.life.id} {block.life.name} waits for others, {render.span(block.end - block.begin)}"
            bar = f'<rect class="wait" x="{x:.1f}" y="{y + 1}" width="{width:.1f}" height="{tall - 3}" rx="2"/>'
            name = _fitted(render.clean(block.life.name), int((width - 8) / _LETTER)) if tall == _NAMED else ""
            label = f'<text class="faint small" x="{x + 5:.1f}" y="{y + 11}">{safe(name)}</text>' if name else ""
            yield f"<g><title>{safe(said)}</title>{bar}{label}</g>"

    def _charts(self) -> Iterator[str]:
        begin = self._history.begin
        busy = lanes.counts((max(block.begin, begin), block.end) for block in self._blocks)
        most = max([self._limit, *(count for _, count in busy)], default=1) or 1
        top = self._bands.busy
        yield from self._chart("working", "busy", busy, most, top)
        yield from self._limit_line(lambda limit: top + _CHART * (1 - limit / most))
        queue = lanes.counts(summary.queued(self._history))
        yield from self._chart("queued", "queue", queue, max((n for _, n in queue), default=1) or 1, self._bands.queue)

    def _chart(self, label: str, name: str, steps: Sequence[tuple[float, int]], most: int, top: int) -> Iterator[str]:
        foot = top + _CHART
        yield f'<text class="faint end" x="{LEFT - 8}" y="{foot}">{label}</text>'
        yield f'<text class="faint end" x="{LEFT - 8}" y="{top + 10}">{most}</text>'
        yield f'<line class="grid" x1="{LEFT}" y1="{foot}" x2="{_WIDTH - _RIGHT}" y2="{foot}"/>'
        if points := self._steps(steps, lambda count: foot - count / most * _CHART):
            left, right = self._x(steps[0][0]), self._x(self._history.end)
            closed = f"{points} L{right:.1f} {foot} L{left:.1f} {foot} Z"
            yield f'<path class="{name} area" d="{closed}"><title>{label}, at most {most}</title></path>'

    def _steps(self, steps: Sequence[tuple[float, int]], y: Callable[[int], float]) -> str:
        points = []
        for index, (at, count) in enumerate(steps):
            height = f"{y(count):.1f}"
            points.append(f"M{self._x(at):.1f} {height}" if index == 0 else f"H{self._x(at):.1f} V{height}")
        return " ".join([*points, f"H{self._x(self._history.end):.1f}"]) if points else ""


def _class_of(attempt: Attempt) -> str:
    return _ENDS[attempt.how][0] if attempt.how else ""


def _told(block: Block) -> str:
    """What a bar is, for who points at it or cannot see it."""
    life, attempt = block.life, block.attempt
    how = attempt.how or "still at work"
    why = f" ({attempt.reason})" if attempt.reason else ""
    return (
        f"{life.id} {life.name}, {life.level}, try {attempt.number}: {how}{why}; "
        f"queued {render.span(attempt.admitted - attempt.queued)}, worked {render.span(block.end - block.begin)}"
    )


def _fitted(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters > 3 else ""  # noqa: PLR2004 - less says nothing


def safe(text: str) -> str:
    """As it may stand in XML, which has no place for most control characters."""
    return escape(render.clean(text.encode("utf-8", "replace").decode()))
