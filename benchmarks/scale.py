"""The core alone, in virtual time, far beyond one machine: up to 10,000 slots and 1,000,000 agents.

`python -m benchmarks.scale` takes all tables; with AGENTS it takes none greater than that. Processes are made by nobody
and last as long as was drawn for them, so what is measured is deciding alone. Each figure is of a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.harness import RESULTS, machine
from orchd.core import inputs
from orchd.core.decide import decide
from orchd.core.effects import Answer, Launch
from orchd.core.state.agents import AgentId, Instant, Outcome, RequestId, Spec
from orchd.core.state.events import AttemptAdmitted
from orchd.core.state.indexes import forget
from orchd.core.state.runs import GroupPlan, RunPlan
from orchd.core.state.state import Guards, State
from orchd.core.turn import Turn

AGENTS = (1_000, 10_000, 100_000, 1_000_000)
PLACES = (7, 100, 1_000, 10_000)
BATCH = 1_000  # agents of a request
FAMILY = 4  # a parent and the three that it spawns and waits for
MEMBERS = 10  # of a run
SEED = 2026
SHORTEST, LONGEST = 60.0, 600.0  # seconds of virtual time


class Plain(NamedTuple):
    """One measurement: which request, at how many slots, for how many agents in all."""

    shape: str
    slots: int
    agents: int


class Sample(NamedTuple):
    """The time and memory of one measurement."""

    decisions: int  # inputs decided
    seconds: float  # of real time, the queueing left out
    queueing: float  # seconds of real time until all were queued
    bytes_an_agent: float  # all queued, none over
    virtual: float  # seconds from the first start to the last end


class Site:
    """A core and processes that only exist as the time of their end."""

    def __init__(self, plain: Plain) -> None:
        resident = plain.slots * FAMILY if plain.shape == "families" else plain.slots
        guards = Guards(depth=3, children=FAMILY, agents=plain.agents + 1)
        self.state = State(limit=plain.slots, resident=resident, guards=guards)
        self.chance = Random(SEED)
        self.now = 0.0
        self.decisions = 0
        self.requests = 0
        self.ends: list[tuple[float, str, int]] = []
        self.parents: set[AgentId] = set()  # those that have not spawned yet

    def request(self) -> RequestId:
        """Return a new request id."""
        self.requests += 1
        return RequestId(f"r{self.requests}")

    def tell(self, given: inputs.Input) -> tuple[AgentId, ...]:
        """Run one turn, as the engine does, and return the agents that the answer names."""
        turn = Turn(self.state, Instant(self.now, self.now))
        decide(turn, given)
        self.decisions += 1
        while turn.questions:
            question = turn.questions.pop(0)
            self.decisions += 1
            decide(turn, self._answered(question))
        over_agents = {
            event.agent for event in turn.events if hasattr(event, "agent") and self.state.agents[event.agent].is_over
        }
        forget(self.state, over_agents)
        for event in turn.events:
            if isinstance(event, AttemptAdmitted):
                heappush(self.ends, (self.now + self.chance.uniform(SHORTEST, LONGEST), event.agent, event.attempt))
        answers = [effect.agents for effect in turn.effects if isinstance(effect, Answer)]
        return answers[0] if answers else ()

    def _answered(self, question: object) -> inputs.Input:
        assert isinstance(question, Launch)
        return inputs.Spawned(question.agent, question.attempt, 1, None)

    def queue(self, plain: Plain) -> None:
        """Queue every agent at the begin, while none may start."""
        self.tell(inputs.Pause(self.request()))
        if plain.shape == "runs":
            for _ in range(plain.agents // MEMBERS):
                self._run()
            return
        is_family = plain.shape == "families"
        count = plain.agents // FAMILY if is_family else plain.agents
        for start in range(0, count, BATCH):
            specs = tuple(spec(f"a{number}", int(is_family)) for number in range(start, min(start + BATCH, count)))
            agent_ids = self.tell(inputs.SpawnAgents(self.request(), None, specs))
            self.parents.update(agent_ids if is_family else ())

    def _run(self) -> None:
        parts = [inputs.Part(f"m{number}", spec(f"m{number}", 0), _after(number)) for number in range(MEMBERS)]
        lasting = dict.fromkeys((part.path for part in parts), LONGEST)
        plan = RunPlan("run", (GroupPlan("", max_parallel=4),), "/")
        self.tell(inputs.BeginRun(self.request(), None, plan, tuple(parts), {}, lasting))

    def perform(self) -> None:
        """Let every agent end."""
        self.tell(inputs.Resume(self.request()))
        while self.ends:
            self.now, agent_id, attempt = heappop(self.ends)
            agent = AgentId(agent_id)
            if agent in self.parents:
                self.parents.discard(agent)
                children = tuple(spec(f"c{number}", 0) for number in range(FAMILY - 1))
                ids = self.tell(inputs.SpawnAgents(self.request(), agent, children))
                heappush(self.ends, (self.now + LONGEST * FAMILY, agent_id, attempt))
                self.tell(
                    inputs.BeginWait(
                        self.request(), agent, ids, is_any=False, timeout=None, caller=1, caller_started=1.0
                    )
                )
            else:
                self.tell(inputs.Exited(agent, attempt, Outcome(0), is_tree_gone=True))
        assert not self.state.agents, "somebody is stuck"


def spec(name: str, nesting: int) -> Spec:
    """Return an agent as a client sends it."""
    return Spec(command=("agent", name), name=name, cwd="/project", environment="e", nesting=nesting)


def _after(number: int) -> tuple[str, ...]:
    """Put each agent after the agent two before it."""
    return (f"m{number - 2}",) if number > 1 else ()


def resident_bytes() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def measured(plain: Plain) -> Sample:
    """Measure in this process."""
    site = Site(plain)
    before, began = resident_bytes(), time.process_time()
    site.queue(plain)
    queueing = time.process_time() - began
    grown = (resident_bytes() - before) / max(1, len(site.state.agents))
    site.decisions, began = 0, time.process_time()
    site.perform()
    return Sample(site.decisions, time.process_time() - began, queueing, grown, site.now)


def apart(plain: Plain) -> Sample:
    """Measure in a process of its own with fresh memory."""
    command = [sys.executable, "-m", "benchmarks.scale", "--one", json.dumps(plain)]
    return Sample(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def plains(most_agents: int) -> list[Plain]:
    """Return the measurements: agents at 10,000 slots, and slots for 100,000 agents."""
    grown = [Plain(shape, max(PLACES), count) for shape in ("flat", "families", "runs") for count in AGENTS]
    placed = [Plain(shape, slots, 100_000) for shape in ("flat", "families", "runs") for slots in PLACES[:-1]]
    return [plain for plain in [*grown, *placed] if plain.agents <= most_agents]


def main(most_agents: int = max(AGENTS)) -> None:
    """Print a line per measurement, and write the figures beside the others."""
    print("  ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{'shape':10}{'slots':>8}{'agents':>11}{'decisions/s':>13}{'us each':>9}{'bytes each':>12}{'queued/s':>10}")
    rows = []
    for plain in plains(most_agents):
        sample = apart(plain)
        rate = sample.decisions / sample.seconds
        print(
            f"{plain.shape:10}{plain.slots:>8,}{plain.agents:>11,}{rate:>13,.0f}{1e6 / rate:>9.1f}"
            f"{sample.bytes_an_agent:>12,.0f}{plain.agents / sample.queueing:>10,.0f}",
            flush=True,
        )
        rows.append({**plain._asdict(), **sample._asdict()})
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scale.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(Plain(*json.loads(sys.argv[2])))))
    else:
        main(*map(int, sys.argv[1:]))
