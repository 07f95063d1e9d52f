"""Graphs for property tests: acyclic ones of any shape, nodes in any order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import strategies as st

Graph = dict[str, list[str]]


@st.composite
def acyclic(draw: st.DrawFn, most: int = 9) -> Graph:
    """A node depends only on nodes before it in a hidden order, which is not the order of the graph."""
    count = draw(st.integers(0, most))
    names = [f"n{index}" for index in range(count)]
    graph = {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }
    return {name: graph[name] for name in draw(st.permutations(names))}


def weights(graph: Graph) -> st.SearchStrategy[dict[str, float]]:
    """A small whole duration for each node: sums of durations are exact."""
    return st.fixed_dictionaries({node: st.integers(0, 9).map(float) for node in graph})


class Counted(Mapping[str, list[str]]):
    """A graph that counts how often a node's dependencies are asked for, also by `items`: work without a clock."""

    def __init__(self, graph: Graph) -> None:
        self.asked = 0
        self._graph = graph

    def __getitem__(self, node: str) -> list[str]:
        self.asked += 1
        return self._graph[node]

    def __contains__(self, node: object) -> bool:
        return node in self._graph  # without a count: that reads no dependencies

    def __iter__(self) -> Iterator[str]:
        return iter(self._graph)

    def __len__(self) -> int:
        return len(self._graph)


def chain(count: int) -> Graph:
    """Each node depends on the one before."""
    return {f"n{index}": [f"n{index - 1}"] if index else [] for index in range(count)}


def fan(count: int) -> Graph:
    """One before all, one after all."""
    middle = [f"n{index}" for index in range(count - 2)]
    return {"first": [], **{node: ["first"] for node in middle}, "last": middle}
