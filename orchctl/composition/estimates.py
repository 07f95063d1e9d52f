"""The makespan of a graph at a limit."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush

from orchd.dag import Graph, groups_around, remaining_paths, successors


def makespan(
    graph: Graph, durations: Mapping[str, float], limit: int, max_parallel: int | Mapping[str, int] | None = None
) -> float:
    """Return when the last node ends with at most `limit` at once, the node with the longest remaining path first.

    `max_parallel` bounds the whole further; as a mapping it bounds groups: `{"": 3, "web": 2}` allows at most three of
    the nodes of the whole at once, and two of the nodes `web/...`. A group counts as one node in the group around it.
    The result has the unit of `durations`.
    """
    bounds = {"": max_parallel} if isinstance(max_parallel, int) else dict(max_parallel or {})
    line = _Line(remaining_paths(graph, durations), limit, bounds)
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


_Entry = tuple[float, str]  # sorts by the longest path left


class _Line:
    """Nodes that could run, longest path first; nodes of a full group wait until the group has a free slot."""

    def __init__(self, remaining: Mapping[str, float], limit: int, bounds: Mapping[str, int]) -> None:
        self._remaining = remaining
        self._free = limit
        self._bounds = bounds
        self._busy: Counter[str] = Counter()  # nodes of a group that are at work
        self._ready: list[_Entry] = []
        # by the full group, then by the group inside it: once a group works, all of its nodes may start
        self._aside: defaultdict[str, dict[str, list[_Entry]]] = defaultdict(dict)

    def join(self, nodes: Iterable[str]) -> None:
        for node in nodes:
            heappush(self._ready, (-self._remaining[node], node))

    def started(self) -> Iterator[str]:
        while self._ready and self._free:
            entry = heappop(self._ready)
            groups = list(groups_around(entry[1]))
            # a group at work is counted in the groups around it already
            busy = next((index for index, group in enumerate(groups) if self._busy[group]), len(groups))
            groups = groups[: busy + 1]
            free = (
                (index, self._bounds.get(group, math.inf) - self._busy[group]) for index, group in enumerate(groups)
            )
            full = next((index for index, room in free if room <= 0), None)
            if full is not None:
                inner = groups[full - 1] if full else ""
                heappush(self._aside[groups[full]].setdefault(inner, []), entry)
                continue
            self._free -= 1
            for inner, group in zip(["", *groups], groups, strict=False):
                self._busy[group] += 1
                for waiting in self._aside[group].pop(inner, ()) if inner else ():
                    heappush(self._ready, waiting)
            yield entry[1]

    def leave(self, node: str) -> None:
        self._free += 1
        for group in groups_around(node):
            self._busy[group] -= 1
            waiting = [entries for entries in self._aside[group].values() if entries]
            if waiting:
                heappush(self._ready, heappop(min(waiting)))
            if self._busy[group]:
                return
