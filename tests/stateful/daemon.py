"""A daemon in virtual time that decides, commits and acts, and what the next one takes over when it is killed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count

from orchd.core import inputs
from orchd.core.decide import decide
from orchd.core.effects import Answer, Effect, Freeze, Kill, Launch, Refuse, Release, Terminate, Thaw, WatchCaller
from orchd.core.state.agents import Agent, AgentId, RequestId
from orchd.core.state.events import (
    AdmissionsResumed,
    AgentCompleted,
    AgentEvent,
    AgentRevived,
    AttemptAdmitted,
    AttemptDeferred,
    AttemptRetried,
    Event,
    ProcessEnded,
    RunEvent,
    RunnerLimited,
)
from orchd.core.state.indexes import forget, load
from orchd.core.state.runs import Run, RunId
from orchd.core.state.state import RateLimit, State
from orchd.core.turn import Question, Turn
from orchd.store.codec import pack_run, unpack_run
from tests.stateful import naive, promises
from tests.stateful.ledger import Ledger
from tests.stateful.observer import Observer
from tests.stateful.outside import Client, Key, Proc, can_run, copied

DEPTH = 4  # levels of agents
PATIENCE = 40  # times that nothing but time passes, at last in steps of 100 s, before what is left is stuck
SPINS = 3  # a time-out whose grace is nothing, or whose hold is, is due again at once


@dataclass
class Daemon:
    """A daemon in virtual time: its state, its store, and the processes and clients that it knows of.

    After every turn all promises are checked.
    """

    state: State
    is_thorough: bool = True  # look at everything after every turn, not only at what each event and reply promises
    is_roomy: bool = False  # a chain of agents always has room, and no agent waits for others than those below it
    observer: Observer = field(default_factory=Observer)
    pollers: set[AgentId] = field(default_factory=set)  # agents that end only when all their children have ended
    refusals: list[str] = field(default_factory=list)
    now: float = 1000.0
    procs: dict[Key, Proc] = field(default_factory=dict)
    clients: dict[RequestId, Client] = field(default_factory=dict)
    asked: set[RequestId] = field(default_factory=set)  # requests other than waits that nobody answered yet
    unheard: set[RequestId] = field(default_factory=set)  # waits of clients whose death the daemon does not know of
    store: dict[AgentId, Agent] = field(default_factory=dict)
    runs: dict[RunId, bytes] = field(default_factory=dict)
    box: tuple[int, int, bool, int, int, int] = (0, 0, False, 0, 0, 0)
    held: dict[str, float] = field(default_factory=dict)  # by runner, as it is on the disk
    ledger: Ledger = field(default_factory=Ledger)  # sessions, and what all that has cost
    admitted: set[Key] = field(default_factory=set)
    completed: set[AgentId] = field(default_factory=set)
    revived: set[AgentId] = field(default_factory=set)
    ran: set[AgentId] = field(default_factory=set)  # agents that wait for another attempt after one that ran
    rate_limits: dict[AgentId, list[float]] = field(default_factory=dict)  # when each ended, since spawn or retry
    failures: deque[bool] = field(default_factory=deque)  # of the next launches: whether each passes
    quiet: float = 0.0
    launches: int | None = None  # how many attempts may start in one turn
    crash: str | None = None  # "before" or "after" the next commit
    requests: count[int] = field(default_factory=lambda: count(1))
    turns: int = 0
    story: list[str | Event | Effect] = field(default_factory=list)  # what happened and what came of it

    def __post_init__(self) -> None:
        self.box = self._box()

    def request(self) -> RequestId:
        """An id that no other request has; it must be answered once."""
        request = RequestId(f"r{next(self.requests)}")
        self.asked.add(request)
        return request

    # The engine: decide, make processes, commit, act.

    def tell(self, *inputs_: inputs.Input) -> Turn:
        """One turn. If the daemon is to die in it, the next one has taken over when this returns."""
        self.turns += 1
        parked = {key for key, proc in self.procs.items() if not self.can_run(proc)}
        turn = promises.WatchedTurn(self, inputs_)
        turn.launches_left = self.launches
        for input_ in inputs_:
            decide(turn, input_)
            while turn.questions:
                decide(turn, self._reply(turn.questions.pop(0)))
        crash, self.crash = self.crash, None
        if crash == "before":
            self.restart()
            return turn
        self._commit(turn)
        if crash == "after":
            self.restart()
            return turn
        self._act(turn, parked)
        touched = {event.agent for event in turn.events if isinstance(event, AgentEvent)}
        promises.check_turn(self, turn)
        if self.is_thorough:
            promises.check(self, turn)
        forget(self.state, touched)
        self.ledger.let_go(self.state)
        self.procs = {key: proc for key, proc in self.procs.items() if proc.is_alive}
        if dead := [
            watch for watch in turn.effects if isinstance(watch, WatchCaller) and watch.request not in self.clients
        ]:
            self.tell(*(inputs.CallerGone(watch.agent, watch.request) for watch in dead))
        elif turn.is_cut_short:
            self.tell(inputs.Admit())
        else:
            self.observer.look(self)
        return turn

    def can_run(self, proc: Proc) -> bool:
        """Whether a process of the attempt may use a CPU now."""
        return can_run(proc, self.clients.values())

    def _reply(self, question: Question) -> inputs.Input:
        key = (question.agent, question.attempt)
        if not isinstance(question, Launch):
            return inputs.OutputSeen(*key, self.quiet)
        assert key not in self.admitted, "launched twice"
        if self.failures:
            return inputs.SpawnFailed(*key, "no", is_passing=self.failures.popleft())
        self.procs[key] = Proc(key)
        return inputs.Spawned(*key, 100 + len(self.admitted), None)

    def _commit(self, turn: promises.WatchedTurn) -> None:
        for agent_id in dict.fromkeys(event.agent for event in turn.events if isinstance(event, AgentEvent)):
            agent = self.state.agents[agent_id]
            self.store[agent_id] = copied(agent)
            assert self.store[agent_id] == agent, "what is read is not what was written"
        for run in {run for event in turn.events if (run := self._run_changed_by(event)) is not None}:
            self.runs[run] = pack_run(self.state.runs[run])
        for event in turn.events:
            if isinstance(event, RunnerLimited):
                self.held[event.runner] = event.until
            if isinstance(event, AdmissionsResumed):
                self.held.clear()
            if isinstance(event, AttemptAdmitted):
                self.admitted.add((event.agent, event.attempt))
            if isinstance(event, AgentCompleted):
                self.completed.add(event.agent)
            self._count_tries(event)
        for input_ in turn.given:
            if isinstance(input_, inputs.WorkedWhileWaiting) and self.state.is_strict:
                for client in self.clients.values():
                    client.is_beside |= client.key == (input_.agent, input_.attempt)
        self.ledger.commit(self.state, turn.events)
        self.box = self._box()

    def _count_tries(self, event: Event) -> None:
        if isinstance(event, AttemptDeferred):
            self.rate_limits.setdefault(event.agent, []).append(self.now)
        if isinstance(event, AttemptDeferred | AttemptRetried):
            self.ran.add(event.agent)
        if isinstance(event, AgentRevived):
            self.rate_limits.pop(event.agent, None)
            self.ran.discard(event.agent)
            self.revived.add(event.agent)

    def _run_changed_by(self, event: Event) -> RunId | None:
        if isinstance(event, RunEvent):
            return event.run
        if isinstance(event, ProcessEnded) and event.outcome.report is not None:
            member = self.state.agents[event.agent].spec.member
            return member.run if member else None
        return None

    def _box(self) -> tuple[int, int, bool, int, int, int]:
        state = self.state
        return (state.limit, state.resident, state.is_paused, state.last_number, state.last_run, state.seed)

    def _act(self, turn: Turn, parked: set[Key]) -> None:
        self.story += turn.effects
        for effect in turn.effects:
            if isinstance(effect, Release):
                self.procs[effect.agent, effect.attempt].is_open = True
            elif isinstance(effect, Terminate | Kill | Freeze | Thaw):
                if (proc := self.procs.get((effect.agent, effect.attempt))) is not None:
                    _hold(proc, effect, is_parked=proc.key in parked)
            elif isinstance(effect, Answer | Refuse):
                self._hear(effect)

    def _hear(self, reply: Answer | Refuse) -> None:
        if isinstance(reply, Refuse):
            self.refusals.append(reply.code)
        if reply.request in self.unheard:
            self.unheard.remove(reply.request)
        elif (client := self.clients.get(reply.request)) is None:
            assert reply.request in self.asked, f"answered twice, or never asked: {reply}"
            self.asked.remove(reply.request)
        elif client.is_connected:
            promises.check_reply(self, client, reply)
            del self.clients[reply.request]

    # The crash, and what the next daemon does first.

    def restart(self) -> None:
        """`kill -9`, and the next daemon: only what was committed is left, and blocked clients are not connected."""
        limit, resident, is_paused, last_number, last_run, seed = self.box
        known = self.state
        self.state = State(limit=limit, resident=resident, guards=known.guards)
        self.state.is_strict, self.state.stall_after = known.is_strict, known.stall_after  # from the configuration
        self.state.rate_limit_waits, self.state.rate_limit_time = known.rate_limit_waits, known.rate_limit_time
        self.state.is_paused, self.state.last_number, self.state.seed = is_paused, last_number, seed
        self.state.last_run = last_run
        self.state.holds = {runner: RateLimit(until, until) for runner, until in self.held.items()}
        for run_id in self.runs:
            if not (run := self.stored_run(run_id)).is_over:
                self.state.runs[run_id] = run
        unfinished = [copied(agent) for agent in self._stored() if not agent.is_over]
        self.ledger.restore(self.state, unfinished)
        load(self.state, unfinished)
        for proc in self.procs.values():
            proc.asked = None
            if not proc.is_open:
                proc.is_running = False
        keys = {(agent.id, agent.attempt) for agent in naive.living(self.state)}
        news = [self._found(self.procs[key]) for key in sorted(keys)]
        self.procs = {key: proc for key, proc in self.procs.items() if key in keys}
        for client in self.clients.values():
            client.is_connected = False
        self.observer.begin_anew()
        self.asked.clear()
        # their clients have died, and so did the daemon before it had written that down
        self.unheard = {request for agent in unfinished for request in agent.waits} - set(self.clients)
        self.tell(*news, inputs.Tick())

    def _found(self, proc: Proc) -> inputs.Input:
        if not proc.is_open:
            return inputs.NeverRan(*proc.key)
        if proc.is_running:
            return inputs.Adopted(*proc.key)
        return inputs.Exited(*proc.key, proc.outcome, not proc.has_rest)

    def look(self, agent_id: AgentId) -> Agent:
        """The agent as it is now, in memory or not."""
        return self.state.agents.get(agent_id) or self.store[agent_id]

    def stored_run(self, run_id: RunId) -> Run:
        """The run as the store would return it."""
        members = [agent for agent in self._stored() if agent.spec.member and agent.spec.member.run == run_id]
        return unpack_run(run_id, self.runs[run_id], members)

    def _stored(self) -> list[Agent]:
        """All agents in the order in which a store gives them back."""
        return sorted(self.store.values(), key=lambda agent: agent.number)


def _hold(proc: Proc, effect: Terminate | Kill | Freeze | Thaw, *, is_parked: bool) -> None:
    """Freeze or thaw a process; a process that is asked to end is thawed for that."""
    proc.is_frozen = isinstance(effect, Freeze)
    if isinstance(effect, Terminate | Kill):
        proc.is_ended_parked |= is_parked and proc.asked is None
        proc.asked = type(effect).__name__
