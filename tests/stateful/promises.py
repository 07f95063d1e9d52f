"""What must hold: at each admission, at each return, after each turn and for each reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchd.core import inputs
from orchd.core.effects import Answer, Refuse
from orchd.core.facts import (
    AdmissionsResumed,
    AgentCancelled,
    AgentCompleted,
    AgentFact,
    AgentFailed,
    AgentLost,
    AgentQueued,
    AgentReturned,
    AgentSkipped,
    AgentTimedOut,
    AttemptAdmitted,
    AttemptDeferred,
    AttemptRetried,
    AttemptVoided,
    Fact,
    RunnerLimited,
    StopBegan,
)
from orchd.core.index import indexes, recount
from orchd.core.model import OVER, Agent, AgentId, Cause, Instant, State, Status
from orchd.core.queue import AGING_SECONDS
from orchd.core.runs import RunStatus
from orchd.core.turn import Turn
from tests.stateful import naive, naive_runs

if TYPE_CHECKING:
    from tests.stateful.world import Client, World

ROUNDING = 1e-6  # seconds: the time of one clock is told by another, which takes a sum and a difference
ENDLESS = 10_000  # facts of one turn; the worlds are small
BAD_ENDS = AgentFailed | AgentCancelled | AgentTimedOut | AgentLost | AttemptRetried | AttemptDeferred


class WatchedTurn(Turn):
    """A turn that looks at each fact in the moment it is recorded."""

    def __init__(self, world: World, events: tuple[inputs.Input, ...]) -> None:
        super().__init__(world.state, Instant(world.now, world.now))
        self.world = world
        self.events = events
        self.tries: dict[AgentId, int] = {}

    def record(self, fact: Fact) -> None:
        """Look, then record."""
        self.world.story.append(fact)
        assert len(self.facts) < ENDLESS, "a turn without end"
        if isinstance(fact, AttemptAdmitted):
            self._check_admission(fact)
        if isinstance(fact, AgentReturned):
            self._check_return(fact)
        if isinstance(fact, AttemptDeferred):
            agent = self.state.agents[fact.agent]
            self.tries[agent.id] = agent.tries
            assert agent.cause is Cause.ENDED, "put off what somebody ended"
        if isinstance(fact, AttemptRetried):
            agent = self.state.agents[fact.agent]
            assert agent.tries < agent.spec.retries, "retried too often"
            assert agent.cause is not Cause.CANCELLED, "retried what somebody ended"
        if isinstance(fact, AgentQueued) and fact.ancestors:
            assert self._children(fact.ancestors[-1]) < self.state.guards.children, "more children than may be"
        if isinstance(fact, AgentFailed | AttemptRetried):
            assert not _is_turned_away(self.state.agents[fact.agent]), "blamed for what its service did"
        super().record(fact)
        if isinstance(fact, AttemptDeferred):
            assert self.state.agents[fact.agent].tries == self.tries[fact.agent], "it lost a try for nothing"
        assert naive.is_safe(self.state), "what lives could deadlock"

    def _children(self, parent: AgentId) -> int:
        return sum(1 for agent in self.state.agents.values() if agent.parent == parent and not agent.is_over)

    def _check_admission(self, fact: AttemptAdmitted) -> None:
        state, agent = self.state, self.state.agents[fact.agent]
        assert naive.working(state) < state.limit, "admitted beyond the limit"
        assert len(naive.living(state)) < state.resident, "admitted beyond the resident places"
        assert not state.is_paused, "admitted while paused"
        assert not state.is_short, "admitted while the disk is nearly full"
        assert state.held_until <= self.now, "admitted while the machine refuses"
        assert not self._is_held(agent), "admitted while its service wants no more"
        assert not self.world.ledger.is_spent(agent, self.facts), "admitted though its budget is spent"
        assert naive.is_ready(state, agent, self.now), "admitted before it was ready"
        assert naive_runs.has_room(state, agent), "admitted beyond the maxParallel of its run"
        for node in naive_runs.what_is_before(state, agent):
            run = state.runs[agent.spec.member.run]  # type: ignore[union-attr]
            assert naive_runs.end_of(run, node, self.world.look) == "completed", "admitted after what did not complete"
        assert not state.is_draining or naive.is_needed(state, agent), "admitted on the way out"
        assert (fact.agent, fact.attempt) not in self.world.admitted, "an attempt number was handed out twice"
        assert fact.agent not in self.world.completed, "what has completed runs again"
        able = [one for one in naive.living(state) if naive_runs.has_room(state, one)]
        waits = [wait for one in able for wait in one.waits.values()]
        assert not any(naive.is_true(state, wait) for wait in waits), "a new agent went before one that returns"

    def _is_held(self, agent: Agent) -> bool:
        """By what is on the disk and what this turn brought."""
        held = dict(self.world.held)
        for fact in self.facts:
            if isinstance(fact, RunnerLimited):
                held[fact.runner] = fact.until
            if isinstance(fact, AdmissionsResumed):
                held.clear()
        return held.get(agent.spec.runner or "", 0.0) > self.now + ROUNDING

    def _check_return(self, fact: AgentReturned) -> None:
        agent = self.state.agents[fact.agent]
        deadline = agent.waits[fact.request].deadline
        is_late = deadline is not None and deadline <= self.now
        is_cut_short = is_late or inputs.CallerGone(fact.agent, fact.request) in self.events
        assert is_cut_short or naive.working(self.state) < self.state.limit, "returned without a place"
        assert is_cut_short or naive_runs.has_room(self.state, agent), "returned beyond the maxParallel of its run"


def _is_turned_away(agent: Agent) -> bool:
    """Whether it ended by itself because its service wanted no more. A run that is cut short has no use for more."""
    report = agent.outcome.report if agent.outcome else None
    is_limited = report is not None and report.limited_until is not None and agent.spec.runner is not None
    return is_limited and agent.cause is Cause.ENDED and agent.spec.member is None


def check_turn(world: World, turn: WatchedTurn) -> None:
    """What one turn must have done; the next one cannot tell any more."""
    check_ends(world, turn)
    check_cancels(world.state, turn)


def check(world: World, turn: WatchedTurn) -> None:
    """Everything that holds between two turns."""
    state = world.state
    assert recount(state) == indexes(state)
    alive = {key for key, proc in world.procs.items() if proc.is_alive}
    assert {(agent.id, agent.attempt) for agent in naive.living(state)} == alive, "places and processes differ"
    assert all(agent.status is not Status.STARTING for agent in naive.living(state))
    for agent in state.agents.values():
        check_agent(world, agent)
    check_runs(world, turn)
    check_nobody_idles(world, turn.now)
    world.ledger.check(state)


def check_agent(world: World, agent: Agent) -> None:
    """What holds for each one."""
    state = world.state
    below = naive.all_below(state, agent)
    assert agent.id not in below, "it waits for itself"
    if agent.waits:
        reach = max((other.claim for other in below.values()), default=-1)
        assert agent.claim > reach, "it waits for more levels than it claims"
    assert bool(agent.waits) == (agent.status is Status.WAITING)
    clients = {one: client for one, client in world.clients.items() if client.begin.agent == agent.id}
    connected = {one for one, client in clients.items() if client.is_connected}
    if agent.status in naive.LIVING:
        assert connected <= set(agent.waits), "a client without its wait"
    if agent.status is Status.QUEUED:
        if agent.spec.member is None:
            stored = [world.store[one] for one in agent.spec.after]
            assert all(one.status is Status.COMPLETED or not one.is_over for one in stored), "it can never start"
        for node in naive_runs.what_is_before(state, agent):
            end = naive_runs.end_of(state.runs[agent.spec.member.run], node, world.look)  # type: ignore[union-attr]
            assert end in {None, "completed"}, "it can never start"


def check_ends(world: World, turn: WatchedTurn) -> None:
    """A parent that did not complete takes its children with it; one that completed does not."""
    state = world.state
    for fact in turn.facts:
        if not isinstance(fact, AgentFact):
            continue
        children = [one for one in state.agents.values() if one.parent == fact.agent and one.id not in world.revived]
        if isinstance(fact, BAD_ENDS):
            for child in children:
                assert child.is_over or child.cause is Cause.CANCELLED, "an orphan of a parent that did not complete"
        is_alone = len(turn.events) == 1 and not any(isinstance(other, AgentFailed) for other in turn.facts)
        if isinstance(fact, AgentCompleted) and is_alone:  # a launch that fails in the same turn may fail a run fast
            ended = {other.agent for other in turn.facts if isinstance(other, AgentCancelled | StopBegan)}
            assert not ended & {child.id for child in children}, "cancelled because its parent completed"


def check_runs(world: World, turn: WatchedTurn) -> None:
    """A run is over when all its members are, with the right word, and what fails fast has."""
    for run in world.state.runs.values():
        end = naive_runs.end_of(run, "", world.look)
        assert (end is None) == (run.status is RunStatus.RUNNING), "a run that should be over is not, or is"
        members = {path: world.look(AgentId(mate.agent)) for path, mate in run.members.items()}
        is_revived = any(agent.id in world.revived for agent in members.values())
        if end is not None and (end == "failed" or not is_revived):  # who tries some again may leave others skipped
            assert (end == "completed") == (run.status is RunStatus.COMPLETED), "a run ended with the wrong word"
        if is_revived:
            continue
        for group in run.groups.values():
            if group.is_fail_fast and naive_runs.has_failed(run, group.path, world.look):
                left = [agent for path, agent in members.items() if naive_runs.is_in(path, group.path)]
                assert all(one.is_over or one.status is Status.STOPPING for one in left), "it did not fail fast"


def check_cancels(state: State, turn: WatchedTurn) -> None:
    """Nothing that is named in a cancel, nor anything under it, goes on."""
    named = {one for event in turn.events if isinstance(event, inputs.Cancel) for one in event.ids}
    for agent in state.agents.values() if named else ():
        if not named.isdisjoint({agent.id, *agent.ancestors}):
            assert agent.is_over or agent.cause is Cause.CANCELLED, "cancelled and goes on"


def check_started(turn: Turn) -> None:
    """Who asked for no queueing was refused, or all of them were admitted in that turn, if the machine could."""
    queued = {fact.agent for fact in turn.facts if isinstance(fact, AgentQueued)}
    admitted = {fact.agent for fact in turn.facts if isinstance(fact, AttemptAdmitted | AgentSkipped)}
    assert queued <= admitted or any(isinstance(fact, AttemptVoided) for fact in turn.facts), "queued all the same"


def check_nobody_idles(world: World, now: float) -> None:
    """No place is free while somebody may have it."""
    state = world.state
    waiting = [one for one in naive.living(state) if naive_runs.has_room(state, one)]
    returning = [one for one in waiting for wait in one.waits.values() if naive.is_true(state, wait)]
    if naive.working(state) >= state.limit:
        return
    assert not returning, "it may return and does not"
    if state.is_paused or state.is_short or state.held_until > now or len(naive.living(state)) >= state.resident:
        return
    ready = [agent for agent in state.agents.values() if naive.is_ready(state, agent, now)]
    ready = [agent for agent in ready if naive_runs.has_room(state, agent)]
    ready = [agent for agent in ready if world.held.get(agent.spec.runner or "", 0.0) <= now - ROUNDING]
    ready = [agent for agent in ready if not world.ledger.is_spent(agent, ())]
    unsafe = [agent for agent in ready if not naive.is_safe(state, agent.claim)]
    has_aged = any(now - agent.age > AGING_SECONDS for agent in unsafe)
    for agent in ready:
        may = agent not in unsafe and (not state.is_draining or naive.is_needed(state, agent))
        if may and has_aged and agent.claim:
            may = naive.is_needed(state, agent)
        assert not may, f"{agent.id} may start and does not"


def check_reply(world: World, client: Client, reply: Answer | Refuse) -> None:
    """A wait is answered when it is true, when its time is up, or refused for a reason that is."""
    state, begin = world.state, client.begin
    if isinstance(reply, Refuse):
        agent = state.agents.get(begin.agent)
        is_ending = agent is None or agent.status not in {Status.RUNNING, Status.WAITING}
        assert reply.code in {"would-deadlock", "cycle"} or (reply.code == "stopping" and is_ending), reply
        return
    assert reply.agents == begin.targets
    left = [one for one in begin.targets if world.store[one].status not in OVER]
    if reply.timed_out:
        # a launch may fail in the very turn in which the time was found to be up: not over when it was
        just_now = [one for one in begin.targets if world.store[one].ended_at == world.now]
        assert left or just_now
        assert begin.timeout is not None
        assert client.since + begin.timeout <= world.now, "timed out too early"
    else:
        assert not left or (begin.is_any and len(left) < len(begin.targets)), "answered before it was true"
