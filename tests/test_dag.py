"""Orders, groups and paths of graphs."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.dag import (
    CyclicGraphError,
    UnknownNodeError,
    critical_path,
    cycle_in,
    levels,
    remaining_paths,
    successors,
    topological,
)
from tests.support.graphs import Counted, Graph, acyclic, chain, fan, weights

TEAM: Graph = {"backend": [], "frontend": ["backend"], "mobile": ["backend"], "tests": ["frontend", "mobile"]}


def slow_remaining(graph: Graph, durations: dict[str, float], node: str) -> float:
    """Every path to every end, tried."""
    after = [other for other in graph if node in graph[other]]
    return durations[node] + max((slow_remaining(graph, durations, other) for other in after), default=0.0)


def test_levels_group_the_nodes_that_may_run_at_once() -> None:
    assert levels(TEAM) == [["backend"], ["frontend", "mobile"], ["tests"]]
    assert levels({}) == []


@given(acyclic())
def test_no_node_comes_before_its_dependencies(graph: Graph) -> None:
    order = topological(graph)
    assert sorted(order) == sorted(graph)
    assert all(order.index(dependency) < order.index(node) for node in graph for dependency in graph[node])


@given(acyclic())
def test_every_node_is_in_the_first_group_it_can_be_in(graph: Graph) -> None:
    groups = levels(graph)
    place = {node: index for index, group in enumerate(groups) for node in group}
    assert sorted(place) == sorted(graph)
    for node, dependencies in graph.items():
        before = {place[dependency] for dependency in dependencies}
        assert place[node] == (max(before) + 1 if before else 0)
    order = list(graph)
    assert all(group == sorted(group, key=order.index) for group in groups)


@given(st.data())
def test_remaining_paths_are_the_longest_of_all(data: st.DataObject) -> None:
    graph = data.draw(acyclic())
    durations = data.draw(weights(graph))
    assert remaining_paths(graph, durations) == {node: slow_remaining(graph, durations, node) for node in graph}


@given(st.data())
def test_the_critical_path_is_a_path_as_long_as_the_longest(data: st.DataObject) -> None:
    graph = data.draw(acyclic())
    durations = data.draw(weights(graph))
    path = critical_path(graph, durations)
    assert all(before in graph[after] for before, after in itertools.pairwise(path))
    assert sum(durations[node] for node in path) == max(remaining_paths(graph, durations).values(), default=0)
    if path:
        assert graph[path[0]] == []
        assert not successors(graph)[path[-1]]


def test_the_critical_path_is_the_first_of_equal_paths() -> None:
    assert critical_path(TEAM, dict.fromkeys(TEAM, 1.0)) == ["backend", "frontend", "tests"]


def test_a_cycle_is_a_path_where_each_node_depends_on_the_next() -> None:
    graph = {"x": [], "a": ["b", "x"], "b": ["c"], "c": ["a"]}
    cycle = cycle_in(graph)
    assert cycle is not None
    assert cycle[0] == cycle[-1]
    assert all(after in graph[before] for before, after in itertools.pairwise(cycle))
    assert cycle_in(TEAM) is None


@pytest.mark.parametrize(
    "function",
    [topological, levels, lambda graph: remaining_paths(graph, {"a": 1, "b": 1})],
    ids=["topological", "levels", "remaining_paths"],
)
def test_a_cycle_or_unknown_node_is_refused_and_named(function: Callable[[Graph], object]) -> None:
    with pytest.raises(CyclicGraphError, match=r"dependency cycle: (a -> b -> a|b -> a -> b)") as refused:
        function({"a": ["b"], "b": ["a"]})
    assert sorted(set(refused.value.cycle)) == ["a", "b"]
    with pytest.raises(UnknownNodeError, match="'a' depends on 'z', which does not exist") as missing:
        function({"a": ["z"], "b": []})
    assert (missing.value.node, missing.value.dependency) == ("a", "z")


def test_successors_lists_each_dependent_once() -> None:
    assert successors({"a": [], "b": ["a", "a"]}) == {"a": ["b"], "b": []}


@pytest.mark.parametrize("shape", [chain, fan])
@pytest.mark.parametrize("function", [topological, levels, remaining_paths, critical_path])
def test_the_work_grows_linearly_with_the_graph(shape: Callable[[int], Graph], function: Callable[..., object]) -> None:
    def asked(count: int) -> int:
        graph = Counted(shape(count))
        function(graph, dict.fromkeys(graph, 1.0)) if "path" in function.__name__ else function(graph)
        return graph.asked

    assert asked(10_000) <= 10 * asked(1_000) + 10
