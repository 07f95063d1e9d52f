"""Forests of agents that spawn, wait and end by a plan, in any order: what is stuck at the end is a deadlock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from orchd.core import inputs
from orchd.core.decide import next_deadline
from orchd.core.state.agents import AgentId, Spec
from tests.stateful.outside import Client, Proc
from tests.stateful.world import World

STYLES = ("all", "any", "each", "never")  # how an agent waits for its children
CUT = ("timed", "killed", "beside")  # in pieces: with time-outs, in clients that are killed, in the background
POLL = "poll"  # it waits for nothing and ends when its children have ended
MOST_PIECES = 12  # waits of one agent that are cut short
PIECE = 5.0  # seconds


@dataclass
class Node:
    """The part of one agent: spawn its children in one batch, wait for them in its own way, end."""

    name: str
    children: list[Node] = field(default_factory=list)
    after: tuple[str, ...] = ()  # siblings before it
    nesting: int = 0
    style: str = "all"
    code: int = 0

    @property
    def height(self) -> int:
        """The number of levels that it really waits for."""
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
    pieces: dict[AgentId, int] = field(default_factory=dict)  # how many waits of each were cut short

    def run(self, roots: list[Node]) -> bool:
        """Whether all agents ended, in some order. Where not, a stall was announced."""
        self._spawn(None, roots)
        while self._act():
            pass
        if not (remaining := self.world.state.agents.values()):
            return True
        assert self.world.state.is_stall_announced, [(agent.id, agent.status.value) for agent in remaining]
        return False

    def _spawn(self, parent: AgentId | None, nodes: list[Node]) -> list[AgentId]:
        first = self.world.state.last_number + 1
        self.nodes.update({node.name: node for node in nodes})
        self.world.spawn(parent, *(node.spec() for node in nodes))
        return [AgentId(f"agent-{number:03d}") for number in range(first, self.world.state.last_number + 1)]

    def _act(self) -> bool:
        """Let something happen that can; False when nothing ever will."""
        acts: list[Callable[[], None]] = []
        for proc in self.world.procs.values():
            if proc.asked:
                acts.append(partial(self.world.exit, proc, 143, has_rest=False))
            elif self.world.can_run(proc) and self._has_step(proc):
                acts.append(partial(self._step, proc.key[0]))
        if cuts := [cut for client in self.world.clients.values() if (cut := self._cut_of(client)) is not None]:
            acts.append(self.random.choice(cuts))
        if acts:
            self.random.choice(acts)()
            return True
        if (due := next_deadline(self.world.state)) is None:
            return False
        self.world.sleep(due - self.world.now)
        return True

    def _has_step(self, proc: Proc) -> bool:
        agent = self.world.state.agents[proc.key[0]]
        return agent.id not in self.todo or bool(self.todo[agent.id]) or self.world.may_end(proc)

    def _cut_of(self, client: Client) -> Callable[[], None] | None:
        """The kind of cut that may shorten the wait of this client."""
        agent_id = client.begin.agent
        style = self._node(agent_id).style
        if style not in CUT or client.is_beside or self.pieces.get(agent_id, 0) >= MOST_PIECES:
            return None
        if style == "beside":
            return partial(self._work, client)
        if style == "killed":
            return partial(self._kill, client)
        return partial(self.world.sleep, self.random.choice([1.0, PIECE]))

    def _work(self, client: Client) -> None:
        """Work from now on, and look whether the client has an answer."""
        self.pieces[client.begin.agent] = MOST_PIECES
        self.world.pollers.add(client.begin.agent)
        self.world.tell(inputs.WorkedWhileWaiting(*client.key))

    def _kill(self, client: Client) -> None:
        self.pieces[client.begin.agent] = 1 + self.pieces.get(client.begin.agent, 0)
        self.todo[client.begin.agent].append(client.begin.targets)
        self.world.hang_up(client)

    def _node(self, agent_id: AgentId) -> Node:
        return self.nodes[self.world.look(agent_id).spec.name]

    def _step(self, agent_id: AgentId) -> None:
        agent = self.world.state.agents[agent_id]
        node = self.nodes[agent.spec.name]
        if agent_id not in self.todo:
            children = self._spawn(agent_id, node.children) if node.children else []
            self.todo[agent_id] = self._waits(node, tuple(children))
            self.world.pollers |= {agent_id} if node.style == POLL else set()
        elif self.todo[agent_id]:
            self._wait(agent_id, self.todo[agent_id].pop(0), node)
        else:
            self.world.exit(self.world.procs[agent_id, agent.attempt], node.code, has_rest=False)

    def _wait(self, agent_id: AgentId, targets: tuple[AgentId, ...], node: Node) -> None:
        is_timed = node.style == "timed" and self.pieces.get(agent_id, 0) < MOST_PIECES
        refused = len(self.world.refusals)
        if is_timed:
            self.pieces[agent_id] = 1 + self.pieces.get(agent_id, 0)
            self.todo[agent_id].append(targets)  # where it is true by then, that is answered at once
        self.world.wait(agent_id, targets, is_any=node.style == "any", timeout=PIECE if is_timed else None)
        if len(self.world.refusals) > refused:
            self.todo[agent_id].clear()

    def _waits(self, node: Node, children: tuple[AgentId, ...]) -> list[tuple[AgentId, ...]]:
        if node.style in ("never", POLL) or not children:
            return []
        if node.style == "each":
            shuffled = list(children)
            self.random.shuffle(shuffled)
            return [(child,) for child in shuffled]
        return [children]


def regular(fan: tuple[int, ...], *, is_declared: bool, name: str = "n") -> list[Node]:
    """`fan[0]` roots with `fan[1]` children each, and so on."""
    nodes = []
    for number in range(fan[0] if fan else 0):
        here = f"{name}-{number}"
        children = regular(fan[1:], is_declared=is_declared, name=here)
        nodes.append(Node(here, children, nesting=len(fan) - 1 if is_declared else 0))
    return nodes


def random_forest(random: Random, depth: int, widest: int, name: str = "n") -> list[Node]:
    """Any shape, any way to wait, nesting declared truly, or too small, or not at all."""
    nodes: list[Node] = []
    for number in range(random.randint(1, widest)):
        here = f"{name}-{number}"
        has_children = depth > 1 and random.random() < 0.6
        node = Node(here, random_forest(random, depth - 1, 3, here) if has_children else [])
        node.after = tuple(other.name for other in nodes if random.random() < 0.15)
        node.style = random.choice(STYLES[:3] * 3 + STYLES)
        node.nesting = random.choice([node.height, node.height, 0, max(0, node.height - 1)])
        node.code = random.choice([0, 0, 0, 0, 1])
        nodes.append(node)
    return nodes


def mixed_forest(random: Random, depth: int, widest: int, styles: Sequence[str], name: str = "n") -> list[Node]:
    """Any shape, these ways to wait, nothing declared."""
    nodes: list[Node] = []
    for number in range(random.randint(1, widest)):
        here = f"{name}-{number}"
        has_children = depth > 1 and random.random() < 0.7
        children = mixed_forest(random, depth - 1, 3, styles, here) if has_children else []
        nodes.append(Node(here, children, style=random.choice(styles)))
    return nodes
