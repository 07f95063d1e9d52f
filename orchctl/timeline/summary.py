"""A timeline as data: agents, limits, and the numbers that summarize them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from orchctl.history.lifecycles import Lifecycle
from orchctl.render import text
from orchctl.timeline import folding, lanes

_HOUR = 3600
_UNITS = ((86400, "d"), (_HOUR, "h"), (60, "m"), (1, "s"))


class History(NamedTuple):
    """The data of a timeline. Times are Unix times; of an attempt that began before `begin`, the rest is drawn."""

    title: str
    lives: Sequence[Lifecycle]
    limits: Sequence[tuple[float, int]]  # each from its time on; before the first the limit is unknown
    begin: float
    end: float
    folds: bool = True  # whether long idle gaps are folded


class Numbers(NamedTuple):
    """The key numbers of a history."""

    agents: int
    attempts: int
    seconds: float
    utilisation: float | None  # the part of the allowed slots that was held; None without a limit
    most_queued: int


def numbers(history: History) -> Numbers:
    """Return the key numbers; the utilisation covers the time in which the limit is known."""
    known = max(min((at for at, _ in history.limits), default=history.end), history.begin)
    blocks = [block for block in lanes.working(history.lives, history.end) if block.end > known]
    held = lanes.area(lanes.counts((max(block.begin, known), block.end) for block in blocks), history.end)
    allowed = lanes.area([(max(at, history.begin), limit) for at, limit in history.limits], history.end)
    waits = lanes.counts(queued(history))
    return Numbers(
        len(history.lives),
        sum(len(life.attempts) for life in history.lives),
        history.end - history.begin,
        held / allowed if allowed else None,
        max((count for _, count in waits), default=0),
    )


def queued(history: History) -> list[lanes.Span]:
    """Return the spans in which agents were queued, since the beginning of the history."""
    spans = lanes.queued(history.lives, history.end)
    return [(max(begin, history.begin), end) for begin, end in spans if end > history.begin]


def gaps(history: History) -> list[lanes.Span]:
    """Return the idle gaps that are long enough to be folded."""
    return folding.gaps(history.lives, history.begin, history.end)


def folded(history: History) -> list[lanes.Span]:
    """Return the idle gaps that the drawing folds."""
    return gaps(history) if history.folds else []


def described(history: History) -> str:
    """Return the key numbers as a sentence."""
    known = numbers(history)
    full = "" if known.utilisation is None else f", {known.utilisation:.0%} slot utilisation"
    began = datetime.fromtimestamp(history.begin, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"{known.agents} agents in {known.attempts} attempts, {text.span(known.seconds)} from {began}{full}, "
        f"at most {known.most_queued} queued"
    )


def offset(seconds: float, *, is_exact: bool) -> str:
    """Return the label of a moment, in seconds since the beginning; `is_exact` shows every unit, as in `5h 20s`."""
    if seconds == 0:
        return "0"
    whole, parts = int(seconds), list[str]()
    if not is_exact or whole < _HOUR:
        return text.span(seconds)
    for size, unit in _UNITS:
        if whole >= size:
            parts.append(f"{whole // size}{unit}")
            whole %= size
    return " ".join(parts)


def cut(history: History, since: float) -> History:
    """Return the history from `since` on, without the agents and attempts that had ended by then."""
    lives = [
        replace(life, attempts=[tried for tried in life.attempts if tried.ended is None or tried.ended > since])
        for life in history.lives
        if life.ended is None or life.ended > since
    ]
    begin = min(max(since, min(map(first, lives), default=history.end)), history.end)
    before = [(begin, limit) for at, limit in history.limits if at <= begin]
    limits = before[-1:] + [change for change in history.limits if change[0] > begin]
    return history._replace(lives=lives, limits=limits, begin=begin)


def first(life: Lifecycle) -> float:
    """Return when the agent was queued for the first time."""
    return min([life.queued, *(attempt.queued for attempt in life.attempts)])


def last(life: Lifecycle) -> float:
    """Return when the agent ended, or was last queued if it has not ended."""
    return life.ended if life.ended is not None else life.queued
