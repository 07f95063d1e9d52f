"""A world in virtual time: processes that live and die, clients that block, a store, a daemon that can be killed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from orchd.core import inputs
from orchd.core.decide import decide, next_deadline
from orchd.core.effects import Answer, Effect, Freeze, Kill, Launch, Refuse, Release, Terminate, Thaw, WatchCaller
from orchd.core.state.agents import Agent, AgentId, Report, RequestId, Spec, Status
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
from orchd.core.state.indexes import forget, forget_runs, load
from orchd.core.state.runs import GroupPlan, Run, RunId, RunPlan
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget, Spent
from orchd.core.state.state import Guards, RateLimit, State
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
class World:
    """The daemon and everything around it. After every step all promises are looked at."""

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
        """`kill -9`, and the next daemon: only what was committed is left, and whoever was blocked is not connected."""
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

    # What people, agents and processes do.

    def spawn(
        self, caller: AgentId | None, *specs: Spec, must_start: bool = False, directory: str | None = None
    ) -> Turn:
        """A batch; those that are over are recalled when something is to come after them."""
        self.recall(blocker for spec in specs for blocker in spec.after)
        scope = self.ledger.scope(self.state, directory)
        turn = self.tell(inputs.SpawnAgents(self.request(), caller, specs, must_start, self.kin(caller), scope))
        forget(self.state, list(self.state.agents))
        if must_start:
            promises.check_started(self, turn)
        return turn

    def kin(self, caller: AgentId | None) -> int:
        """How many were ever spawned inside the tree of `caller`."""
        root = self.store[caller].root if caller in self.store else None
        return sum(1 for agent in self.store.values() if agent.ancestors and agent.root == root)

    def run(
        self,
        caller: AgentId | None,
        groups: tuple[GroupPlan, ...],
        *parts: inputs.Part,
        directory: str | None = None,
        budget: Budget | None = None,
    ) -> Turn:
        """A composition."""
        plan, scope = RunPlan("run", groups, "/"), self.ledger.scope(self.state, directory)
        kin, lasting = self.kin(caller), lengths(parts)
        return self.tell(
            inputs.BeginRun(self.request(), caller, plan, parts, {}, lasting, kin, scope, budget or Budget())
        )

    def wait(self, agent: AgentId, targets: tuple[AgentId, ...], *, is_any: bool, timeout: float | None) -> None:
        """A process inside `agent` is blocked until `targets` have ended.

        The request of a frozen agent was on its way when it was frozen.
        """
        request = RequestId(f"w{next(self.requests)}")
        begin = inputs.BeginWait(request, agent, targets, is_any, timeout, caller=1, caller_started=1.0)
        self.clients[request] = Client(begin, self.state.agents[agent].attempt, self.now)
        self.tell(begin)

    def ask_again(self, client: Client) -> None:
        """The same request once more."""
        client.is_connected = True
        agent = self.state.agents.get(client.begin.agent)
        if agent is None or client.begin.request not in agent.waits:
            client.since, client.is_beside = self.now, False
        self.tell(client.begin)

    def hang_up(self, client: Client) -> None:
        """The blocked process dies."""
        del self.clients[client.begin.request]
        self.tell(inputs.CallerGone(client.begin.agent, client.begin.request))

    def exit(
        self,
        proc: Proc,
        code: int | None,
        *,
        has_rest: bool,
        limited: float | None = None,
        spent: Spent | None = None,
    ) -> None:
        """The attempt's own process ends, and whoever was blocked inside it with it, unless it is left behind."""
        proc.is_ended_parked |= not self.can_run(proc)
        proc.is_running, proc.has_rest, proc.code = False, has_rest, code
        if limited is not None or spent is not None:
            proc.report = Report(limited_until=limited, spent=spent or Spent())
        self.tell(inputs.Exited(*proc.key, proc.outcome, not has_rest))
        for request in [request for request, client in self.clients.items() if client.key == proc.key]:
            del self.clients[request]

    def rest_gone(self, proc: Proc) -> None:
        """The last of the tree ends."""
        proc.has_rest = False
        self.tell(inputs.TreeGone(*proc.key))

    def retry(self, ids: tuple[AgentId, ...]) -> Turn:
        """A person wants other attempts."""
        self.recall(other for agent_id in ids for other in (agent_id, *self.store[agent_id].spec.after))
        turn = self.tell(inputs.Retry(self.request(), ids, ("e",) * len(ids)))
        forget(self.state, list(self.state.agents))
        return turn

    def pause(self, ids: tuple[AgentId, ...], *, is_slot_released: bool) -> None:
        """A person pauses agents, ended or not."""
        self.recall(ids)
        self.tell(inputs.PauseAgents(self.request(), ids, is_slot_released))
        forget(self.state, list(self.state.agents))

    def resume(self, ids: tuple[AgentId, ...]) -> None:
        """A person lets agents continue."""
        self.recall(ids)
        self.tell(inputs.ResumeAgents(self.request(), ids))
        forget(self.state, list(self.state.agents))

    def budget(self, target: str, budget: Budget) -> Turn:
        """How much a session or run may cost from now on."""
        if (run := RunId(target)) in self.runs:
            self.state.runs.setdefault(run, self.stored_run(run))
        else:
            self.ledger.know(self.state, SessionId(target))
        turn = self.tell(inputs.SetBudget(self.request(), RunId(target), budget))
        forget_runs(self.state, [RunId(target)])
        return turn

    def look(self, agent_id: AgentId) -> Agent:
        """The agent as it stands now, in memory or not."""
        return self.state.agents.get(agent_id) or self.store[agent_id]

    def stored_run(self, run_id: RunId) -> Run:
        """What the store would give back."""
        members = [agent for agent in self._stored() if agent.spec.member and agent.spec.member.run == run_id]
        return unpack_run(run_id, self.runs[run_id], members)

    def _stored(self) -> list[Agent]:
        """All agents in the order in which a store gives them back."""
        return sorted(self.store.values(), key=lambda agent: agent.number)

    def recall(self, ids: Iterable[AgentId]) -> None:
        """Agents that are over, in memory for the turn to come."""
        missing = [
            agent_id for agent_id in dict.fromkeys(ids) if agent_id in self.store and agent_id not in self.state.agents
        ]
        for member in (self.store[agent_id].spec.member for agent_id in missing):
            if member is not None and member.run not in self.state.runs:
                self.state.runs[member.run] = self.stored_run(member.run)
        for agent_id in missing:
            self.ledger.know(self.state, self.store[agent_id].spec.session)
        load(self.state, [copied(self.store[agent_id]) for agent_id in missing])

    def sleep(self, seconds: float) -> None:
        """Time passes; soon no deadline may be left behind, or the daemon would spin."""
        self.now += seconds
        for _ in range(SPINS):
            self.tell(inputs.Tick())
            due = next_deadline(self.state)
            if due is None or due > self.now:
                self.observer.check_time(self)
                return
        raise AssertionError(f"woken for {due} at {self.now}, and again, and again")

    def may_end(self, proc: Proc) -> bool:
        """Whether its own process may end by itself: an agent that polls for its children does when they have ended.

        A poller also gives up a child that cannot end before it does.
        """
        agent_id = proc.key[0]
        if not proc.is_running or not self.can_run(proc):
            return False
        if agent_id not in self.pollers or not naive.unfinished(self.state, self.state.children.get(agent_id, ())):
            return True
        return naive.waits_for_itself(self.state, self.state.agents[agent_id], self.pollers)

    def may_act(self, agent: Agent) -> bool:
        """Whether a process of the agent may ask for something."""
        proc = self.procs.get((agent.id, agent.attempt))
        return agent.status in {Status.RUNNING, Status.WAITING} and proc is not None and not proc.is_frozen

    # The end of every story.

    def finish(self) -> None:
        """Let everything end that can, with admissions resumed. What is left then is stuck."""
        self.failures.clear()
        if self.state.is_draining:
            self.restart()
        self.tell(inputs.Resume(self.request()))
        if paused := tuple(agent.id for agent in self.state.agents.values() if agent.is_paused):
            self.resume(paused)
        self.tell(inputs.DiskSpaceChanged(1, 0))
        for scope in [scope_id for scope_id, budget in self.ledger.budgets.items() if budget != Budget()]:
            self.budget(scope, Budget())
        self.quiet = 0.0
        idle = 0  # times that nothing but time passed
        for _ in range(100 + 60 * len(self.store)):
            due = next_deadline(self.state)
            if self._let_one_go():
                idle = 0
            elif due is not None and idle < PATIENCE:
                idle += 1
                self.sleep(max(due - self.now, 0.0 if idle < PATIENCE // 2 else 100.0))
            elif self._end_a_poller():
                idle = 0
            else:
                break
        assert not self.state.agents, f"stuck: {list(self.state.agents.values())}"
        assert not self.state.runs, f"never over: {list(self.state.runs.values())}"
        assert not self.procs
        assert not self.clients
        assert not self.asked

    def _let_one_go(self) -> bool:
        for client in list(self.clients.values()):
            proc = self.procs.get(client.key)
            if not client.is_connected and not (proc is not None and proc.is_frozen):
                self.ask_again(client)
                return True
        for proc in list(self.procs.values()):
            if proc.has_rest and not proc.is_running:
                if proc.asked is not None:
                    self.rest_gone(proc)
                    return True
            elif self.may_end(proc) or proc.asked is not None:
                self.exit(proc, 0, has_rest=False)
                return True
        return False

    def _end_a_poller(self) -> bool:
        """What is stuck because agents poll, and was announced, a person ends."""
        stuck = [agent for agent in naive.living(self.state) if agent.id in self.pollers]
        if not stuck or self.is_roomy:
            return False
        assert self.state.is_stall_announced, f"stuck, and not announced: {list(self.state.agents.values())}"
        self.tell(inputs.Cancel(self.request(), (stuck[0].id,)))
        return True


def _hold(proc: Proc, effect: Terminate | Kill | Freeze | Thaw, *, is_parked: bool) -> None:
    """What is asked to end is thawed for that."""
    proc.is_frozen = isinstance(effect, Freeze)
    if isinstance(effect, Terminate | Kill):
        proc.is_ended_parked |= is_parked and proc.asked is None
        proc.asked = type(effect).__name__


def new_world(limit: int, resident: int, *, is_thorough: bool = True) -> World:
    """Nothing has happened yet."""
    return World(State(limit=limit, resident=resident, guards=Guards(depth=DEPTH)), is_thorough)


def lengths(parts: tuple[inputs.Part, ...]) -> dict[str, float]:
    """How long each is thought to take."""
    return {part.path: float(index % 3) for index, part in enumerate(parts)}
