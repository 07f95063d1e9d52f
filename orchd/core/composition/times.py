"""How long nodes will take, as far as anybody can know, and how long the whole takes at a limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from orchd.core.composition.graphs import Graph, remaining_paths, successors

Known = Mapping[str, float | None]


def durations(seconds: Known, tokens: Known) -> dict[str, float]:
    """A duration for each node, that is each key of `seconds` or `tokens`; None there is the same as no key.

    `seconds` are what history says, `tokens` are estimates. A node with history takes its seconds. One without takes
    its tokens times the seconds per token of the nodes that have both. Without any history the unit is not seconds
    but plain tokens. What has neither, or tokens that nothing converts, takes the mean of all others, or 1.
    """
    history = {node: value for node, value in seconds.items() if value is not None}
    estimates = {node: value for node, value in tokens.items() if value is not None}
    rate = _seconds_per_token(history, estimates)
    known = history if rate is None else {**{node: value * rate for node, value in estimates.items()}, **history}
    mean = sum(known.values()) / len(known) if known else 1.0
    return {node: float(known.get(node, mean)) for node in (*tokens, *seconds)}


def _seconds_per_token(history: Mapping[str, float], estimates: Mapping[str, float]) -> float | None:
    """1 without history, None when there is some but no estimate to compare it with."""
    if not history:
        return 1.0
    both = [node for node in history if estimates.get(node)]
    return sum(history[node] for node in both) / sum(estimates[node] for node in both) if both else None


def makespan(
    graph: Graph, durations: Mapping[str, float], limit: int, max_parallel: int | Mapping[str, int] | None = None
) -> float:
    """When the last node ends if at most `limit` run at once, whatever has the longest way to go starting first.

    `max_parallel` bounds the whole further; as a mapping it bounds groups: `{"": 3, "web": 2}` allows at most three
    nodes at once and two of those whose names begin with `web/`. The result has the unit of `durations`.
    """
    bounds = {"": max_parallel} if isinstance(max_parallel, int) else dict(max_parallel or {})
    bounds[""] = min(limit, bounds.get("", limit))
    line = _Line(remaining_paths(graph, durations), bounds)
    waits_for = {node: len(set(dependencies)) for node, dependencies in graph.items()}
    after = successors(graph)
    line.join([node for node in graph if not waits_for[node]])
    ends: list[tuple[float, str]] = []
    now = 0.0
    while True:
        for node in line.started():
            heappush(ends, (now + durations[node], node))
        if not ends:
            return now
        now, ended = heappop(ends)
        line.leave(ended)
        for node in after[ended]:
            waits_for[node] -= 1
        line.join([node for node in after[ended] if not waits_for[node]])


class _Line:
    """Nodes that could run, longest way first; those whose group is full stand aside until it is not."""

    def __init__(self, remaining: Mapping[str, float], bounds: Mapping[str, int]) -> None:
        self._remaining = remaining
        self._left = dict(bounds)
        self._ready: list[tuple[float, str]] = []
        self._aside: dict[str, list[tuple[float, str]]] = {group: [] for group in bounds}

    def join(self, nodes: Sequence[str]) -> None:
        for node in nodes:
            heappush(self._ready, (-self._remaining[node], node))

    def started(self) -> Iterator[str]:
        while self._ready and self._left[""]:
            entry = heappop(self._ready)
            groups = self._groups(entry[1])
            full = next((group for group in groups if not self._left[group]), None)
            if full is not None:
                heappush(self._aside[full], entry)
                self._release(group for group in groups if self._left[group])  # the room it did not take
                continue
            for group in groups:
                self._left[group] -= 1
            yield entry[1]

    def leave(self, node: str) -> None:
        groups = self._groups(node)
        for group in groups:
            self._left[group] += 1
        self._release(groups)

    def _release(self, groups: Iterable[str]) -> None:
        for group in groups:
            if self._aside[group]:
                heappush(self._ready, heappop(self._aside[group]))

    def _groups(self, node: str) -> list[str]:
        cuts = (node[:index] for index, char in enumerate(node) if char == "/")
        return ["", *(group for group in cuts if group in self._left)]
