"""Text for people, made from what the daemon answers: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchd.ids import number_of
from orchd.protocol import statuses

_COUNTS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
Agent = Mapping[str, Any]

_EXACT = 10  # numbers below this get a decimal
_NAMED = 5  # agents that are named one by one
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


def status_of(agent: Mapping[str, Any]) -> str:
    """The status of an agent for people: whether a waiting agent waits for agents or only for a slot."""
    if agent["status"] == "paused":
        return "paused"
    if agent.get("waits_for_slot"):
        return "waiting for a slot"
    return "lending its slot" if agent.get("lent_to") else str(agent["status"])


def is_over(agent: Agent) -> bool:
    """Whether nothing more happens to it by itself."""
    return agent["status"] in statuses.FINISHED


def number(agent: Agent) -> int:
    """7 for `agent-007`: ids are given out in this order."""
    return number_of(agent["id"])


def clean(text: str) -> str:
    """Names and goals come from anywhere: what a terminal would obey, or cannot show, becomes `?`."""
    return _legible(" ".join(text.split()))


def dependencies(agent: Agent) -> list[str]:
    """The agents that it comes after, with conditions: `agent-001`, `agent-003:any`."""
    conditions = agent.get("conditions", {})  # of a daemon that knows none
    return [f"{one}:{conditions[one]}" if one in conditions else one for one in agent.get("after", ())]


def named(agent: Agent) -> str:
    """Its name, never empty: a cell that is empty everywhere takes its column away."""
    return clean(agent["name"]) or "?"


def columns(text: str) -> int:
    """How many terminal columns `text` takes."""
    if _is_narrow(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _is_narrow(text: str) -> bool:
    """Whether each character takes one column, as in all that orchctl writes by itself: no table is loaded for it."""
    return text.isascii() or all(char < "\u0300" or "\u2500" <= char <= "\u25fc" or char == "…" for char in text)


def fitted(text: str, width: int, ellipsis: str) -> str:
    """`text`, shortened when it takes more than `width` columns."""
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
    """`text` and spaces up to `width` columns."""
    return text + " " * (width - columns(text))


def span(seconds: float) -> str:
    """`0.4s`, `12s`, `3m 4s`, `2h 5m`, `3d 4h`: two units at most."""
    if seconds < _EXACT:
        return f"{max(0.0, seconds):.1f}s"
    left, parts = int(seconds), list[str]()
    for size, unit in _UNITS:
        if left >= size or parts:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(part for part in parts[:2] if not part.startswith("0"))


def size(amount: int) -> str:
    """`45 MB`: bytes in binary units, three digits at most."""
    for unit, name in _SIZES:
        if amount >= unit:
            number = amount / unit
            return f"{number:.1f} {name}" if number < _EXACT else f"{number:.0f} {name}"
    return f"{amount} B"


def short(amount: int) -> str:
    """`12.3k`: a count with three digits or so."""
    for unit, name in _COUNTS:
        if amount >= unit:
            number = amount / unit
            return f"{number:.1f}{name}" if number < _EXACT else f"{number:.0f}{name}"
    return str(amount)


def is_simulated(row: Mapping[str, Any]) -> bool:
    """Whether the tokens and dollars of an agent, an event or a row were only simulated, by the mock runner."""
    return row.get("cost_source") == statuses.SIMULATED


def tokens(agent: Agent) -> str:
    """`12.3k tokens`, marked where they were only simulated; empty without any."""
    if not agent["tokens"]:
        return ""
    return f"{short(agent['tokens'])} {'mock ' if is_simulated(agent) else ''}tokens"


def since(stamp: str, now: float) -> float:
    """Seconds from an ISO 8601 time to `now` (Unix time)."""
    return now - unix(stamp)


def unix(stamp: str) -> float:
    """Unix time of an ISO 8601 time."""
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


def lifetime(agent: Agent, now: float) -> float | None:
    """How long it has been running, waiting in the queue, or ran; None when it never did."""
    if is_over(agent):
        if not agent["started_at"] or not agent["ended_at"]:
            return None
        return unix(agent["ended_at"]) - unix(agent["started_at"])
    stamp = agent["started_at"] if agent["status"] != "queued" else agent["queued_at"]
    return since(stamp, now) if stamp else None


def outcome(agent: Agent) -> str:
    """What became of it: `exit 1: reason`, `signal 15: reason`; or why it is where it is."""
    reason = clean(agent["reason"] or "")
    if agent["status"] == "queued" and agent["position"] is not None:
        return f"#{agent['position']}: {reason}" if reason else f"#{agent['position']}"
    if not is_over(agent):
        return reason
    if reason == f"exit code {agent['exit_code']}":
        reason = ""
    how = ": ".join(part for part in (_ending(agent), reason) if part)
    return "; ".join(part for part in (how, notes(agent)) if part)


def notes(agent: Agent) -> str:
    """`nothing committed; 3 permissions denied`: what its runner noted of an attempt that is no failure."""
    return "; ".join(clean(note["text"]) for note in agent.get("notes") or ())  # an older daemon does not report any


def _ending(agent: Agent) -> str:
    if agent["signal"]:
        return f"signal {agent['signal']}"
    return "" if agent["exit_code"] is None else f"exit {agent['exit_code']}"


def ended_lines(agents: Sequence[Agent]) -> list[str]:
    """One line for each agent that ended: id, name, status, how, and how long it took."""
    rows = []
    for agent in agents:
        took = lifetime(agent, 0.0)
        how = outcome(agent)
        rows.append([agent["id"], named(agent), status_of(agent), "" if took is None else span(took), how])
    return aligned(rows)


def queued_lines(agents: Sequence[Agent]) -> list[str]:
    """What to tell someone whose agents did not start at once."""
    return [
        f"{agent['id']} is queued, position {agent['position']}"
        + (f": {clean(agent['reason'])}" if agent["reason"] else "")
        for agent in agents
        if agent["position"] is not None
    ]


def going(agents: Sequence[Agent]) -> str:
    """`agent-003 is running, agent-004 is queued (why)`, or how many when that is too many to name."""
    if len(agents) > _NAMED:
        return f"{len(agents)} agents have not ended"
    why = {
        agent["id"]: f" ({clean(agent['reason'])})"
        for agent in agents
        if agent["status"] == "queued" and agent["reason"]
    }
    return ", ".join(f"{agent['id']} is {agent['status']}{why.get(agent['id'], '')}" for agent in agents)


def listed(items: Sequence[str], most: int = 3) -> str:
    """The first of these, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"


