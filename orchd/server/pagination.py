"""Keeps replies within a frame: a page ends where there is no more room, other results are shortened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchd.protocol.frames import MAX_FRAME, pack_result

ROOM = MAX_FRAME // 2  # of a page's list; the rest of the reply has the other half

_SHORT = frozenset(
    {"id", "name", "goal", "runner", "status", "level", "depth", "parent", "run", "attempt", "position", "reason"}
    | {"pid", "exit_code", "signal", "queued_at", "started_at", "ended_at", "branch"}
    | {"tokens", "cost_usd", "cpu_seconds", "rss_bytes", "memory_max"}
)
_LISTED = 100
# Ever shorter forms of an agent: its keys, and the most characters of a text. In the last form the 10,000 agents that a
# request can name fit into a frame whatever their texts are.
_WAYS = ((None, 256), (_SHORT, 256), (_SHORT, 24))


def fitting(items: Sequence[object]) -> int:
    """Return how many of the first items fit on a page, at least 1."""
    if _size(items) <= ROOM:
        return len(items)
    count, size = 1, _size(items[0])
    for item in items[1:]:
        size += _size(item)
        if size > ROOM:
            break
        count += 1
    return count


def packed(request: str, result: object) -> bytes:
    """Return the bytes of a reply; shorten its agents if it would be larger than a frame."""
    frame, shorter = pack_result(request, result), _shortened(result)
    while len(frame) > MAX_FRAME and (short := next(shorter, None)) is not None:
        frame = pack_result(request, short)
    return frame


def _shortened(result: object) -> Iterator[object]:
    """Yield ever shorter forms of a result; none of a result without agents."""
    agents = result.get("agents") if isinstance(result, dict) else None
    if isinstance(result, dict) and isinstance(agents, list) and all(isinstance(agent, dict) for agent in agents):
        for keys, longest in _WAYS:
            short = [
                {key: _cut(value, longest) for key, value in agent.items() if keys is None or key in keys}
                for agent in agents
            ]
            yield {**result, "agents": short}


def _cut(value: object, longest: int) -> object:
    if isinstance(value, str) and len(value) > longest:
        return value[: longest - 1] + "…"
    return [_cut(item, longest) for item in value[:_LISTED]] if isinstance(value, list) else value


def _size(value: object) -> int:
    return len(pack_result("", value))
