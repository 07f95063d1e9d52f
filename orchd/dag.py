"""Graphs of nodes and their dependencies, and the paths of groups within groups.

A graph maps every node to the nodes that it depends on. Each function is linear in nodes and edges, none recurses, and
each raises UnknownNodeError for a dependency that is no node and CyclicGraphError for a cycle.
A path names a member (`api`, or `web/api` in the group `web`) or a group (`web`; the run as a whole is the empty path).
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

Graph = Mapping[str, Sequence[str]]
Known = Mapping[str, float | None]
Node = TypeVar("Node", bound=Hashable)


class GraphError(ValueError):
    """A graph that has no order."""


class UnknownNodeError(GraphError):
    """A node depends on a node that the graph does not have."""

    def __init__(self, node: str, dependency: str) -> None:
        self.node, self.dependency = node, dependency
        super().__init__(f"{node!r} depends on {dependency!r}, which does not exist")


class CyclicGraphError(GraphError):
    """Nodes depend on each other in a circle: `cycle` is the path, which ends where it begins."""

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = list(cycle)
        super().__init__(f"dependency cycle: {' -> '.join(cycle)}")


def topological(graph: Graph) -> list[str]:
    """Return the nodes in an order in which each comes after all its dependencies."""
    for node, dependencies in graph.items():
        for dependency in dependencies:
            if dependency not in graph:
                raise UnknownNodeError(node, dependency)
    cycle = cycle_in(graph)
    if cycle is not None:
        raise CyclicGraphError(cycle)
    return list(TopologicalSorter(graph).static_order())


def cycle_in(graph: Mapping[Node, Iterable[Node]]) -> list[Node] | None:
    """Return a cycle as a path in which each node depends on the next and the first is repeated at the end, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[Node] = error.args[1]
        return cycle[::-1]
    return None


def levels(graph: Graph, joints: Container[str] = ()) -> list[list[str]]:
    """Return nodes in groups, each node in the first group after all its dependencies, in the graph's order.

    The nodes in `joints` only pass dependencies on: they are in no group and make none.
    """
    level: dict[str, int] = {}  # how many groups there are up to the node
    for node in topological(graph):
        before = max((level[dependency] for dependency in graph[node]), default=0)
        level[node] = before if node in joints else before + 1
    groups: list[list[str]] = [[] for _ in range(max(level.values(), default=0))]
    for node in graph:
        if node not in joints:
            groups[level[node] - 1].append(node)
    return groups


def remaining_paths(graph: Graph, durations: Mapping[str, float]) -> dict[str, float]:
    """Return for each node the longest path from it to the end, itself included, in the unit of `durations`."""
    beyond: dict[str, float] = dict.fromkeys(graph, 0.0)
    remaining: dict[str, float] = {}
    for node in reversed(topological(graph)):
        remaining[node] = beyond[node] + durations[node]
        for dependency in graph[node]:
            beyond[dependency] = max(beyond[dependency], remaining[node])
    return {node: remaining[node] for node in graph}


def critical_path(graph: Graph, durations: Mapping[str, float]) -> list[str]:
    """Return the longest path from a beginning to an end: no order is faster. Of equal paths the first in the graph."""
    remaining = remaining_paths(graph, durations)
    after = successors(graph)
    candidates = [node for node in graph if not graph[node]]
    path: list[str] = []
    while candidates:
        path.append(max(candidates, key=remaining.__getitem__))
        candidates = after[path[-1]]
    return path


def successors(graph: Graph) -> dict[str, list[str]]:
    """Return for each node the nodes that depend on it."""
    after: dict[str, list[str]] = {node: [] for node in graph}
    for node, dependencies in graph.items():
        for dependency in dict.fromkeys(dependencies):
            after[dependency].append(node)
    return after


def durations(seconds: Known, tokens: Known) -> dict[str, float]:
    """Return a duration for each node, that is each key of `seconds` or `tokens`; None there is the same as no key.

    `seconds` come from history, `tokens` are estimates. A node with history takes its seconds. A node without takes its
    tokens times the seconds per token of the nodes that have both. Without any history the unit is not seconds but
    plain tokens. A node with neither, or with tokens that nothing converts, takes the mean of all others, or 1.
    """
    history = {node: value for node, value in seconds.items() if value is not None}
    estimates = {node: value for node, value in tokens.items() if value is not None}
    rate = None if history else 1.0
    if both := [node for node in history if estimates.get(node)]:
        rate = sum(history[node] for node in both) / sum(estimates[node] for node in both)
    known = history if rate is None else {**{node: value * rate for node, value in estimates.items()}, **history}
    mean = sum(known.values()) / len(known) if known else 1.0
    return {node: float(known.get(node, mean)) for node in (*tokens, *seconds)}


def around(path: str) -> str:
    """Return the path of the group that a member or group is in."""
    return path.rpartition("/")[0]


def groups_around(path: str) -> Iterator[str]:
    """Yield the groups that a node is in, innermost first; the last is the whole."""
    while path:
        path = around(path)
        yield path
