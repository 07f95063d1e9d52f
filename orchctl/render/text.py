"""Values of the daemon's answers as text for people: statuses, durations, sizes, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchd.protocol import statuses
from orchd.protocol.ids import number_of

_COUNTS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
Agent = Mapping[str, Any]

_EXACT = 10  # numbers below this get a decimal
_NAMED = 5  # agents that are listed by name
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


def status_of(agent: Mapping[str, Any]) -> str:
    """Return the status of an agent for people: a waiting agent waits for other agents, or only for a slot."""
    if agent["status"] == "paused":
        return "paused"
    if agent.get("waits_for_slot"):
        return "waiting for a slot"
    return "lending its slot" if agent.get("lent_to") else str(agent["status"])


def is_over(agent: Agent) -> bool:
    """Return whether the agent has finished."""
    return agent["status"] in statuses.FINISHED


def number(agent: Agent) -> int:
    """Return 7 for `agent-007`: ids are assigned in this order."""
    return number_of(agent["id"])


def clean(text: str) -> str:
    """Return `text` on one line, with `?` for characters that would control a terminal or cannot be shown."""
    return _legible(" ".join(text.split()))


def dependencies(agent: Agent) -> list[str]:
    """Return the dependencies of an agent, with conditions: `agent-001`, `agent-003:any`."""
    conditions = agent.get("conditions", {})  # an older daemon does not report any
    return [
        f"{agent_id}:{conditions[agent_id]}" if agent_id in conditions else agent_id
        for agent_id in agent.get("after", ())
    ]


def named(agent: Agent) -> str:
    """Return the name of an agent or a run, never empty: a column that is empty everywhere is left out."""
    return clean(agent["name"]) or "?"


def columns(text: str) -> int:
    """Return how many terminal columns `text` takes."""
    if _is_narrow(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _is_narrow(text: str) -> bool:
    """Return whether each character takes one column, as in orchctl's own texts: then Rich need not be loaded."""
    return text.isascii() or all(char < "\u0300" or "\u2500" <= char <= "\u25fc" or char == "…" for char in text)


def fitted(text: str, width: int, ellipsis: str) -> str:
    """Return `text`, shortened if it takes more than `width` columns."""
    if columns(text) <= width:
        return text
    room = max(0, width - len(ellipsis))
    if _is_narrow(text):
        return text[:room] + ellipsis[:width]
    from rich.cells import split_graphemes

    kept = total = 0
    for _, end, taken in split_graphemes(text)[0]:
        total += taken
        if total > room:
            break
        kept = end
    return text[:kept] + ellipsis[:width]


def padded(text: str, width: int) -> str:
    """Return `text` and spaces up to `width` columns."""
    return text + " " * (width - columns(text))


def span(seconds: float) -> str:
    """Return `0.4s`, `12s`, `3m 4s`, `2h 5m`, `3d 4h`: two units at most."""
    if seconds < _EXACT:
        return f"{max(0.0, seconds):.1f}s"
    left, parts = int(seconds), list[str]()
    for size, unit in _UNITS:
        if left >= size or parts:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(part for part in parts[:2] if not part.startswith("0"))


def size(amount: int) -> str:
    """Return `45 MB`: bytes in binary units, three digits at most."""
    for unit, name in _SIZES:
        if amount >= unit:
            number = amount / unit
            return f"{number:.1f} {name}" if number < _EXACT else f"{number:.0f} {name}"
    return f"{amount} B"


def short(amount: int) -> str:
    """Return `12.3k`: a count with about three digits."""
    for unit, name in _COUNTS:
        if amount >= unit:
            number = amount / unit
            return f"{number:.1f}{name}" if number < _EXACT else f"{number:.0f}{name}"
    return str(amount)


def is_simulated(row: Mapping[str, Any]) -> bool:
    """Return whether the tokens and dollars of an agent, an event or a row were simulated by the mock runner."""
    return row.get("cost_source") == statuses.SIMULATED


def tokens(agent: Agent) -> str:
    """Return `12.3k tokens`, marked if they were simulated; empty if there are none."""
    if not agent["tokens"]:
        return ""
    return f"{short(agent['tokens'])} {'mock ' if is_simulated(agent) else ''}tokens"


def since(stamp: str, now: float) -> float:
    """Return the seconds from an ISO 8601 time to `now` (Unix time)."""
    return now - unix(stamp)


def unix(stamp: str) -> float:
    """Return the Unix time of an ISO 8601 time."""
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


def lifetime(agent: Agent, now: float) -> float | None:
    """Return the seconds that the agent ran, has been running or queued so far; None if it never ran."""
    if is_over(agent):
        if not agent["started_at"] or not agent["ended_at"]:
            return None
        return unix(agent["ended_at"]) - unix(agent["started_at"])
    stamp = agent["started_at"] if agent["status"] != "queued" else agent["queued_at"]
    return since(stamp, now) if stamp else None


def outcome(agent: Agent) -> str:
    """Return how the agent ended (`exit 1: reason`, `signal 15: reason`), or the reason of its state."""
    reason = clean(agent["reason"] or "")
    if agent["status"] == "queued" and agent["position"] is not None:
        return f"#{agent['position']}: {reason}" if reason else f"#{agent['position']}"
    if not is_over(agent):
        return reason
    if reason == f"exit code {agent['exit_code']}":
        reason = ""
    if agent["signal"]:
        ending = f"signal {agent['signal']}"
    else:
        ending = "" if agent["exit_code"] is None else f"exit {agent['exit_code']}"
    how = ": ".join(part for part in (ending, reason) if part)
    return "; ".join(part for part in (how, notes(agent)) if part)


