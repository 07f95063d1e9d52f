"""A timeline as text: a line for each agent with its states over time, fitted to a width."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from orchctl.history.lifecycles import Lifecycle
from orchctl.render import text as render
from orchctl.render.status_tree import Look
from orchctl.timeline import lanes, summary
from orchctl.timeline.folding import Axis
from orchctl.timeline.summary import History

MOST = 40  # agents that are drawn by default
_NAME, _SHORT_NAME, _LEAST_BAR, _MOST_BAR = 24, 10, 8, 160
_BREAK = 2  # columns, so that one whole column is free for the mark
_DURATION = 10
_NAMED_GAPS = 4
_APART = 2  # columns between two labels of the axis
_MOMENT = 0.001  # seconds, less than a column shows
_TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


class _State(NamedTuple):
    label: str
    cell: str
    plain: str  # for a terminal that only shows ASCII
    colour: str


_STATES = {
    "queued": _State("queued", "░", ".", "33"),
    "work": _State("running", "█", "#", "32"),
    "wait": _State("waiting", "▒", "-", "36"),
    "frozen": _State("frozen", "▓", "=", "36"),
    "again": _State("retried", "✕", "x", "31"),
    "gap": _State("idle, not to scale", "┊", ":", "2"),
}
_ENDS = {
    "completed": _State("completed", "✓", "+", "2"),
    "failed": _State("failed", "✕", "x", "31"),
    "timed-out": _State("timed out", "◷", "t", "31"),
    "lost": _State("lost", "?", "?", "31"),
    "cancelled": _State("cancelled", "■", "c", "2"),
    "skipped": _State("skipped", "↷", "s", "2"),
    None: _State("not finished", "▸", ">", "32"),
}
CHARACTERS = "".join(state.cell for state in (*_STATES.values(), *_ENDS.values()))


def chart(history: History, look: Look, most: int | None = MOST) -> list[str]:
    """Return the lines of the chart, with the latest `most` agents. `look.width` None is 100 columns."""
    return list(_Chart(history, look, len(history.lives) if most is None else most).lines())


class _Chart:
    def __init__(self, history: History, look: Look, most: int) -> None:
        self._history, self._look = history, look
        by_end = sorted(history.lives, key=lambda life: (_end(life, history.end), summary.first(life), life.id))
        kept = {life.id for life in by_end[-most:]}
        self._lives = [life for life in history.lives if life.id in kept]
        self._width = look.width or 100
        self._has_ids = self._width >= 60  # noqa: PLR2004 - below, the bar needs the room more
        most_name = _NAME if self._has_ids else _SHORT_NAME
        self._names = [render.fitted(render.clean(life.name) or "?", most_name, look.ellipsis) for life in self._lives]
        self._name_width = max(map(render.columns, self._names), default=0)
        self._id_width = max((len(life.id) for life in self._lives), default=0) + 1 if self._has_ids else 0
        self._left = self._id_width + self._name_width + 1
        room = self._width - self._left - 3 - _DURATION
        self._bar = min(max(room, _LEAST_BAR), _MOST_BAR)
        begin = max(history.begin, min(map(summary.first, self._lives), default=history.begin))
        folds = summary.folded(history._replace(lives=self._lives, begin=begin))
        self._axis = Axis(begin, history.end, self._bar, folds, _BREAK)
        self._used: set[str] = set()
        self._ended: set[str | None] = set()

    def lines(self) -> Iterator[str]:
        for line in (self._history.title, summary.described(self._history)):
            yield self._fitted(render.clean_line(line))
        for name, life in zip(self._names, self._lives, strict=True):
            yield self._row(name, life)
        # the labels of the axis, each from its own column on
        step = next((tick for tick in _TICKS if self._axis.seconds / tick * 12 <= self._bar), self._axis.seconds)
        labels = ""
        for at in self._axis.ticks(step, self._history.begin):
            column = int(self._axis.x(at))
            label = summary.offset(at - self._history.begin, is_exact=bool(self._axis.breaks))
            if (not labels or column >= len(labels) + _APART) and column + len(label) <= self._bar + _DURATION:
                labels = f"{labels:<{column}}{label}"
        yield self._fitted(" " * self._left + labels)
        if folds := self._axis.breaks:
            gaps = [
                f"{render.span(fold.end - fold.begin)} after "
                f"{summary.offset(fold.begin - self._history.begin, is_exact=True)}"
                for fold in folds[:_NAMED_GAPS]
            ]
            more = f" and {len(folds) - _NAMED_GAPS} more" if len(folds) > _NAMED_GAPS else ""
            yield self._fitted(f"idle: {', '.join(gaps)}{more}")
        used = [state for name, state in _STATES.items() if name in self._used]
        used += [state for name, state in _ENDS.items() if name in self._ended]
        yield self._fitted("  ".join(f"{self._mark(state)} {state.label}" for state in used))
        if left := len(self._history.lives) - len(self._lives):
            yield from self._look._replace(width=self._width).wrapped(
                f"{self._look.ellipsis} and {left:,} earlier agents: `-o FILE` draws all, `--since 2h` the latest"
            )

    def _fitted(self, line: str) -> str:
        return render.fitted(line, self._width, self._look.ellipsis)

    def _row(self, name: str, life: Lifecycle) -> str:
        """Return the line of an agent: its id and name, its states over time, how it ended, and its seconds."""
        cells = self._cells(life)
        self._used.update(filter(None, cells))
        ended = life.status
        self._ended.add(ended)
        tries = f" x{len(life.attempts)}" if len(life.attempts) > 1 else ""
        seconds = _end(life, self._history.end) - life.queued  # of an agent that never started: the time in the queue
        if life.attempts:
            works = (span for attempt in life.attempts for span in attempt.works(self._history.end))
            seconds = sum(end - begin for begin, end in works)
        took = f"{render.span(seconds)}{tries}"
        before = f"{life.id:<{self._id_width}}" if self._has_ids else ""
        mark = self._coloured(self._mark(_ENDS[ended]), _ENDS[ended].colour)
        bar = ""
        for key, group in groupby(cells):
            state, count = None if key is None else _STATES[key], len(list(group))
            bar += " " * count if state is None else self._coloured(self._mark(state) * count, state.colour)
        room = self._width - self._left - self._bar - 3
        return f"{before}{render.padded(name, self._name_width)} {bar} {mark} {took[: max(room, 0)]}"

    def _cells(self, life: Lifecycle) -> list[str | None]:
        """Return the state of the agent in each column; later spans overwrite earlier ones."""
        cells: list[str | None] = [None] * self._bar
        end = self._history.end
        spans = [("queued", *span) for span in lanes.queued([life], end)]
        for attempt in life.attempts:
            frozen = set(attempt.frozen)
            spans += [("frozen" if at in frozen else "wait", at, back or end) for at, back in attempt.waits]
        spans += [("work", *work) for attempt in life.attempts for work in attempt.works(end)]
        ends = (attempt.ended for attempt in life.attempts[:-1])
        spans += [("again", moment - _MOMENT, moment) for moment in ends if moment is not None]
        for state, begin, until in spans:
            if until > begin and until > self._axis.begin:
                # a span takes one column at least
                first = min(int(self._axis.x(begin)), self._bar - 1)
                last = max(first, _whole(self._axis.x(until)) - 1)
                cells[first : last + 1] = [state] * (last + 1 - first)
        for fold in self._axis.breaks:
            column = _whole(fold.left)
            if column + 1 <= fold.right:
                cells[column] = "gap"
        return cells

    def _mark(self, state: _State) -> str:
        return state.plain if self._look.is_plain else state.cell

    def _coloured(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._look.has_colours else text


def _whole(x: float) -> int:
    """Return `x` rounded up, without the rounding error of floats."""
    return math.ceil(x - 1e-9)


def _end(life: Lifecycle, now: float) -> float:
    return now if life.ended is None else life.ended
