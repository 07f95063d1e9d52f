"""A daemon and everything around it in virtual time: what people, agents and processes do, and the end of it all."""

from __future__ import annotations

from collections.abc import Iterable

from orchd.core import inputs
from orchd.core.decide import next_deadline
from orchd.core.state.agents import Agent, AgentId, Report, RequestId, Spec, Status
from orchd.core.state.indexes import forget, forget_runs, load
from orchd.core.state.runs import GroupPlan, RunId, RunPlan
from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget, Spent
from orchd.core.state.state import Guards, State
from orchd.core.turn import Turn
from tests.stateful import naive, promises
from tests.stateful.daemon import Daemon
from tests.stateful.outside import Client, Proc, copied

DEPTH = 4  # levels of agents
PATIENCE = 40  # times that nothing but time passes, at last in steps of 100 s, before what is left is stuck
SPINS = 3  # a time-out whose grace is nothing, or whose hold is, is due again at once


class World(Daemon):
    """The daemon and everything around it."""

    # What people, agents and processes do.

    def spawn(
        self, caller: AgentId | None, *specs: Spec, must_start: bool = False, directory: str | None = None
    ) -> Turn:
        """Spawn a batch; ended agents that a new agent comes after are recalled."""
        self.recall(blocker for spec in specs for blocker in spec.after)
        scope = self.ledger.scope(self.state, directory)
        turn = self.tell(inputs.SpawnAgents(self.request(), caller, specs, must_start, self.kin(caller), scope))
        forget(self.state, list(self.state.agents))
        if must_start:
            promises.check_started(self, turn)
        return turn

    def kin(self, caller: AgentId | None) -> int:
        """The number of agents ever spawned inside the tree of `caller`."""
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
        """Run a composition."""
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
        """Send the same request once more."""
        client.is_connected = True
        agent = self.state.agents.get(client.begin.agent)
        if agent is None or client.begin.request not in agent.waits:
            client.since, client.is_beside = self.now, False
        self.tell(client.begin)

    def hang_up(self, client: Client) -> None:
        """End the blocked process."""
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
        """End the own process of an attempt, and the clients blocked in it, unless the tree is left behind."""
        proc.is_ended_parked |= not self.can_run(proc)
        proc.is_running, proc.has_rest, proc.code = False, has_rest, code
        if limited is not None or spent is not None:
            proc.report = Report(limited_until=limited, spent=spent or Spent())
        self.tell(inputs.Exited(*proc.key, proc.outcome, not has_rest))
        for request in [request for request, client in self.clients.items() if client.key == proc.key]:
            del self.clients[request]

    def rest_gone(self, proc: Proc) -> None:
        """End the last process of the tree."""
        proc.has_rest = False
        self.tell(inputs.TreeGone(*proc.key))

    def retry(self, ids: tuple[AgentId, ...]) -> Turn:
        """Request other attempts."""
        self.recall(other for agent_id in ids for other in (agent_id, *self.store[agent_id].spec.after))
        turn = self.tell(inputs.Retry(self.request(), ids, ("e",) * len(ids)))
        forget(self.state, list(self.state.agents))
        return turn

    def pause(self, ids: tuple[AgentId, ...], *, is_slot_released: bool) -> None:
        """Pause agents, ended or not."""
        self.recall(ids)
        self.tell(inputs.PauseAgents(self.request(), ids, is_slot_released))
        forget(self.state, list(self.state.agents))

    def resume(self, ids: tuple[AgentId, ...]) -> None:
        """Let agents continue."""
        self.recall(ids)
        self.tell(inputs.ResumeAgents(self.request(), ids))
        forget(self.state, list(self.state.agents))

    def budget(self, target: str, budget: Budget) -> Turn:
        """Change the budget of a session or run."""
        if (run := RunId(target)) in self.runs:
            self.state.runs.setdefault(run, self.stored_run(run))
        else:
            self.ledger.know(self.state, SessionId(target))
        turn = self.tell(inputs.SetBudget(self.request(), RunId(target), budget))
        forget_runs(self.state, [RunId(target)])
        return turn

    def recall(self, ids: Iterable[AgentId]) -> None:
        """Load ended agents into memory for the next turn."""
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
        """Let time pass; soon no deadline may be left behind, or the daemon would spin."""
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
        """Whether a process of the agent may make requests."""
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
        """Cancel an agent that is stuck because agents poll, once the stall was announced."""
        stuck = [agent for agent in naive.living(self.state) if agent.id in self.pollers]
        if not stuck or self.is_roomy:
            return False
        assert self.state.is_stall_announced, f"stuck, and not announced: {list(self.state.agents.values())}"
        self.tell(inputs.Cancel(self.request(), (stuck[0].id,)))
        return True


def new_world(limit: int, resident: int, *, is_thorough: bool = True) -> World:
    """A world in which nothing has happened yet."""
    return World(State(limit=limit, resident=resident, guards=Guards(depth=DEPTH)), is_thorough)


def lengths(parts: tuple[inputs.Part, ...]) -> dict[str, float]:
    """The expected duration of each member."""
    return {part.path: float(index % 3) for index, part in enumerate(parts)}
