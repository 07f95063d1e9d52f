"""Graphs of nodes and what each depends on. Everything here is linear in nodes and edges, and nothing recurses.

A graph is a mapping from every node to its dependencies. Each function raises CompositionError for a dependency that
is no node (`unknown-dependency`) and for a cycle (`cycle`), which it names.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from orchd.core.composition.errors import CompositionError, Problem

Graph = Mapping[str, Sequence[str]]
Node = TypeVar("Node", bound=Hashable)


def topological(graph: Graph) -> list[str]:
    """Every node behind all that it depends on."""
    for node, dependencies in graph.items():
        for dependency in dependencies:
            if dependency not in graph:
                raise CompositionError([_unknown(node, dependency)])
    cycle = cycle_in(graph)
    if cycle is not None:
        raise CompositionError([cyclic(cycle)])
    return list(TopologicalSorter(graph).static_order())


def cycle_in(graph: Mapping[Node, Iterable[Node]]) -> list[Node] | None:
    """A cycle as a path in which each depends on the next and the first is repeated at the end, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[Node] = error.args[1]
        return found[::-1]
    return None


def cyclic(cycle: Sequence[str], path: str = "$.subSkills") -> Problem:
    """The problem that `cycle` is."""
    shown = " -> ".join(cycle)
    return Problem(
        "cycle", path, list(cycle), f"a cycle of dependencies: {shown}", "take one of these dependencies away"
    )


def _unknown(node: str, dependency: str) -> Problem:
    return Problem(
        "unknown-dependency",
        "$.subSkills",
        dependency,
        f"{node!r} depends on {dependency!r}, which is not there",
        "add it, or take the dependency away",
    )


def levels(graph: Graph, joints: Container[str] = ()) -> list[list[str]]:
    """Nodes in groups, each node in the first group that comes after all its dependencies, in the graph's order.

    The nodes in `joints` only hand on what comes after what: they are in no group and make none.
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
    """For each node the longest path from it to the end, itself included, in the unit of `durations`."""
    beyond: dict[str, float] = dict.fromkeys(graph, 0.0)
    remaining: dict[str, float] = {}
    for node in reversed(topological(graph)):
        remaining[node] = beyond[node] + durations[node]
        for dependency in graph[node]:
            beyond[dependency] = max(beyond[dependency], remaining[node])
    return {node: remaining[node] for node in graph}


def critical_path(graph: Graph, durations: Mapping[str, float]) -> list[str]:
    """The longest path from a beginning to an end: nothing is faster than it. Of equal ones the first in the graph."""
    remaining = remaining_paths(graph, durations)
    after = successors(graph)
    candidates = [node for node in graph if not graph[node]]
    path: list[str] = []
    while candidates:
        path.append(max(candidates, key=remaining.__getitem__))
        candidates = after[path[-1]]
    return path


def successors(graph: Graph) -> dict[str, list[str]]:
    """For each node those that depend on it."""
    after: dict[str, list[str]] = {node: [] for node in graph}
    for node, dependencies in graph.items():
        for dependency in dict.fromkeys(dependencies):
            after[dependency].append(node)
    return after
