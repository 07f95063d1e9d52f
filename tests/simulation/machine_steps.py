"""Steps of processes, disks, clocks and dying daemons."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.decide import next_deadline
from orchd.core.state.agents import AgentId, Oom
from orchd.core.state.spending import Spent
from tests.simulation.base import StepBase, named
from tests.stateful.news import stale


class MachineSteps(StepBase):
    """Whatever happens without being asked for."""

    def a_process_ends(self) -> None:
        """The process ends by itself, well or badly, and sometimes leaves others behind."""
        if busy := self.busy():
            proc, code, has_rest = self.dice.choice(busy), self.dice.choice([0, 0, 0, 0, 1, 1, None]), self.rarely()
            spent = self.dice.choice([None, Spent(output_tokens=100, cost_usd=0.25)])
            paid = "" if spent is None else ", having spent 100 tokens and $0.25"
            self.say(f"{named(proc)} ends with {code}{' and leaves others behind' * has_rest}{paid}")
            self.world.exit(proc, code, has_rest=has_rest, spent=spent)

    def a_service_turns_an_attempt_away(self) -> None:
        """Until some time, which may be past."""
        if busy := self.busy():
            proc, seconds, has_rest = self.dice.choice(busy), self.dice.choice([-5.0, 30.0, 900.0]), self.rarely()
            self.say(f"{named(proc)} is turned away for {seconds:g} s{' and leaves others behind' * has_rest}")
            self.world.exit(proc, 75, has_rest=has_rest, limited=self.world.now + seconds)

    def what_was_asked_to_end_does(self) -> None:
        """The process itself, or what was left of its tree."""
        if ending := [proc for proc in self.procs() if proc.asked]:
            proc, has_rest = self.dice.choice(ending), self.rarely()
            if proc.is_running:
                self.say(f"{named(proc)} ends as it was asked to{' and leaves others behind' * has_rest}")
                self.world.exit(proc, 143, has_rest=has_rest)
            else:
                self.say(f"what was left of {named(proc)} ends")
                self.world.rest_gone(proc)

    def a_process_is_killed(self) -> None:
        """Another process kills it."""
        if running := [proc for proc in self.procs() if proc.is_running]:
            proc, has_rest = self.dice.choice(running), self.rarely()
            self.say(f"{named(proc)} is killed from outside{' and leaves others behind' * has_rest}")
            self.world.exit(proc, 137, has_rest=has_rest)

    def the_kernel_ends_a_process_for_memory(self) -> None:
        """The process or one below it: then it may still report its end."""
        if running := [proc for proc in self.procs() if proc.is_running]:
            proc, code, has_rest = self.dice.choice(running), self.dice.choice([None, 0, 137]), self.rarely()
            proc.oom = self.dice.choice(list(Oom))
            self.say(f"the kernel ends {named(proc)} for memory ({proc.oom.name}){' and leaves others' * has_rest}")
            self.world.exit(proc, code, has_rest=has_rest)

    def a_tree_takes_more_than_it_may(self) -> None:
        """Seen by a sample."""
        if procs := self.procs():
            proc = self.dice.choice(procs)
            self.say(f"{named(proc)} takes more memory than it may")
            self.world.tell(inputs.OverMemory(*proc.key))

    def the_disk_fills(self) -> None:
        """No new agent starts."""
        self.say("the disk is nearly full")
        self.world.tell(inputs.DiskSpaceChanged(50, 100))

    def the_disk_empties(self) -> None:
        """Perhaps not by enough for disk pressure to be over."""
        free = self.dice.choice([105, 106, 200])
        self.say(f"the disk has {free} bytes, of which 100 shall be free")
        self.world.tell(inputs.DiskSpaceChanged(free, 100))

    def time_passes(self) -> None:
        """To the next deadline, and perhaps far beyond it."""
        due = next_deadline(self.world.state) or 0.0
        seconds = max(0.0, due - self.world.now) + self.dice.choice([0.0, 0.0, 0.0, 3.0, 700.0])
        self.say(f"{seconds:g} s pass")
        self.world.sleep(seconds)

    def a_stall_lasts(self) -> None:
        """Until it is broken or announced."""
        since = self.world.observer.stalled_since
        if since is not None:
            seconds = max(0.0, since + self.world.state.stall_after - self.world.now)
            self.say(f"the stall lasts {seconds:g} s more")
            self.world.sleep(seconds)

    def a_launch_will_fail(self) -> None:
        """The fault is the machine's or the agent's own."""
        is_passing = self.dice.random() < 0.5
        self.say(f"a launch will fail, by the fault of {'the machine' if is_passing else 'the agent'}")
        self.world.failures.append(is_passing)

    def agents_fall_silent(self) -> None:
        """All agents, and agents in a lent slot stand still."""
        self.say("all agents fall silent")
        self.world.quiet = 100.0
        lent = [
            agent.lent_to for agent in self.world.state.waiting.values() if agent.lent_to in self.world.state.living
        ]
        self._stand_still(
            {(agent_id, self.world.state.living[agent_id].attempt) for agent_id in lent if agent_id is not None}
        )

    def agents_are_loud(self) -> None:
        """Again."""
        self.say("all agents put something out")
        self.world.quiet = 1.0
        self._stand_still(set())

    def _stand_still(self, attempts: set[tuple[AgentId, int]]) -> None:
        self.world.tell(inputs.StoodStill(frozenset({*attempts, (AgentId("agent-001"), 99)})))

    def the_daemon_is_killed(self) -> None:
        """Between two turns."""
        self.say("the daemon is killed, and another takes over")
        self.world.restart()

    def the_daemon_dies_before_the_next_commit(self) -> None:
        """What is decided is lost, and no client is told."""
        self.say("the daemon will die before its next commit")
        self.world.crash = "before"

    def the_daemon_dies_after_the_next_commit(self) -> None:
        """What is decided is kept, and no client is told."""
        self.say("the daemon will die after its next commit")
        self.world.crash = "after"

    def the_daemon_drains(self) -> None:
        """The daemon leaves with its agents or without; at some later step it is killed and another takes over."""
        stop = self.dice.random() < 0.5
        self.say(f"the daemon is to leave{' with its agents' * stop}")
        self.world.tell(inputs.Drain(self.world.request(), stop))

    def the_configuration_is_read_again(self) -> None:
        """Whether agents whose wait was cut short need a slot, and how long a stall lasts before it is broken."""
        state = self.world.state
        state.is_strict = self.world.is_roomy or self.dice.random() < 0.8
        state.stall_after = self.dice.choice([0.0, 30.0, 30.0])
        self.say(f"the limit is {'strict' if state.is_strict else 'lenient'}, a stall lasts {state.stall_after:g} s")
        self.world.sleep(0.0)

    def news_comes_late_or_twice(self) -> None:
        """The news is of attempts that are over, or of agents that never were."""
        agent_id = self.dice.choice([*self.late_ids(), AgentId("agent-999")])
        attempt = (self.world.store[agent_id].attempt if agent_id in self.world.store else 2) - self.dice.randint(0, 2)
        proc = self.world.procs.get((agent_id, attempt))
        if proc is not None and proc.is_running:
            return
        again = [inputs.Exited(agent_id, attempt, proc.outcome, is_tree_gone=False)] if proc is not None else []
        news = self.dice.choice(again or stale(agent_id, attempt))
        self.say(f"late or twice: {type(news).__name__} of {agent_id} #{attempt}")
        self.world.tell(news)