def notes(agent: Agent) -> str:
    """Return `nothing committed; 3 permissions denied`: notes of the runner that are not failures."""
    return "; ".join(clean(note["text"]) for note in agent.get("notes") or ())  # an older daemon does not report any


def ended_lines(agents: Sequence[Agent]) -> list[str]:
    """Return one line for each agent that has ended: id, name, status, duration, outcome."""
    rows = []
    for agent in agents:
        took = lifetime(agent, 0.0)
        how = outcome(agent)
        rows.append([agent["id"], named(agent), status_of(agent), "" if took is None else span(took), how])
    return aligned(rows)


def queued_lines(agents: Sequence[Agent]) -> list[str]:
    """Return one line for each agent that is queued: its position and reason."""
    return [
        f"{agent['id']} is queued, position {agent['position']}"
        + (f": {clean(agent['reason'])}" if agent["reason"] else "")
        for agent in agents
        if agent["position"] is not None
    ]


def going(agents: Sequence[Agent]) -> str:
    """Return `agent-003 is running, agent-004 is queued (why)`, or only the number if there are many."""
    if len(agents) > _NAMED:
        return f"{len(agents)} agents have not ended"
    why = {
        agent["id"]: f" ({clean(agent['reason'])})"
        for agent in agents
        if agent["status"] == "queued" and agent["reason"]
    }
    return ", ".join(f"{agent['id']} is {agent['status']}{why.get(agent['id'], '')}" for agent in agents)


def listed(items: Sequence[str], most: int = 3) -> str:
    """Return the first `most` items, and the number of the others."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"


def waiting(counts: Mapping[str, int], *, is_whole: bool) -> str:
    """Return `waiting: 2 of 7 ended, 4 running, 1 queued`; without the first part if not `is_whole`."""
    ended = [f"{counts.get('ended', 0)} of {sum(counts.values())} ended"] if is_whole else []
    going = (f"{count} {status}" for status, count in counts.items() if status != "ended")
    return "waiting: " + ", ".join([*ended, *going])


def aligned(rows: list[list[str]]) -> list[str]:
    """Return rows of cells, all of the same length, as lines with aligned columns."""
    if not rows:
        return []
    widths = [max(columns(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(map(padded, row, widths)).rstrip() for row in rows]


def filled(rows: list[list[str]]) -> list[list[str]]:
    """Return `rows` without the columns that are empty everywhere."""
    indices = [index for index, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    return [[row[index] for index in indices] for row in rows]


def changed_lines(agents: Sequence[Agent]) -> list[str]:
    """Return one line for each agent that a command changed: id, name, status, position and reason."""
    rows = []
    for agent in agents:
        position = "" if agent["position"] is None else f"position {agent['position']}"
        remark = ": ".join(part for part in (position, clean(agent["reason"] or "")) if part)
        rows.append([agent["id"], named(agent), status_of(agent), remark])
    return aligned(rows)


def steered_lines(answer: Mapping[str, Any], dot: str) -> list[str]:
    """Return the lines for an answer to `pause` or `resume`: one for each agent in it, or the slots."""
    return changed_lines(answer["agents"]) if "agents" in answer else [slots(answer, dot)]


def daemon(answer: Mapping[str, Any]) -> str:
    """Return `orchd 0.1.0 (schema 1, protocol 1), pid 123, up 2h 5m, home ..., socket ...`."""
    # a daemon that was not restarted since an upgrade may not report both
    versions = f" (schema {answer['schema']}, protocol {answer['protocol']})" if "schema" in answer else ""
    full = "; the disk is full: no changes until space is free" if answer.get("disk_full") else ""
    return (
        f"orchd {answer['version']}{versions}, pid {answer['pid']}, up {span(answer['uptime_seconds'])}, "
        f"home {answer['home']}, socket {answer['socket']}{full}"
    )


def slots(limit: Mapping[str, Any], dot: str) -> str:
    """Return `slots 3/7 in use · 4/28 alive · paused · claude rate-limited until 2026-01-31T12:00:00.000Z`."""
    parts = [
        f"slots {limit['working']}/{limit['limit']} in use",
        f"{limit['living']}/{limit['resident']} alive",
    ]
    if limit["overdrawn"]:
        parts[0] += f", {limit['overdrawn']} over the limit"
    if limit["paused"]:
        parts.append("paused")
    if limit.get("disk_pressure"):  # a daemon from before an upgrade does not report it
        parts.append("low disk space: no new agents will start")
    parts += [f"{clean(runner)} rate-limited until {until}" for runner, until in limit["held"].items()]
    return f" {dot} ".join(parts)


def clean_line(text: str) -> str:
    """Return `text` on one line, its spaces kept."""
    return _legible(text.rstrip())


def file_line(text: str) -> str:
    """Return a line of a file or a log as `clean_line` does, but with its tabs, which Makefiles need."""
    return _legible(text.rstrip(), kept="\t")


def _legible(text: str, kept: str = "") -> str:
    if text.isprintable():  # as nearly all is; looking at each character takes a hundred times as long
        return text
    return "".join(char if char.isprintable() or char in kept else "?" for char in text)
