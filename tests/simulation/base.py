"""The agents that a step is about, the requests, and the words in which a step is told."""

from __future__ import annotations

from random import Random

from orchd.core.inputs import Part
from orchd.core.state.agents import Agent, AgentId, Condition, Spec, Status
from orchd.core.state.spending import Budget
from orchd.core.state.state import Guards, State
from tests.simulation.steps import DEPTH, Opening, Step
from tests.stateful.outside import Client, Proc
from tests.stateful.world import World

CROWD = 24  # nobody spawns while so many are not over: what is checked costs more than in proportion
GUARDS = Guards(depth=DEPTH, children=6, agents=30)


class StepBase:
    """One history in progress: a method for each step, which tells the world what happens."""

    def __init__(self, opening: Opening) -> None:
        state = State(limit=opening.limit, resident=opening.resident, guards=GUARDS, seed=opening.seed)
        state.is_strict = opening.is_strict
        state.rate_limit_waits, state.rate_limit_time = opening.rate_limit_waits, opening.rate_limit_time
        self.world = World(state, is_thorough=False, is_roomy=opening.is_roomy)
        self.world.launches = opening.launches
        self.dice = Random(0)

    def perform(self, step: Step) -> None:
        """Perform a step; it does nothing when there is no agent that it fits."""
        self.dice.seed(step.dice)
        getattr(self, step.name)()

    def say(self, words: str) -> None:
        """Note a step before the world performs it, so that the last line is there when it fails."""
        self.world.story.append(words)

    def ids(self) -> list[AgentId]:
        """All agents ever spawned."""
        return list(self.world.store)

    def late_ids(self) -> list[AgentId]:
        """The newest agents."""
        return self.ids()[-CROWD:]

    def unfinished_ids(self) -> list[AgentId]:
        """All agents that have not ended."""
        return [agent.id for agent in self.world.state.agents.values() if not agent.is_over]

    def procs(self) -> list[Proc]:
        """All processes that hold a slot."""
        return list(self.world.procs.values())

    def busy(self) -> list[Proc]:
        """Processes that may end by themselves: not those that are blocked, frozen, or poll for a child."""
        return [proc for proc in self.procs() if self.world.may_end(proc)]

    def callers(self) -> list[AgentId]:
        """Agents that can make requests."""
        return [agent.id for agent in self.world.state.living.values() if self.world.may_act(agent)]

    def waiting(self) -> list[Agent]:
        """Agents that wait and are not frozen."""
        living = self.world.state.living.values()
        return [agent for agent in living if agent.status is Status.WAITING and self.world.may_act(agent)]

    def frozen(self) -> list[AgentId]:
        """Agents whose processes are kept from running."""
        living = self.world.state.living.values()
        return [agent.id for agent in living if agent.frozen is not None or agent.is_suspended]

    def client(self) -> Client | None:
        """One of the clients that are blocked, or were when the daemon died."""
        clients = list(self.world.clients.values())
        return self.dice.choice(clients) if clients else None

    def is_crowded(self) -> bool:
        """Whether there are enough agents for now."""
        return sum(1 for agent in self.world.state.agents.values() if not agent.is_over) >= CROWD

    def rarely(self) -> bool:
        """True one time in eight."""
        return self.dice.random() < 0.125

    def specs(self) -> list[Spec]:
        """`after` is any agent there ever was, or an earlier one of the same request; that alone in a roomy world."""
        specs: list[Spec] = []
        for number in range(self.dice.choice([1, 1, 2, 3])):
            named = [AgentId(spec.name) for spec in specs]
            known = named if self.world.is_roomy else [*self.ids(), *named]
            count = min(len(known), self.dice.choice([0, 0, 0, 1, 2]))
            after = tuple(self.dice.choices(known, k=count))
            specs.append(self._spec(f"new-{number}", after, self._conditions(after)))
        return specs

    def _conditions(self, after: tuple[AgentId, ...]) -> tuple[tuple[AgentId, Condition], ...]:
        """Most dependencies require completion. Other dice: a history without conditions stays what it was."""
        dice = Random(f"{self.world.turns}:{after}")
        drawn = [
            (agent_id, dice.choice([None, None, Condition.ANY, Condition.FAILED])) for agent_id in dict.fromkeys(after)
        ]
        return tuple((agent_id, condition) for agent_id, condition in drawn if condition is not None)

    def _spec(self, name: str, after: tuple[AgentId, ...], conditions: tuple[tuple[AgentId, Condition], ...]) -> Spec:
        choice = self.dice.choice
        return Spec(
            command=("true",),
            name=name,
            cwd="/",
            environment="e",
            after=after,
            conditions=conditions,
            nesting=0 if self.world.is_roomy else choice([0, 0, 0, 1, 2]),
            priority=choice([0, 0, -1, 1]),
            timeout=choice([None, None, None, 20.0]),
            silence=choice([None, None, None, 5.0]),
            retries=choice([0, 0, 1]),
            grace=choice([0.0, 10.0]),
            runner=choice([None, None, "a", "b"]),
            tokens=choice([None, 100]),
        )

    def budget(self) -> Budget:
        """A budget, mostly without a bound."""
        return self.dice.choice([Budget(), Budget(), Budget(tokens=250), Budget(cost_usd=1.0), Budget(tokens=0)])


def named(proc: Proc) -> str:
    """`agent-001 #2`."""
    return f"{proc.key[0]} #{proc.key[1]}"


def listed(specs: list[Spec]) -> str:
    """Agents as they are asked for."""
    return ", ".join(_described(spec) for spec in specs)


def _described(spec: Spec) -> str:
    plain = Spec(spec.command, spec.name, spec.cwd, spec.environment)
    fields = ("after", "nesting", "priority", "timeout", "silence", "grace", "retries", "runner")
    changed = {name: getattr(spec, name) for name in fields if getattr(spec, name) != getattr(plain, name)}
    if spec.conditions:
        changed["conditions"] = tuple(f"{agent_id}:{condition.value}" for agent_id, condition in spec.conditions)
    words = [f"{name}={','.join(value) if isinstance(value, tuple) else value}" for name, value in changed.items()]
    return " ".join([spec.name, *words])


def described(part: Part) -> str:
    """A member as it is asked for."""
    after = f" after {','.join(part.after)}" if part.after else ""
    return f"{part.path}{after}{'' if part.is_required else ' (optional)'}"


def said(budget: Budget) -> str:
    """A budget in words."""
    return "no budget" if budget == Budget() else f"a budget of {budget.tokens} tokens, ${budget.cost_usd}"
