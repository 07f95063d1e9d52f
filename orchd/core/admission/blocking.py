"""Blocks that keep a line from starting although slots are free: disk pressure, a rate limit, or a spent budget."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from orchd.core.state.ready_queue import QueueKey
from orchd.core.state.runs import RunId
from orchd.core.state.sessions import SessionId
from orchd.core.state.state import State


class Rule(StrEnum):
    """The rules that can block a start, by their names in the protocol."""

    HELD = "held"
    AFTER = "after"
    RETRY_DELAY = "retry-delay"
    DAEMON_STOPPING = "daemon-stopping"
    PAUSED = "paused"
    MACHINE = "machine"
    DISK = "disk"
    RATE_LIMITED = "rate-limited"
    BUDGET = "budget"
    MAX_PARALLEL = "max-parallel"
    LIMIT = "limit"
    RESIDENT = "resident"
    NESTING = "nesting"
    ORDER = "order"


class Block(NamedTuple):
    """What blocks a start: the rule, a sentence, and the agent, runner, run or session that the next step names."""

    rule: Rule
    sentence: str
    scope: str = ""


def why_blocked(state: State, line: QueueKey, now: float) -> Block | None:
    """Return what blocks every agent in `line`; None when nothing does."""
    if state.has_disk_pressure:
        sentence = "low disk space (below `free_bytes` in config.toml); it starts automatically once space is free"
        return Block(Rule.DISK, sentence)
    until = state.holds.get(line.runner)
    if until is not None and until.mono > now:
        sentence = f"{line.runner} is rate-limited for another {until.mono - now:.0f} s; `orchctl resume` retries now"
        if until.reason:
            sentence += f". The service reported: {until.reason}"
        return Block(Rule.RATE_LIMITED, sentence, line.runner)
    run = state.runs.get(RunId(line.run))
    session = state.sessions.get(SessionId(line.session))
    for scope in (run, session):
        if scope is not None and (reached := scope.budget.reached_by(scope.spent)) is not None:
            sentence = f"the budget of {scope.id} is used up: {reached}; raise it with `orchctl budget {scope.id}`"
            return Block(Rule.BUDGET, sentence, scope.id)
    return None