def waiting(counts: Mapping[str, int], *, is_whole: bool) -> str:
    """`waiting: 2 of 7 ended, 4 running, 1 queued`, or without the first part when these are not all."""
    ended = [f"{counts.get('ended', 0)} of {sum(counts.values())} ended"] if is_whole else []
    going = (f"{count} {status}" for status, count in counts.items() if status != "ended")
    return "waiting: " + ", ".join([*ended, *going])


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines with straight columns."""
    if not rows:
        return []
    widths = [max(columns(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(map(padded, row, widths)).rstrip() for row in rows]


def filled(rows: list[list[str]]) -> list[list[str]]:
    """`rows` without the columns in which nothing stands."""
    kept = [index for index, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    return [[row[index] for index in kept] for row in rows]


def told_lines(agents: Sequence[Agent]) -> list[str]:
    """One line for each agent that something was done to: id, name, status, and what there is to say."""
    return aligned([[agent["id"], named(agent), status_of(agent), _told(agent)] for agent in agents])


def steered_lines(result: Mapping[str, Any], dot: str) -> list[str]:
    """What `pause` or `resume` did: a line for each agent that was named, or the slots."""
    return told_lines(result["agents"]) if "agents" in result else [places(result, dot)]


def _told(agent: Agent) -> str:
    reason = clean(agent["reason"] or "")
    if agent["position"] is None:
        return reason
    return f"position {agent['position']}" + (f": {reason}" if reason else "")


def daemon(answer: Mapping[str, Any]) -> str:
    """`orchd 0.1.0 (schema 1, protocol 1), pid 123, up 2h 5m, home ..., socket ...`."""
    # a daemon that was not restarted since an upgrade may not tell both
    versions = f" (schema {answer['schema']}, protocol {answer['protocol']})" if "schema" in answer else ""
    full = "; the disk is full: it changes nothing until there is room" if answer.get("disk_full") else ""
    return (
        f"orchd {answer['version']}{versions}, pid {answer['pid']}, up {span(answer['uptime_seconds'])}, "
        f"home {answer['home']}, socket {answer['socket']}{full}"
    )


def places(limit: Mapping[str, Any], dot: str) -> str:
    """`slots 3/7 in use · 4/28 alive · paused · claude rate-limited until 2026-01-31T12:00:00.000Z`."""
    parts = [
        f"slots {limit['working']}/{limit['limit']} in use",
        f"{limit['living']}/{limit['resident']} alive",
    ]
    if limit["overdrawn"]:
        parts[0] += f", {limit['overdrawn']} overdrawn"
    if limit["paused"]:
        parts.append("paused")
    if limit.get("short_of_space"):  # a daemon from before an upgrade does not say
        parts.append("disk nearly full, nobody starts")
    parts += [f"{clean(runner)} rate-limited until {until}" for runner, until in limit["held"].items()]
    return f" {dot} ".join(parts)


def event_line(event: Mapping[str, Any]) -> str:
    """One fact: its number, time, name, agent, and what else it says."""
    known = ("seq", "at", "event", "agent")
    told = {key: value for key, value in event.items() if key not in known and value is not None}
    rest = " ".join(f"{key}={_value(value)}" for key, value in told.items())
    row = f"{event['seq']:>6}  {event['at']}  {event['event']:<14}  {event['agent'] or '-'}  {rest}"
    return clean_line(row)


def clean_line(text: str) -> str:
    """`text` on one line, its spaces kept."""
    return _legible(text.rstrip())


def file_line(text: str) -> str:
    """A line of a file or a log: `clean_line` that keeps tabs, which no terminal obeys and a Makefile needs."""
    return _legible(text.rstrip(), kept="\t")


def _legible(text: str, kept: str = "") -> str:
    if text.isprintable():  # as nearly all is; looking at each character takes a hundred times as long
        return text
    return "".join(char if char.isprintable() or char in kept else "?" for char in text)


def _value(value: object) -> str:
    if isinstance(value, float):
        return repr(round(value, 6))  # sums of money have many more digits than meaning
    return value if isinstance(value, str) and value and " " not in value else repr(value)
