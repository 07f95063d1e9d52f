"""Steps of agents and people."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.state.agents import AgentId
from tests.simulation.base import StepBase, described, listed, said
from tests.simulation.shapes import shaped

DIRECTORIES = (None, None, "/a", "/b")


class ClientSteps(StepBase):
    """The steps that make requests."""

    def an_agent_spawns(self) -> None:
        """Then it waits for what it spawned, polls for it, or goes on."""
        if not (callers := self.callers()) or self.is_crowded():
            return
        caller, specs = self.dice.choice(callers), self.specs()
        how = self.dice.choice(["waits", "waits", "waits a while", "waits a while", "polls", "polls", "goes on"])
        self.say(f"{caller} spawns {listed(specs)} and {how}")
        self.world.spawn(caller, *specs)
        if how == "polls":
            self.world.pollers.add(caller)
        elif how != "goes on":
            self._wait_for_children(caller, 5.0 if how == "waits a while" else None)

    def a_parent_waits(self) -> None:
        """For all or the first of its children."""
        if parents := [agent_id for agent_id in self.callers() if self.world.state.children.get(agent_id)]:
            self._wait_for_children(self.dice.choice(parents), self.dice.choice([None, 1.0, 5.0]))

    def an_agent_waits_in_the_background(self) -> None:
        """And goes on at once."""
        if parents := [agent_id for agent_id in self.callers() if self.world.state.children.get(agent_id)]:
            parent = self.dice.choice(parents)
            self._wait_for_children(parent, self.dice.choice([None, 5.0]))
            self._work(parent)

    def an_agent_works_beside_its_wait(self) -> None:
        """Seen by the CPU that it uses."""
        if waiting := self.waiting():
            self._work(self.dice.choice(waiting).id)

    def _work(self, agent_id: AgentId) -> None:
        if (agent := self.world.state.living.get(agent_id)) is not None and agent in self.waiting():
            self.say(f"{agent_id} works beside its wait")
            self.world.tell(inputs.WorkedWhileWaiting(agent_id, agent.attempt))

    def a_request_of_a_frozen_agent_arrives(self) -> None:
        """The request was on its way when its agent was frozen."""
        if frozen := self.frozen():
            agent_id = self.dice.choice(frozen)
            children = tuple(sorted(self.world.state.children.get(agent_id, ())))
            self._wait(agent_id, children, self.dice.choice([None, 0.0, 7.0]))

    def _wait_for_children(self, parent: AgentId, timeout: float | None) -> None:
        if parent in self.callers():
            self._wait(parent, tuple(sorted(self.world.state.children.get(parent, ()))), timeout)

    def an_agent_waits_for_anybody(self) -> None:
        """Targets may be over, may wait for the caller, and may be the caller when there is no other agent."""
        if (callers := self.callers()) and not self.world.is_roomy:
            caller = self.dice.choice(callers)
            ids = [agent_id for agent_id in [*self.world.state.agents, *self.ids()] if agent_id != caller] or [caller]
            targets = tuple(dict.fromkeys(self.dice.choices(ids, k=self.dice.randint(0, 3))))
            self._wait(caller, targets, self.dice.choice([None, None, 0.0, 7.0]))

    def _wait(self, caller: AgentId, targets: tuple[AgentId, ...], timeout: float | None) -> None:
        is_any, late = self.dice.random() < 0.25, "" if timeout is None else f" for {timeout:g} s"
        self.say(f"{caller} waits for {'any of ' if is_any else ''}{' '.join(targets) or 'nobody'}{late}")
        self.world.wait(caller, targets, is_any=is_any, timeout=timeout)

    def a_client_asks_again(self) -> None:
        """The same request once more, as after a restart of the daemon."""
        client = self.client()
        proc = None if client is None else self.world.procs.get(client.key)
        if client is not None and not (proc is not None and proc.is_frozen):
            self.say(f"the client {client.begin.request} of {client.begin.agent} asks again")
            self.world.ask_again(client)

    def a_client_dies(self) -> None:
        """The process that was blocked inside an agent."""
        if (client := self.client()) is not None:
            self.say(f"the client {client.begin.request} of {client.begin.agent} dies")
            self.world.hang_up(client)

    def somebody_spawns(self) -> None:
        """In a project or in none, and sometimes without queueing."""
        if not self.is_crowded():
            specs, directory, must_start = self.specs(), self.dice.choice(DIRECTORIES), self.dice.random() < 0.3
            self.say(f"somebody spawns {listed(specs)} in {directory or 'no project'}{', now or never' * must_start}")
            self.world.spawn(None, *specs, must_start=must_start, directory=directory)

    def a_composition_is_run(self) -> None:
        """A person runs it."""
        if not self.is_crowded():
            self._run(None, self.dice.choice(DIRECTORIES))

    def a_run_begins_inside_an_agent(self) -> None:
        """And its members are below that."""
        if (callers := self.callers()) and not self.is_crowded():
            self._run(self.dice.choice(callers), None)

    def _run(self, caller: AgentId | None, directory: str | None) -> None:
        groups, parts = shaped(self.dice, is_declared=not self.world.is_roomy)
        budget = self.budget()
        members = ", ".join(map(described, parts))
        ways = [
            f"{group.path or 'the whole'}: {group.max_parallel}, {'fails fast' * group.is_fail_fast}"
            for group in groups
        ]
        self.say(f"{caller or 'somebody'} runs {members} ({'; '.join(ways)}) in {directory} with {said(budget)}")
        self.world.run(caller, groups, *parts, directory=directory, budget=budget)

    def somebody_cancels(self) -> None:
        """One or two, over or not."""
        if ids := self.late_ids():
            targets = tuple(dict.fromkeys(self.dice.choices(ids, k=self.dice.randint(1, 2))))
            self.say(f"somebody cancels {' '.join(targets)}")
            self.world.tell(inputs.Cancel(self.world.request(), targets))

    def somebody_retries(self) -> None:
        """Some that did not complete, and now and then one that did."""
        ids = [agent_id for agent_id in self.late_ids() if agent_id not in self.world.completed] or self.late_ids()
        if ids:
            self._retry(tuple(self.dice.choices(ids, k=self.dice.randint(1, 3))))

    def somebody_retries_all_that_ended_badly(self) -> None:
        """The order is that of the ids or its reverse."""
        store, completed = self.world.store, self.world.completed
        bad = [agent_id for agent_id in self.late_ids() if store[agent_id].is_over and agent_id not in completed]
        self._retry(tuple(bad if self.dice.random() < 0.5 else bad[::-1]))

    def somebody_retries_what_a_withheld_reply_is_about(self) -> None:
        """The agent whose wait was over waits again."""
        withheld = [agent for agent in self.waiting() if agent.held_since is not None]
        targets = [agent_id for agent in withheld for wait in agent.waits.values() for agent_id in wait.targets]
        store, completed = self.world.store, self.world.completed
        if bad := [
            agent_id for agent_id in dict.fromkeys(targets) if store[agent_id].is_over and agent_id not in completed
        ]:
            self._retry((self.dice.choice(bad),))

    def _retry(self, ids: tuple[AgentId, ...]) -> None:
        self.say(f"somebody retries {' '.join(ids) or 'nobody'}")
        self.world.retry(ids)

    def the_limit_changes(self) -> None:
        """Either number, also to what is refused."""
        if self.world.is_roomy:
            return
        limit, resident = self.dice.randint(1, 4), self.dice.choice([None, self.dice.randint(1, 7)])
        self.say(f"the limit is set to {limit}, resident {resident}")
        self.world.tell(inputs.SetLimit(self.world.request(), limit, resident))

    def somebody_pauses(self) -> None:
        """No new agent starts."""
        self.say("somebody pauses")
        self.world.tell(inputs.Pause(self.world.request()))

    def somebody_pauses_agents(self) -> None:
        """One or two, ended or not, with their slots or without."""
        if ids := self.unfinished_ids():
            targets = tuple(self.dice.choices(ids, k=self.dice.choice([1, 1, 2])))
            targets += tuple(self.dice.choices(self.late_ids(), k=1)) if self.rarely() else ()
            is_released = self.dice.random() < 0.4
            self.say(f"somebody pauses {' '.join(targets)}{' and releases the slots' * is_released}")
            self.world.pause(targets, is_slot_released=is_released)

    def somebody_resumes_agents(self) -> None:
        """One that is paused, and rarely another too."""
        paused = [agent.id for agent in self.world.state.agents.values() if agent.is_paused]
        if ids := (self.late_ids() if self.rarely() else paused):
            targets = (self.dice.choice(ids),)
            self.say(f"somebody resumes {' '.join(targets)}")
            self.world.resume(targets)

    def somebody_resumes(self) -> None:
        """They start again."""
        self.say("somebody resumes")
        self.world.tell(inputs.Resume(self.world.request()))

    def a_session_opens(self) -> None:
        """And closes the one that was open there."""
        directory, budget = self.dice.choice(["/a", "/b"]), self.budget()
        scope = self.world.ledger.scope(self.world.state, directory) or inputs.Scope(directory)
        self.say(f"a session opens in {directory} with {said(budget)}")
        self.world.tell(inputs.OpenSession(self.world.request(), scope, None, budget))
        self.world.ledger.check_open()

    def a_session_closes(self) -> None:
        """Also one that is closed."""
        if names := self.world.ledger.names():
            session = self.dice.choice(names)
            self.world.ledger.know(self.world.state, session)
            self.say(f"{session} is closed")
            self.world.tell(inputs.CloseSession(self.world.request(), session))

    def a_budget_is_set(self) -> None:
        """The budget is that of a session or a run."""
        if scopes := [*self.world.ledger.names(), *self.world.runs]:
            scope, budget = self.dice.choice(scopes), self.budget()
            self.say(f"{scope} gets {said(budget)}")
            self.world.budget(scope, budget)
