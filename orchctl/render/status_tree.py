"""The output of `status`: slots, then the agents as a tree with columns, fitted to a width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from orchctl.render import text
from orchctl.render.text import Agent

_ROOM = 24  # columns for goal or reason; less important columns are left out to keep them
_CELLS = 20  # of a bar
_NAME = 24  # columns that a name may take
_COLOURS = {
    "running": "32",
    "starting": "32",
    "waiting": "36",
    "paused": "35",
    "stopping": "33",
    "queued": "33",
    "completed": "2",
    "failed": "31",
    "timed-out": "31",
    "lost": "31",
    "cancelled": "2",
    "skipped": "2",
}


class Look(NamedTuple):
    """The abilities of the output. `width` is None where lines may be of any length."""

    width: int | None = None
    has_colours: bool = False
    is_plain: bool = False  # without characters beyond ASCII
    is_whole: bool = False  # the answer has all agents of the request

    @property
    def dot(self) -> str:
        """The separator of parts of a line."""
        return "-" if self.is_plain else "·"

    @property
    def ellipsis(self) -> str:
        """The mark of text that is left out."""
        return "..." if self.is_plain else "…"

    @property
    def branches(self) -> tuple[str, str, str, str]:
        """The prefixes of a child that is not the last, of the last child, and of the lines under each."""
        return ("|- ", "`- ", "|  ", "   ") if self.is_plain else ("├─ ", "└─ ", "│  ", "   ")

    def wrapped(self, line: str) -> list[str]:
        """Return a line as lines that fit the width; a command in backticks stays in one of them if it fits."""
        if self.width is None or text.columns(line) <= self.width:
            return [line]
        import re
        from textwrap import wrap

        joined = re.sub("`[^`]*`", lambda command: command[0].replace(" ", "\0"), line)
        parts = wrap(joined, self.width, break_on_hyphens=False)
        return [text.fitted(part.replace("\0", " "), self.width, self.ellipsis) for part in parts]


class _Column(NamedTuple):
    cells: list[str]
    width: int
    dispensable: int  # the highest is left out first when there is no room


def _column(cells: list[str], dispensable: int = 0) -> _Column:
    return _Column(cells, max(map(text.columns, cells), default=0), dispensable)


def picture(answer: Mapping[str, Any], now: float, look: Look) -> list[str]:
    """Return the lines for a `status` answer; `now` is Unix time."""
    slots, *above = headed(answer, now, look)
    for budget in answer.get("budgets", ()):
        parts = []
        if budget["max_tokens"] is not None:
            part = bar(budget["tokens"] / budget["max_tokens"] * _CELLS, _CELLS, look)
            parts.append(f"{part} {text.short(budget['tokens'])} of {text.short(budget['max_tokens'])} tokens")
        if budget["max_cost"] is not None:
            part = bar(budget["cost_usd"] / budget["max_cost"] * _CELLS, _CELLS, look)
            parts.append(f"{part} ${budget['cost_usd']:.2f} of ${budget['max_cost']:.2f}")
        reached = ": no new agents will start" if budget["reached"] else ""
        above.append(f"budget of {budget['id']} {' '.join(parts)}{reached}")
    agents, left, below = answer["agents"], counted(answer) - _counts(answer["agents"]), []
    if left:
        counts = ", ".join(f"{count:,} {status}" for status, count in left.items())
        below = [f"{look.ellipsis} and {counts}: `orchctl status --all` shows all agents, `--json` prints them as data"]
    elif not agents:
        below = ["no agents; `orchctl spawn -- COMMAND` starts one"]
    elif not look.is_whole and max(map(text.number, agents)) > len(agents):
        below = [f"{look.ellipsis} and older finished agents: `orchctl status --all`"]
    table = _table(agents, now, look)
    above, below = ([part for line in lines for part in look.wrapped(line)] for lines in (above, below))
    return [_fitted(slots, look), *above, *table, *below]


def _fitted(line: str, look: Look) -> str:
    return line if look.width is None else text.fitted(line, look.width, look.ellipsis)


def headed(answer: Mapping[str, Any], now: float, look: Look) -> Iterator[str]:
    """Yield the slots as a bar, the queue and the tokens; then the reasons why agents do not start."""
    limit, agents = answer["limit"], answer["agents"]
    over = f", {limit['overdrawn']} over the limit" if limit["overdrawn"] else ""
    queued = counted(answer)["queued"]
    of_sessions = answer.get("tokens")  # of all their agents, including agents that are not in the answer
    own = (agent["tokens"] or 0 for agent in agents if not text.is_simulated(agent))
    tokens = sum(own) if of_sessions is None else of_sessions
    parts = [
        f"slots {bar(limit['working'], limit['limit'], look)} {limit['working']}/{limit['limit']} in use{over}",
        f"{limit['living']}/{limit['resident']} alive",
        *([f"{queued} queued"] if queued else []),
        *(f"{count} {level}" for level, count in answer["levels"].items() if count),
        *([f"{text.short(tokens)} tokens"] if tokens else []),
    ]
    yield f" {look.dot} ".join(parts)
    if answer["daemon"].get("disk_full"):  # a daemon from before an upgrade does not report it
        yield "disk full: no new agents will start, nothing is recorded; free space, or run `orchctl prune --keep 0`"
    if limit["paused"]:
        yield "paused: no new agents will start; run `orchctl resume`"
    if paused := limit.get("paused_agents"):
        yield f"paused agents: {' '.join(paused)}; `orchctl resume {paused[0]}` continues it"
    if still := limit.get("standing_still"):
        yield f"stalled: {' '.join(still)} made no progress, others wait for a slot; see `orchctl why {still[0]}`"
    elif limit.get("stalled"):
        yield "stalled: every agent in a slot depends on a queued agent; see `orchctl why` for a queued agent"
    for runner, until in limit["held"].items():
        left = text.span(max(0.0, -text.since(until, now)))
        yield f"{text.clean(runner)} is rate-limited for {left} more; `orchctl resume` retries now"


def bar(used: float, of: float, look: Look) -> str:
    """Return `[###····]`: a cell for each slot, or for several if there are many; `!` for slots beyond the limit."""
    cells = min(int(of), _CELLS)
    full = min(round(used / of * cells), cells + _CELLS)
    return f"[{'#' * min(full, cells)}{look.dot * (cells - full)}{'!' * (full - cells)}]".replace("-", ".")


def counted(answer: Mapping[str, Any]) -> Counter[str]:
    """Return the number of agents by status, including agents that are not in the answer."""
    return Counter(answer["counts"]) if "counts" in answer else _counts(answer["agents"])


def _counts(agents: Iterable[Agent]) -> Counter[str]:
    return Counter("ended" if text.is_over(agent) else agent["status"] for agent in agents)


def _table(agents: list[Agent], now: float, look: Look) -> list[str]:
    """Return a line for each agent, with the columns that fit into the width."""
    ordered = list(branched(agents, look))
    if not ordered:
        return []
    rows = [agent for _, agent in ordered]
    lives = [text.lifetime(agent, now) for agent in rows]
    limits = [f" of {text.size(agent['memory_max'])}" if agent["memory_max"] else "" for agent in rows]
    memory = [
        f"{text.size(agent['rss_bytes'])}{limit}" if agent["rss_bytes"] else ""
        for agent, limit in zip(rows, limits, strict=True)
    ]
    present = [
        _column([prefix + agent["id"] for prefix, agent in ordered]),
        _column([text.fitted(text.named(agent), _NAME, look.ellipsis) for agent in rows]),
        _column([text.status_of(agent) for agent in rows]),
        _column(["" if seconds is None else text.span(seconds) for seconds in lives], 1),
        _column([f"attempt {agent['attempt']}" if agent["attempt"] > 1 else "" for agent in rows], 2),
        _column([agent["level"] for agent in rows], 7),
        _column([f"{text.span(agent['cpu_seconds'])} cpu" if agent["cpu_seconds"] else "" for agent in rows], 4),
        _column(memory, 3),
        _column([f"pid {agent['pid']}" if agent["pid"] else "" for agent in rows], 6),
        _column([text.tokens(agent) for agent in rows], 5),
    ]
    present = [column for column in present if column.width]
    while look.width is not None and sum(column.width + 2 for column in present) + _ROOM > look.width:
        least = max(present, key=lambda column: column.dispensable)
        if not least.dispensable:
            break
        present = [column for column in present if column is not least]
    return [_line(present, index, agent, look) for index, agent in enumerate(rows)]


def branched(
    agents: list[Agent], look: Look, rank: Callable[[Agent], Any] = text.number
) -> Iterator[tuple[str, Agent]]:
    """Yield each agent with its prefix in the tree, under its parent if that is among `agents`; siblings by `rank`."""
    ids = {agent["id"] for agent in agents}
    under: dict[str | None, list[Agent]] = {}
    for agent in sorted(agents, key=rank):
        under.setdefault(agent["parent"] if agent["parent"] in ids else None, []).append(agent)
    beside, last, below, nothing = look.branches
    pending = [("", "", agent) for agent in reversed(under.get(None, []))]
    while pending:
        prefix, indent, agent = pending.pop()
        yield prefix, agent
        children = under.get(agent["id"], [])
        for index in range(len(children) - 1, -1, -1):
            is_last = index == len(children) - 1
            branch, deeper = (last, nothing) if is_last else (beside, below)
            pending.append((indent + branch, indent + deeper, children[index]))


def _line(columns: list[_Column], index: int, agent: Agent, look: Look) -> str:
    """Return the line of the agent at `index`: its cells, and its outcome and goal behind them."""
    cells = [text.padded(column.cells[index], column.width) for column in columns]
    remark = f"{text.outcome(agent)}  {text.clean(agent['goal'] or '')}".strip()
    line = _fitted("  ".join([*cells, remark]).rstrip(), look)
    colour = _COLOURS.get(agent["status"])
    if look.has_colours and colour:
        # names come before the status and may hold its word: the column, not the word, is coloured
        start = len("  ".join(cells[:2])) + 2
        end = start + len(text.status_of(agent))
        line = f"{line[:start]}\x1b[{colour}m{line[start:end]}\x1b[0m{line[end:]}"
    return line
