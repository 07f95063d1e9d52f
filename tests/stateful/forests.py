"""Forests of agents that spawn, wait and end by a plan, in any order: what is stuck at the end is a deadlock."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from orchd.core.decide import next_deadline
from orchd.core.model import AgentId, Spec, Status
from tests.stateful.world import World

STYLES = ("all", "any", "each", "never")


@dataclass
class Node:
    """What one agent does: spawn its children in one batch, wait for them in its own way, end."""

    name: str
    children: list[Node] = field(default_factory=list)
    after: tuple[str, ...] = ()  # siblings before it
    nesting: int = 0
    style: str = "all"
    code: int = 0

    @property
    def height(self) -> int:
        """How many levels it really waits for."""
        return 1 + max((child.height for child in self.children), default=-1)

    def spec(self) -> Spec:
        """As its parent asks for it."""
        after = tuple(AgentId(name) for name in self.after)
        return Spec(command=("true",), name=self.name, cwd="/", environment="e", after=after, nesting=self.nesting)


@dataclass
class Play:
    """A forest being performed."""

    world: World
    random: Random
    nodes: dict[str, Node] = field(default_factory=dict)
    todo: dict[AgentId, list[tuple[AgentId, ...]]] = field(default_factory=dict)  # the waits still before each

    def run(self, roots: list[Node]) -> None:
        """Everything ends, in some order."""
        self._spawn(None, roots)
        while self._act():
            pass
        assert not self.world.state.agents, [(one.id, one.status.value) for one in self.world.state.agents.values()]

    def _spawn(self, parent: AgentId | None, nodes: list[Node]) -> list[AgentId]:
        first = self.world.state.last_number + 1
        self.nodes.update({node.name: node for node in nodes})
        self.world.spawn(parent, *(node.spec() for node in nodes))
        return [AgentId(f"agent-{number:03d}") for number in range(first, self.world.state.last_number + 1)]

    def _act(self) -> bool:
        """Let one of those that can do something do it; False when nobody ever can."""
        able = [agent.id for agent in self.world.state.living.values() if agent.status is Status.RUNNING]
        stopped = [proc for proc in self.world.procs.values() if proc.asked]
        if able or stopped:
            pick = self.random.randrange(len(able) + len(stopped))
            if pick < len(able):
                self._step(able[pick])
            else:
                self.world.exit(stopped[pick - len(able)], 143, has_rest=False)
            return True
        if (due := next_deadline(self.world.state)) is None:
            return False
        self.world.sleep(due - self.world.now)
        return True

    def _step(self, one: AgentId) -> None:
        agent = self.world.state.agents[one]
        node = self.nodes[agent.spec.name]
        if one not in self.todo:
            children = self._spawn(one, node.children) if node.children else []
            self.todo[one] = self._waits(node, tuple(children))
        elif self.todo[one]:
            targets = self.todo[one].pop(0)
            self.world.wait(one, targets, is_any=node.style == "any", timeout=None)
        else:
            self.world.exit(self.world.procs[one, agent.attempt], node.code, has_rest=False)

    def _waits(self, node: Node, children: tuple[AgentId, ...]) -> list[tuple[AgentId, ...]]:
        if node.style == "never" or not children:
            return []
        if node.style == "each":
            shuffled = list(children)
            self.random.shuffle(shuffled)
            return [(child,) for child in shuffled]
        return [children]


def regular(fan: tuple[int, ...], *, is_declared: bool, name: str = "n") -> list[Node]:
    """`fan[0]` roots with `fan[1]` children each, and so on."""
    made = []
    for number in range(fan[0] if fan else 0):
        here = f"{name}-{number}"
        children = regular(fan[1:], is_declared=is_declared, name=here)
        made.append(Node(here, children, nesting=len(fan) - 1 if is_declared else 0))
    return made


def random_forest(random: Random, depth: int, widest: int, name: str = "n") -> list[Node]:
    """Any shape, any way to wait, nesting declared truly, or too small, or not at all."""
    made: list[Node] = []
    for number in range(random.randint(1, widest)):
        here = f"{name}-{number}"
        has_children = depth > 1 and random.random() < 0.6
        node = Node(here, random_forest(random, depth - 1, 3, here) if has_children else [])
        node.after = tuple(other.name for other in made if random.random() < 0.15)
        node.style = random.choice(STYLES[:3] * 3 + STYLES)
        node.nesting = random.choice([node.height, node.height, 0, max(0, node.height - 1)])
        node.code = random.choice([0, 0, 0, 0, 1])
        made.append(node)
    return made
