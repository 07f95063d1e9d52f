"""Durations from history and estimates, and the total time at a limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.composition import makespan
from orchd.dag import durations, remaining_paths
from tests.support.graphs import Graph, acyclic, fan, weights

TEAM: Graph = {"backend": [], "frontend": ["backend"], "mobile": ["backend"], "tests": ["frontend", "mobile"]}
HOURS = {"backend": 4.0, "frontend": 3.0, "mobile": 2.0, "tests": 1.0}


@pytest.mark.parametrize(
    ("seconds", "tokens", "expected"),
    [
        ({"a": 60.0, "b": 30.0}, {"a": None, "b": 5}, {"a": 60.0, "b": 30.0}),
        ({"a": 60.0, "b": None}, {"a": 100, "b": 50}, {"a": 60.0, "b": 30.0}),
        ({"a": 60.0, "b": 20.0}, {"a": 100, "b": 100, "c": 10}, {"a": 60.0, "b": 20.0, "c": 4.0}),
        ({}, {"a": 100, "b": 50, "c": None}, {"a": 100.0, "b": 50.0, "c": 75.0}),
        ({"a": 60.0, "b": 20.0}, {"a": None, "b": 0, "c": 50}, {"a": 60.0, "b": 20.0, "c": 40.0}),
        ({"a": 60.0}, {"a": 100, "b": 50, "c": None}, {"a": 60.0, "b": 30.0, "c": 45.0}),
        ({}, {"a": None, "b": None}, {"a": 1.0, "b": 1.0}),
        ({}, {}, {}),
    ],
    ids=["history", "converted", "their mean rate", "plain tokens", "no rate", "the mean", "nothing", "nobody"],
)
def test_durations_come_from_history_then_tokens_then_the_mean(
    seconds: dict[str, float], tokens: dict[str, int], expected: dict[str, float]
) -> None:
    assert durations(seconds, tokens) == expected


@pytest.mark.parametrize(
    ("limit", "bound", "expected"), [(7, None, 8.0), (1, None, 10.0), (7, 1, 10.0), (1, 7, 10.0), (2, 2, 8.0)]
)
def test_makespan_depends_on_the_limit_and_the_bound(limit: int, bound: int | None, expected: float) -> None:
    assert makespan(TEAM, HOURS, limit, bound) == expected


def test_the_node_with_the_longest_remaining_path_starts_first() -> None:
    graph: Graph = {"short": [], "long": [], "end": ["long"]}
    assert makespan(graph, {"short": 1.0, "long": 1.0, "end": 1.0}, 1) == 3.0
    assert makespan(graph, {"short": 2.0, "long": 1.0, "end": 2.0}, 2) == 3.0
    free_graph: Graph = {"a": [], "b": [], "c": []}
    assert makespan(free_graph, {"a": 1.0, "b": 1.0, "c": 2.0}, 2) == 2.0


def test_a_bounded_group_leaves_free_slots_to_other_nodes() -> None:
    graph: Graph = {name: [] for name in ("web/a", "web/b", "web/c", "api")}
    times = dict.fromkeys(graph, 1.0)
    assert makespan(graph, times, 7, {"web": 1}) == 3.0
    assert makespan(graph, times, 2, {"web": 1}) == 3.0
    assert makespan(graph, times, 7, {"": 2, "web": 2}) == 2.0
    assert makespan(graph, times, 1, {"web": 3}) == 4.0


def test_a_nested_group_counts_as_one_node_in_its_outer_group() -> None:
    graph: Graph = {name: [] for name in ("web/a", "web/b", "api")}
    times = dict.fromkeys(graph, 1.0)
    assert makespan(graph, times, 7, {"": 1}) == 2.0  # all of web, then api, or the other way round
    assert makespan(graph, times, 7, {"": 1, "web": 1}) == 3.0
    assert makespan(graph, times, 7, {"": 2}) == 1.0


def test_slots_that_an_inner_group_cannot_use_go_to_other_members() -> None:
    crowd: Graph = {"web/in/a": [], "web/in/b": [], "web/z": [], "web/w": [], "web/v": []}
    long = {"web/in/a": 5.0, "web/in/b": 5.0, "web/z": 1.0, "web/w": 1.0, "web/v": 1.0}
    assert makespan(crowd, long, 7, {"web": 2, "web/in": 1}) == 10.0


def slow_makespan(graph: Graph, times: dict[str, float], limit: int, bounds: dict[str, int]) -> float:
    """Return the makespan by the same rule, computed anew at every moment."""
    remaining, waiting, ends, now = remaining_paths(graph, times), dict.fromkeys(graph), dict[str, float](), 0.0
    done: set[str] = set()

    def fits(node: str) -> bool:
        busy = {"/".join(path.split("/")[:depth]) for path in [*ends, node] for depth in range(1, 9)}
        counts = {group: sum(path.rpartition("/")[0] == group for path in busy) for group in bounds}
        before = {"/".join(path.split("/")[:depth]) for path in ends for depth in range(1, 9)}
        were = {group: sum(path.rpartition("/")[0] == group for path in before) for group in bounds}
        return len(ends) < limit and all(
            counts[group] <= bounds[group] or counts[group] == were[group] for group in bounds
        )

    while waiting or ends:
        for node in sorted(waiting, key=lambda node: (-remaining[node], node)):
            if set(graph[node]) <= done and fits(node):
                ends[node] = now + times[node]
                del waiting[node]
        now, ended = min((end, node) for node, end in ends.items())
        del ends[ended]
        done.add(ended)
    return now


@given(st.data())
def test_makespan_with_groups_equals_a_slow_reference(data: st.DataObject) -> None:
    sampled_graph = data.draw(acyclic(7))
    places = {node: data.draw(st.sampled_from(["", "a/", "b/", "a/in/"])) + node for node in sampled_graph}
    graph = {places[node]: [places[other] for other in after] for node, after in sampled_graph.items()}
    times = data.draw(weights(graph))
    bounds = data.draw(st.dictionaries(st.sampled_from(["", "a", "b", "a/in"]), st.integers(1, 3)))
    limit = data.draw(st.integers(1, 4))
    assert makespan(graph, times, limit, bounds) == slow_makespan(graph, times, limit, bounds)


@given(st.data())
def test_makespan_respects_the_critical_path_and_the_limit(data: st.DataObject) -> None:
    graph = data.draw(acyclic())
    times = data.draw(weights(graph))
    limit = data.draw(st.integers(1, 4))
    took = makespan(graph, times, limit)
    longest = max(remaining_paths(graph, times).values(), default=0.0)
    work = sum(times.values())
    assert max(longest, work / limit) <= took <= longest + work / limit  # Graham's bound of list scheduling
    assert makespan(graph, times, 1) == work
    assert makespan(graph, times, max(1, len(graph))) == longest


def test_makespan_handles_ten_thousand_nodes() -> None:
    graph = fan(10_000)
    assert makespan(graph, dict.fromkeys(graph, 1.0), 7) == 2 + -(-9_998 // 7)
