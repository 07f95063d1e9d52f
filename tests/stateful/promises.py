"""Promises that must hold: at each admission, at each return, after each turn and for each reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchd.core import inputs
from orchd.core.effects import Answer, Refuse
from orchd.core.handlers.backoff import HOLD_SECONDS
from orchd.core.handlers.processes import LONGEST_HOLD
from orchd.core.state.agents import OVER, Agent, AgentId, Frozen, Instant, Status, StopReason
from orchd.core.state.events import (
    AdmissionsResumed,
    AgentCancelled,
    AgentCompleted,
    AgentEvent,
    AgentFailed,
    AgentFrozen,
    AgentLost,
    AgentQueued,
    AgentReturned,
    AgentRevived,
    AgentSkipped,
    AgentThawed,
    AgentTimedOut,
    AttemptAdmitted,
    AttemptDeferred,
    AttemptRetried,
    AttemptVoided,
    Event,
    RunnerLimited,
    StopBegan,
    WaitExpired,
    WorkSeen,
)
from orchd.core.state.indexes import indexes, recount
from orchd.core.state.runs import RunStatus
from orchd.core.state.state import State
from orchd.core.turn import Turn
from tests.stateful import naive, naive_runs, naive_starts
from tests.stateful.naive_starts import ROUNDING

if TYPE_CHECKING:
    from tests.stateful.daemon import Daemon
    from tests.stateful.outside import Client

ENDLESS = 10_000  # events of one turn; the worlds are small
BAD_ENDS = AgentFailed | AgentCancelled | AgentTimedOut | AgentLost | AttemptRetried | AttemptDeferred


class WatchedTurn(Turn):
    """A turn that looks at each event in the moment it is recorded."""

    def __init__(self, world: Daemon, inputs_: tuple[inputs.Input, ...]) -> None:
        super().__init__(world.state, Instant(world.now, world.now))
        self.world = world
        self.given = inputs_
        self.tries: dict[AgentId, int] = {}

    def record(self, event: Event) -> None:
        """Look, then record."""
        self.world.story.append(event)
        assert len(self.events) < ENDLESS, "a turn without end"
        if isinstance(event, AttemptAdmitted):
            self._check_admission(event)
        if isinstance(event, AgentReturned | AgentThawed | WorkSeen):
            self._check_return(event)
        if isinstance(event, AgentFrozen):
            self._check_freeze(event)
        if isinstance(event, WaitExpired):
            wait = self.state.agents[event.agent].waits[event.request]
            assert wait.deadline is not None, "a wait without end has expired"
            assert wait.deadline <= self.now, "a wait expired too early"
            assert not naive.is_true(self.state, wait), "a wait expired that is true"
        if isinstance(event, StopBegan):
            self.world.observer.check_stop(self.world, event.agent, event.cause)
        self.world.observer.note(self.world, event)
        if isinstance(event, AttemptDeferred):
            agent = self.state.agents[event.agent]
            self.tries[agent.id] = agent.tries
            assert agent.cause is StopReason.ENDED, "put off what somebody ended"
            assert not _has_waited_enough(self.world, agent), "waits for its service again, too often or too long"
        if isinstance(event, AgentSkipped):
            is_revived = any(isinstance(other, AgentRevived) and other.agent == event.agent for other in self.events)
            assert is_revived or event.agent not in self.world.ran, "skipped although an attempt of it ran"
        if isinstance(event, AttemptRetried):
            agent = self.state.agents[event.agent]
            assert agent.tries < agent.spec.retries, "retried too often"
            assert agent.cause is not StopReason.CANCELLED, "retried what somebody ended"
        if isinstance(event, AgentQueued) and event.ancestors:
            assert self._children(event.ancestors[-1]) < self.state.guards.children, "more children than may be"
        if isinstance(event, AgentFailed | AttemptRetried) and _is_turned_away(agent := self.state.agents[event.agent]):
            assert isinstance(event, AgentFailed), "a rate limit took one of its retries"
            assert _has_waited_enough(self.world, agent), "blamed for what its service did"
        super().record(event)
        if isinstance(event, AttemptDeferred):
            assert self.state.agents[event.agent].tries == self.tries[event.agent], "it lost a try for nothing"
        assert naive.is_safe(self.state), "what lives could deadlock"

    def _children(self, parent: AgentId) -> int:
        return sum(1 for agent in self.state.agents.values() if agent.parent == parent and not agent.is_over)

    def _check_admission(self, event: AttemptAdmitted) -> None:
        state, agent = self.state, self.state.agents[event.agent]
        assert naive.working(state) < state.limit, "admitted beyond the limit"
        assert len(naive.living(state)) < state.resident, "admitted beyond the resident slots"
        has_place = len(naive.living(state)) < naive.most_alive(state, agent.depth)
        may_use_reserve = (naive.is_needed(state, agent) and not naive.working(state)) or (
            self.world.observer.may_break_a_stall(state)
            and any(agent.id in naive.needs(state, other) for other in naive.living(state))
        )
        assert has_place or may_use_reserve or self._is_lent_to(agent), "admitted into the room of a chain"
        assert not state.is_paused, "admitted while paused"
        assert not state.has_disk_pressure, "admitted while the disk is nearly full"
        assert state.spawn_backoff_until <= self.now, "admitted while the machine refuses"
        assert not self._is_held(agent), "admitted while its service wants no more"
        assert not self.world.ledger.is_spent(agent, self.events), "admitted though its budget is spent"
        assert naive.is_ready(state, agent, self.now), "admitted before it was ready"
        assert naive_runs.has_room(state, agent), "admitted beyond the maxParallel of its run"
        if agent.spec.member is None and not agent.has_started:
            before = [self.world.look(blocker) for blocker in agent.spec.after]
            assert all(naive.is_satisfied(agent, blocker) for blocker in before), "admitted against a condition"
        for node in naive_runs.what_is_before(state, agent):
            run = state.runs[agent.spec.member.run]  # type: ignore[union-attr]
            assert naive_runs.end_of(run, node, self.world.look) == "completed", "admitted after what did not complete"
        assert not state.is_draining or naive.is_needed(state, agent), "admitted on the way out"
        assert (event.agent, event.attempt) not in self.world.admitted, "an attempt number was handed out twice"
        assert event.agent not in self.world.completed, "what has completed runs again"
        if not self.world.observer.is_new_due and not self._is_lent_to(agent):
            assert not naive_starts.returning(self.world), "a new agent went before one that returns"

    def _is_lent_to(self, agent: Agent) -> bool:
        last = self.events[-1] if self.events else None
        return isinstance(last, AgentFrozen) and last.lent_to == agent.id

    def _is_held(self, agent: Agent) -> bool:
        """Whether the runner is held, by what is on the disk and what this turn brought."""
        limits = dict(self.world.held)
        for event in self.events:
            if isinstance(event, RunnerLimited):
                limits[event.runner] = event.until
            if isinstance(event, AdmissionsResumed):
                limits.clear()
        return limits.get(agent.spec.runner or "", 0.0) > self.now + ROUNDING

    def _check_return(self, event: AgentReturned | AgentThawed | WorkSeen) -> None:
        agent = self.state.agents[event.agent]
        assert not agent.is_paused, "a paused agent went back to work"
        if not self.state.is_strict and self._is_cut_short(event):
            return
        assert naive.working(self.state) < self.state.limit, "returned without a slot"
        assert naive_runs.has_room(self.state, agent), "returned beyond the maxParallel of its run"
        if agent.lent_to is not None and naive.unfinished(self.state, [agent.lent_to]):
            candidates = [
                candidate
                for candidate in naive.living(self.state)
                if candidate is not agent and candidate.lent_to is None
            ]
            able = [candidate for candidate in candidates if naive_runs.has_room(self.state, candidate)]
            returning = [candidate.id for candidate in able if naive.is_returning(self.state, candidate, self.now)]
            assert not returning, "a lender went on in a slot that another agent can take"
        elif isinstance(event, AgentThawed | AgentReturned) and not self._is_alone(event):
            assert naive.is_returning(self.state, agent, self.now), "returned before its wait was over"

    def _is_cut_short(self, event: AgentReturned | AgentThawed | WorkSeen) -> bool:
        """Whether the lenient limit lets it work at once."""
        agent = self.state.agents[event.agent]
        if isinstance(event, AgentReturned):
            deadline = agent.waits[event.request].deadline
            return (deadline is not None and deadline <= self.now) or self._is_alone(event)
        return isinstance(event, AgentThawed) and agent.frozen is not Frozen.LENT

    def _is_alone(self, event: AgentReturned | AgentThawed | WorkSeen) -> bool:
        """Whether the client of its wait has just died."""
        return isinstance(event, AgentReturned) and inputs.CallerGone(event.agent, event.request) in self.given

    def _check_freeze(self, event: AgentFrozen) -> None:
        """An agent is kept from running only while it has no slot, and for one of four reasons."""
        agent, state = self.state.agents[event.agent], self.state
        assert agent.frozen is None, "frozen twice"
        if event.cause is Frozen.LENT:
            assert event.lent_to is not None, "lent to no agent"
            return
        if agent.is_paused:
            is_released = any(
                isinstance(input_, inputs.PauseAgents) and input_.is_slot_released for input_ in self.given
            )
            assert event.cause is not Frozen.PAUSED or is_released, "its slot was taken without a request"
            return
        assert state.is_strict, "frozen although the limit is lenient"
        has_slot = naive.working(state) < state.limit and naive_runs.has_room(state, agent)
        assert not has_slot, "frozen beside a free slot"
        if event.cause is Frozen.WAIT_CUT:
            assert inputs.CallerGone(event.agent, event.request or "") in self.given, "frozen, and its client lives"  # type: ignore[arg-type]
        else:
            assert inputs.WorkedWhileWaiting(event.agent, event.attempt) in self.given, "frozen, and it did not work"


def _is_turned_away(agent: Agent) -> bool:
    """Whether it ended by itself because its service wanted no more. A run that is cut short has no use for more."""
    report = agent.outcome.report if agent.outcome else None
    is_limited = report is not None and report.limited_until is not None and agent.spec.runner is not None
    return is_limited and agent.cause is StopReason.ENDED and agent.spec.member is None


def _has_waited_enough(world: Daemon, agent: Agent) -> bool:
    """Whether it has waited for its service as often or as long as it may."""
    state, now, limits = world.state, world.now, world.rate_limits.get(agent.id, [])
    report = agent.outcome.report if agent.outcome else None
    until = min(max(report.limited_until or 0.0, now + HOLD_SECONDS), now + LONGEST_HOLD) if report else now
    return len(limits) >= state.rate_limit_waits or until - min(limits, default=now) > state.rate_limit_time


def check_turn(world: Daemon, turn: WatchedTurn) -> None:
    """Check one turn for what the next turn cannot show any more."""
    check_ends(world, turn)
    check_cancels(world.state, turn)
    check_pauses(world, turn)


def check(world: Daemon, turn: WatchedTurn) -> None:
    """Everything that holds between two turns."""
    state = world.state
    assert recount(state) == indexes(state)
    alive = {key for key, proc in world.procs.items() if proc.is_alive}
    assert {(agent.id, agent.attempt) for agent in naive.living(state)} == alive, "slots and processes differ"
    assert all(agent.status is not Status.STARTING for agent in naive.living(state))
    for agent in state.agents.values():
        check_agent(world, agent)
    check_runs(world, turn)
    if not turn.is_cut_short:
        check_nobody_idles(world)
    world.ledger.check(state)


def check_agent(world: Daemon, agent: Agent) -> None:
    """Check the promises about one agent."""
    state = world.state
    below = naive.all_below(state, agent)
    assert agent.id not in below, "it waits for itself"
    if agent.waits or agent.lent_to:
        reach = max((other.claim for other in below.values()), default=-1)
        assert agent.claim > reach, "it waits for more levels than it claims"
    is_parked = agent.frozen is not None or bool(naive.blocking(agent))
    assert is_parked == (agent.status is Status.WAITING), "it waits and does not count so, or the other way round"
    assert not agent.waits or agent.status in naive.LIVING, "it waits for agents and is not alive"
    assert agent.frozen is None or not naive.blocking(agent), "frozen, and blocked all the same"
    assert (agent.lent_to is None) == (agent.frozen is not Frozen.LENT), (
        "it lent its slot to no agent, or was not frozen"
    )
    is_held = agent.status is Status.WAITING and naive.is_returning(state, agent, world.now)
    assert (agent.held_since is not None) == (is_held or agent.frozen is not None or agent.is_suspended), (
        "held without a reason, or unnoticed"
    )
    clients = {request: client for request, client in world.clients.items() if client.begin.agent == agent.id}
    connected = {request for request, client in clients.items() if client.is_connected}
    if agent.status in naive.LIVING:
        assert connected <= set(agent.waits), "a client without its wait"
    if agent.status is Status.QUEUED:
        if agent.spec.member is None:
            stored = [world.store[blocker] for blocker in agent.spec.after if not agent.has_started]
            assert all(naive.is_satisfied(agent, blocker) or not blocker.is_over for blocker in stored), (
                "it can never start"
            )
        for node in naive_runs.what_is_before(state, agent):
            end = naive_runs.end_of(state.runs[agent.spec.member.run], node, world.look)  # type: ignore[union-attr]
            assert end in {None, "completed"}, "it can never start"


def check_ends(world: Daemon, turn: WatchedTurn) -> None:
    """A parent that did not complete takes its children with it; one that completed does not."""
    state = world.state
    for event in turn.events:
        if not isinstance(event, AgentEvent):
            continue
        children = [
            child for child in state.agents.values() if child.parent == event.agent and child.id not in world.revived
        ]
        if isinstance(event, BAD_ENDS):
            for child in children:
                assert child.is_over or child.cause is StopReason.CANCELLED, (
                    "an orphan of a parent that did not complete"
                )
        is_alone = len(turn.given) == 1 and not any(isinstance(other, AgentFailed) for other in turn.events)
        if isinstance(event, AgentCompleted) and is_alone:  # a launch that fails in the same turn may fail a run fast
            ended = {other.agent for other in turn.events if isinstance(other, AgentCancelled | StopBegan)}
            assert not ended & {child.id for child in children}, "cancelled because its parent completed"


def check_runs(world: Daemon, turn: WatchedTurn) -> None:
    """A run is over when all its members are, with the right word, and what fails fast has."""
    for run in world.state.runs.values():
        end = naive_runs.end_of(run, "", world.look)
        assert (end is None) == (run.status is RunStatus.RUNNING), "a run that should be over is not, or is"
        members = {path: world.look(AgentId(mate.agent)) for path, mate in run.members.items()}
        is_revived = any(agent.id in world.revived for agent in members.values())
        if end is not None:
            assert (end == "completed") == (run.status is RunStatus.COMPLETED), "a run ended with the wrong word"
        if is_revived:
            continue
        for group in run.groups.values():
            if group.is_fail_fast and naive_runs.has_failed(run, group.path, world.look):
                members_inside = [agent for path, agent in members.items() if naive_runs.is_in(path, group.path)]
                assert all(member.is_over or member.status is Status.STOPPING for member in members_inside), (
                    "it did not fail fast"
                )


def check_cancels(state: State, turn: WatchedTurn) -> None:
    """Nothing that is named in a cancel, nor anything under it, goes on."""
    named = {agent_id for input_ in turn.given if isinstance(input_, inputs.Cancel) for agent_id in input_.ids}
    for agent in state.agents.values() if named else ():
        if not named.isdisjoint({agent.id, *agent.ancestors}):
            assert agent.is_over or agent.cause is StopReason.CANCELLED, "cancelled and goes on"


def check_pauses(world: Daemon, turn: WatchedTurn) -> None:
    """An agent that a request named is paused, or is not, when that is answered; and no time-out ends a paused one."""
    answered = {effect.request for effect in turn.effects if isinstance(effect, Answer)}
    for input_ in turn.given:
        if isinstance(input_, inputs.PauseAgents | inputs.ResumeAgents) and input_.request in answered:
            is_paused = isinstance(input_, inputs.PauseAgents)
            assert all(world.look(agent_id).is_paused == is_paused for agent_id in input_.ids), "answered, and not done"
            is_slot_kept = is_paused and not input_.is_slot_released  # type: ignore[union-attr]
            taken = [event.agent for event in turn.events if isinstance(event, AgentFrozen)]
            assert not is_slot_kept or set(input_.ids).isdisjoint(taken), "paused, and its slot was taken"


def check_started(world: Daemon, turn: Turn) -> None:
    """A request without queueing was refused, or all its agents were admitted at once, if the machine could."""
    queued = [event.agent for event in turn.events if isinstance(event, AgentQueued)]
    started = all(
        world.look(agent_id).attempt or world.look(agent_id).is_over for agent_id in queued if agent_id in world.store
    )
    is_refused = any(isinstance(event, AttemptVoided) for event in turn.events)
    assert started or is_refused or turn.is_cut_short, "queued all the same"  # the rest starts in the next slices


def check_nobody_idles(world: Daemon) -> None:
    """No slot is free while an agent may have it."""
    if naive.working(world.state) < world.state.limit:
        assert not naive_starts.returning(world), "it may return and does not"
        able = [agent.id for agent in naive_starts.startable(world)]
        assert not able, f"{able} may start and do not"


def check_reply(world: Daemon, client: Client, reply: Answer | Refuse) -> None:
    """A wait is answered when it is true, when its time is up, or refused for a reason that is."""
    state, begin = world.state, client.begin
    if isinstance(reply, Refuse):
        agent = state.agents.get(begin.agent)
        is_ending = agent is None or agent.status not in {Status.RUNNING, Status.WAITING}
        assert reply.code in {"would-deadlock", "cycle"} or (reply.code == "stopping" and is_ending), reply
        assert reply.code != "would-deadlock" or not world.is_roomy, f"refused although there is room: {reply}"
        return
    assert reply.agents == begin.targets
    if begin.timeout is not None and world.revived.isdisjoint(begin.targets):
        true_since = came_true(world, begin.targets, is_any=begin.is_any)
        ahead = float("-inf") if true_since is None else client.since + begin.timeout - true_since
        assert reply.timed_out == (ahead < 0) or abs(ahead) < ROUNDING, "timed out, but true in time, or the reverse"
    if reply.timed_out:
        assert begin.timeout is not None
        assert client.since + begin.timeout <= world.now, "timed out too early"
    else:
        unfinished = [agent_id for agent_id in begin.targets if world.store[agent_id].status not in OVER]
        assert not unfinished or (begin.is_any and len(unfinished) < len(begin.targets)), "answered before it was true"


def came_true(world: Daemon, targets: tuple[AgentId, ...], *, is_any: bool) -> float | None:
    """The time when all targets, or the first target, had ended."""
    agents = [world.look(agent_id) for agent_id in targets]
    ends = [agent.ended_at or 0.0 for agent in agents if agent.is_over]
    if len(ends) < len(agents) and not (is_any and ends):
        return None
    return (min if is_any else max)(ends, default=0.0)
