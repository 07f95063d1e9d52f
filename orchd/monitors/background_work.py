"""Detects agents that count as waiting and work all the same, by the CPU time of their process trees.

An agent may wait in the background (`orchctl wait agent-002 &`) and keep working. No event shows it, so the CPU time of
each waiting agent is compared with what it was, soon after its wait began and then ever less often. Nothing is looked
at while no agent waits. A frozen agent uses no CPU unless another process wakes it; then it is frozen again.

Two looks in a row must find work: a wrong guess costs more than a late one, because an agent that is frozen or holds a
slot although it only waits keeps others from running. The numbers: Claude Code whose shell tool runs `orchctl wait`
uses 2 to 3 % of a CPU while it waits, also on a machine with ten times as many ready processes as CPUs; an idle shell
or a client uses none. So 5 % is work. A tree that computes gets less than that on such a busy machine. There the time
for which its processes waited for a CPU is counted too: of a tree that computes this and its CPU time are all of the
time, of Claude Code at most a quarter.

The price: with 21 waiting agents the daemon uses about 1 % of a CPU, and 2 % when each has ten processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchd.core.inputs import WorkedWhileWaiting
from orchd.core.state.agents import Agent, AgentId
from orchd.core.state.state import State

FIRST, LONGEST = 0.1, 2.0  # seconds until the first look at a wait, and between two looks at most
AGAIN = 0.5  # seconds from a look that found work to the look that confirms it
SHARE = 0.05  # of one CPU
WANTED = 0.5  # of one CPU, the time in which processes waited for it included
SLACK = 0.03  # seconds of CPU: what a client uses to begin and to end a wait


@dataclass(slots=True)
class _Look:
    """The last measurement of one waiting agent, and the time of the next."""

    attempt: int
    waits: int
    cpu: float
    delay: float
    is_frozen: bool
    at: float
    due: float
    has_worked: bool = False


class BackgroundWork:
    """Measures the waiting agents of `state`. `load_seconds` are the CPU time of the tree of an attempt and the time in
    which its processes waited for a CPU; `freeze` freezes it again."""

    def __init__(
        self,
        state: State,
        load_seconds: Callable[[AgentId, int], tuple[float, float]],
        freeze: Callable[[AgentId, int], None],
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._load_seconds = load_seconds
        self._freeze = freeze
        self._clock = clock
        self._looks: dict[AgentId, _Look] = {}

    def next_deadline(self) -> float | None:
        """Return the time of the next measurement, on the clock that is compared; None while no agent waits."""
        if not self._state.waiting or not self._state.is_strict:
            self._looks.clear()
            return None
        now = self._clock()
        for agent_id in [agent_id for agent_id in self._looks if agent_id not in self._state.waiting]:
            del self._looks[agent_id]
        for agent in self._state.waiting.values():
            seen = self._looks.get(agent.id)
            if seen is None or not _is_about(seen, agent):
                self._looks[agent.id] = self._measure(agent, now, now + FIRST)
            elif seen.waits != len(agent.waits):  # what it used still counts: waits may come and go all the time
                seen.waits, seen.due = len(agent.waits), min(seen.due, now + FIRST)
        return min((seen.due for seen in self._looks.values()), default=None)

    def look(self) -> list[WorkedWhileWaiting]:
        """Return the agents that worked in their last two intervals."""
        now, working = self._clock(), []
        for agent_id, before in self._looks.items():
            agent = self._state.waiting.get(agent_id)
            if before.due > now or agent is None or not _is_about(before, agent):
                continue
            seen = self._looks[agent_id] = self._measure(agent, now, now)
            cpu, took = seen.cpu - before.cpu, seen.at - before.at
            is_busy = cpu > SLACK + SHARE * took or cpu + seen.delay - before.delay > SLACK + WANTED * took
            seen.has_worked = is_busy and not seen.is_frozen
            seen.due += AGAIN if seen.has_worked else min(2 * (now - before.at), LONGEST)
            if seen.has_worked and before.has_worked:
                working.append(WorkedWhileWaiting(agent.id, agent.attempt))
            if seen.is_frozen and seen.cpu > before.cpu:
                self._freeze(agent.id, agent.attempt)
        return working

    def _measure(self, agent: Agent, now: float, due: float) -> _Look:
        cpu, delay = self._load_seconds(agent.id, agent.attempt)
        return _Look(agent.attempt, len(agent.waits), cpu, delay, agent.has_frozen_tree, now, due)


def _is_about(seen: _Look, agent: Agent) -> bool:
    """Return whether the agent still waits, or is frozen, as at its measurement."""
    return (seen.attempt, seen.is_frozen) == (agent.attempt, agent.has_frozen_tree)
