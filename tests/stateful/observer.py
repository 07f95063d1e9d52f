"""An observer beside the daemon: which processes can run, for how long each attempt ran, since when there is a stall.

It knows processes, clients and the clock, and from the state only what stands in line. It asks no function of the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchd.core.state.agents import Agent, AgentId, Frozen, Status, StopReason
from orchd.core.state.events import AgentFrozen, AgentReturned, AgentThawed, AttemptAdmitted, Event
from orchd.core.state.state import State
from tests.stateful import naive, naive_starts
from tests.stateful.naive_starts import ROUNDING
from tests.stateful.outside import Key, can_run

if TYPE_CHECKING:
    from tests.stateful.daemon import Daemon


@dataclass
class Clock:
    """The time of one attempt that counts for its time-out."""

    counted: float
    last: float
    is_held: bool = False


def _is_cut_short(agent: Agent, event: AgentReturned | AgentThawed) -> bool:
    """Whether the agent may wait again at once: its wait expired or was cut short."""
    if isinstance(event, AgentThawed):
        return agent.frozen in {Frozen.WAIT_CUT, Frozen.BUSY}
    return agent.waits[event.request].is_expired


@dataclass
class Observer:
    """Observations up to the last turn."""

    runnable: set[Key] = field(default_factory=set)
    holders: set[Key] = field(default_factory=set)  # attempts that held a slot, also if their answer was lost
    clocks: dict[Key, Clock] = field(default_factory=dict)
    stalled_since: float | None = None
    is_new_due: bool = False  # the last slot went back to an agent whose wait was cut short
    passed_over: set[AgentId] = field(default_factory=set)  # queued agents that could have had that slot
    loans: int = 0
    borrower: AgentId | None = None  # the agent that got the slot of the last loan

    def note(self, world: Daemon, event: Event) -> None:
        """A event that hands out a slot, or takes one away; `world` is as it was before it."""
        state = world.state
        if isinstance(event, AttemptAdmitted):
            self.is_new_due, self.passed_over = False, set()
            self.stalled_since = None  # no stall while it is at work, and that may be over when the turn is
        elif isinstance(event, AgentReturned | AgentThawed):
            has_slot = naive.working(state) < state.limit
            still = (
                self.passed_over & {agent.id for agent in naive_starts.startable(world, may_use_reserve=False)}
                if has_slot
                else set()
            )
            assert not still or self.borrower == event.agent, (
                f"two agents whose waits were cut short went before {still}"
            )
            self.is_new_due = _is_cut_short(state.agents[event.agent], event)
            self.passed_over = (
                {agent.id for agent in naive_starts.startable(world, may_use_reserve=False)}
                if self.is_new_due and has_slot
                else set()
            )
        elif isinstance(event, AgentFrozen) and event.cause is Frozen.LENT:
            self._check_loan(world, event)
            self.loans += 1
            self.borrower, self.stalled_since = event.lent_to, None

    def _check_loan(self, world: Daemon, event: AgentFrozen) -> None:
        lender, borrower = world.state.agents[event.agent], event.lent_to
        assert lender.status is Status.RUNNING, "an agent that was not at work lent its slot"
        assert borrower in naive.needs(world.state, lender), "a slot was lent to an agent that the lender does not need"
        if not world.state.stall_after:
            return  # the stall may have begun in this turn
        assert self.stalled_since is not None, "a slot was lent without a stall"
        lasted = world.now - self.stalled_since
        assert lasted >= world.state.stall_after - ROUNDING, "a slot was lent before the stall had lasted"

    def may_break_a_stall(self, state: State) -> bool:
        """Whether there is a stall, or one may have begun in this turn."""
        return self.stalled_since is not None or not state.stall_after

    def check_stop(self, world: Daemon, agent_id: AgentId, cause: StopReason) -> None:
        """A time-out counts no time for which only a slot was missing."""
        agent = world.state.agents[agent_id]
        if cause is StopReason.TIMEOUT and agent.spec.timeout is not None:
            counted = self._counted(world, (agent_id, agent.attempt))
            assert counted >= agent.spec.timeout - ROUNDING, "timed out although it was held for part of the time"

    def _counted(self, world: Daemon, key: Key) -> float:
        clock = self.clocks[key]
        return clock.counted + (0.0 if clock.is_held else world.now - clock.last)

    def look(self, world: Daemon) -> None:
        """After what a turn led to was done."""
        clients = world.clients.values()
        runnable = {key for key, proc in world.procs.items() if can_run(proc, clients)}
        state = world.state
        if state.is_strict:
            new = runnable - self.runnable - self.holders
            assert len(runnable) <= state.limit or not new, (
                f"{len(runnable)} agents can run at limit {state.limit}: {sorted(new)} began to"
            )
        self.runnable = runnable
        working = [agent for agent in naive.living(state) if agent.status in naive.WORKING]
        self.holders = {(agent.id, agent.attempt) for agent in working}
        for agent in naive.living(state):
            key = (agent.id, agent.attempt)
            if agent.status is Status.WAITING:
                assert key not in runnable, "it counts as waiting and can run"
            is_frozen = agent.frozen is not None or agent.is_paused
            assert is_frozen == world.procs[key].is_frozen, "frozen in the state or in event, not both"
        self._tell_time(world)
        is_stalled = naive_starts.is_stalled(world)
        self.stalled_since = (world.now if self.stalled_since is None else self.stalled_since) if is_stalled else None
        running = {agent.id for agent in working if agent.status is Status.RUNNING}
        is_full = naive.working(state) >= state.limit
        if not (is_full and any(naive.is_returning(state, agent, world.now) for agent in naive.living(state))):
            running &= {agent.lent_to for agent in naive.living(state)}
        assert is_stalled or running >= state.standing, "it counts as standing still and keeps no agent from its slot"
        if not is_stalled:
            assert state.is_stall_announced == bool(state.standing), "a stall without an announcement, or the reverse"

    def _tell_time(self, world: Daemon) -> None:
        alive = {(agent.id, agent.attempt): agent for agent in naive.living(world.state)}
        for key in alive:
            if key in self.clocks:
                self.clocks[key].counted = self._counted(world, key)
        self.clocks = {key: self.clocks.get(key, Clock(0.0, world.now)) for key in alive}
        for key, agent in alive.items():
            self.clocks[key].last = world.now
            is_frozen = agent.frozen is not None or agent.is_paused
            self.clocks[key].is_held = is_frozen or naive.is_returning(world.state, agent, world.now)

    def check_time(self, world: Daemon) -> None:
        """When the daemon has nothing due at this moment, no time-out is overdue and no stall goes unnoticed."""
        for agent in naive.living(world.state):
            clock, timeout = self.clocks[agent.id, agent.attempt], agent.spec.timeout
            if agent.status is not Status.STOPPING and timeout is not None and not clock.is_held:
                assert clock.counted < timeout + ROUNDING, "it timed out after it may"
        if self.stalled_since is not None and world.now >= self.stalled_since + world.state.stall_after + ROUNDING:
            assert world.state.is_stall_announced, "a stall was neither broken nor announced"

    def begin_anew(self) -> None:
        """A new daemon: what it does not remember is no promise of it."""
        self.stalled_since, self.is_new_due, self.passed_over = None, False, set()
