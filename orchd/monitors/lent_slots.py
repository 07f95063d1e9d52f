"""Detects agents without progress while another agent waits for a slot, by their CPU time and output.

An agent that lent its slot is frozen with all that it holds, and an agent whose wait has ended cannot continue. An
agent at work that needs such a thing, a lock or the other end of a pipe, is blocked for ever. No event shows that. What
shows it is that it uses no CPU and writes no output, as does an agent that waits for time or for the network, so that
it is announced and nothing is done about it. Of an agent in a lent slot this is enough; an agent whose wait has ended
gets the slot of any other agent, so that all agents at work must stand still. Nothing is looked at while no agent waits
for a slot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchd.core.admission.without_slot import lender_of, returning_without_slot
from orchd.core.handlers.stalls import at_work
from orchd.core.inputs import StoodStill
from orchd.core.state.agents import AgentId
from orchd.core.state.state import State

Key = tuple[AgentId, int]

LOOKS = 4  # in `stall_after` seconds
LONGEST = 10.0  # seconds between two looks
SHORTEST = 0.1
SLACK = 0.01  # seconds of CPU between two looks, or of waiting for one: less is no progress


@dataclass(slots=True)
class _Progress:
    """The last measurement of an agent at work."""

    load: float  # seconds of CPU, and of waiting for a CPU
    moved: float  # when it was last seen to make progress, on the clock that is compared


class LentSlots:
    """Measures the agents of `state` that keep another from its slot.

    `load_seconds` are the CPU time of the tree of an attempt and the time in which its processes waited for a CPU;
    `quiet_for` are the seconds since its last output.
    """

    def __init__(
        self,
        state: State,
        load_seconds: Callable[[AgentId, int], tuple[float, float]],
        quiet_for: Callable[[AgentId, int], float],
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._load_seconds = load_seconds
        self._quiet_for = quiet_for
        self._clock = clock
        self._looks: dict[Key, _Progress] = {}
        self._due: float | None = None
        self._reported: frozenset[Key] = frozenset()

    def next_deadline(self) -> float | None:
        """Return the next measurement, on the clock that is compared; None while no agent waits for a slot."""
        has_lent = any(agent.lent_to is not None for agent in self._state.waiting.values())
        if not has_lent and returning_without_slot(self._state) is None:
            self._due, self._reported = None, frozenset()
            self._looks.clear()
        elif self._due is None:
            self._due = self._clock() + self._pause()
        return self._due

    def look(self) -> list[StoodStill]:
        """Return the agents without progress, when these are others than before; empty otherwise."""
        now = self._clock()
        if self._due is None or now < self._due:
            return []
        self._due = now + self._pause()
        lent = [agent.lent_to for agent in self._state.waiting.values() if agent.lent_to is not None]
        borrowers = [
            (agent_id, self._state.living[agent_id].attempt)
            for agent_id in lent
            if lender_of(self._state, agent_id) is not None
        ]
        # all at work, where one of them may be what an agent that waits for a slot waits for
        busy = [] if returning_without_slot(self._state) is None else at_work(self._state)
        workers = [(agent.id, agent.attempt) for agent in busy]
        looks: dict[Key, _Progress] = {}
        for key in (*borrowers, *workers):
            load, before = sum(self._load_seconds(*key)), self._looks.get(key)
            has_worked = before is None or load > before.load + SLACK
            moved = now if before is None or has_worked else max(before.moved, now - self._quiet_for(*key))
            looks[key] = _Progress(load, moved)
        self._looks = looks
        still = frozenset(key for key, progress in looks.items() if now - progress.moved >= self._state.stall_after)
        if not still.issuperset(workers):
            still &= frozenset(borrowers)
        if still == self._reported:
            return []
        self._reported = still
        return [StoodStill(still)]

    def _pause(self) -> float:
        return min(max(self._state.stall_after / LOOKS, SHORTEST), LONGEST)
