"""Agents that count as waiting and work on all the same: seen by the CPU time of their process trees.

An agent may wait in the background (`orchctl wait agent-002 &`) and go on. No event tells of that, so the CPU time of
each waiting agent is compared with what it was, soon after its wait began and then ever less often. Nothing is looked
at while no agent waits, and a frozen agent cannot work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchd.core.inputs import WorkedWhileWaiting
from orchd.core.model import Agent, AgentId, State

FIRST, LONGEST = 0.1, 2.0  # seconds until the first look at a wait, and between two looks at most
SHARE = 0.05  # of one CPU: a CLI that only waits for its own tool uses less
SLACK = 0.03  # seconds of CPU: what a client uses to begin and to end a wait


@dataclass(slots=True)
class _Look:
    """What was seen of one waiting agent, and when it is looked at again."""

    attempt: int
    waits: int
    cpu: float
    at: float
    due: float


class Parked:
    """Looks at the waiting agents of `state`; `cpu_seconds` is of the tree of an attempt."""

    def __init__(self, state: State, cpu_seconds: Callable[[AgentId, int], float], clock: Callable[[], float]) -> None:
        self._state = state
        self._cpu_seconds = cpu_seconds
        self._clock = clock
        self._looks: dict[AgentId, _Look] = {}

    def next_deadline(self) -> float | None:
        """When to look again, on the clock that is compared; None while no agent could work beside its wait."""
        if not self._state.waiting or not self._state.is_strict:
            self._looks.clear()
            return None
        now = self._clock()
        waiting = {agent.id: agent for agent in self._state.waiting.values() if agent.frozen is None}
        for gone in [agent for agent in self._looks if agent not in waiting]:
            del self._looks[gone]
        for agent in waiting.values():
            seen = self._looks.get(agent.id)
            if seen is None or (seen.attempt, seen.waits) != (agent.attempt, len(agent.waits)):
                self._look(agent, now, now + FIRST)
        return min((seen.due for seen in self._looks.values()), default=None)

    def look(self) -> list[WorkedWhileWaiting]:
        """The agents that have worked since the last look at them."""
        now, busy = self._clock(), []
        for agent_id, seen in self._looks.items():
            agent = self._state.waiting.get(agent_id)
            if seen.due > now or agent is None or agent.attempt != seen.attempt or agent.frozen is not None:
                continue
            cpu, at = seen.cpu, seen.at
            self._look(agent, now, now + min(2 * (now - at), LONGEST))
            if self._looks[agent_id].cpu - cpu > SLACK + SHARE * (now - at):
                busy.append(WorkedWhileWaiting(agent.id, agent.attempt))
        return busy

    def _look(self, agent: Agent, now: float, due: float) -> None:
        cpu = self._cpu_seconds(agent.id, agent.attempt)
        self._looks[agent.id] = _Look(agent.attempt, len(agent.waits), cpu, now, due)
