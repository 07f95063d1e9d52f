"""The pages of `orchctl top`: agents as a tree in columns, laid out by Rich, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchctl.history.log_tail import tail
from orchctl.render import text as render
from orchctl.render.status_tree import Look, branched, headed
from orchctl.render.text import Agent

_KEYS = "j/k move  l log  w why  c cancel  r retry  p pause/resume  +/- limit  ? help  q quit"
HELP = (
    "j, k, arrows  select the next or the previous agent",
    "l, Enter      follow the log of the selected agent",
    "w             explain its state and the next step",
    "c             cancel it and all its descendants, after confirmation",
    "r             retry it if it ended without completing, after confirmation",
    "p             pause or resume the start of agents",
    "+, -          raise or lower the limit by 1",
    "?             this page",
    "q, Esc        go back, or quit",
)
_COLUMNS = ("agent", "name", "status", "age", "cpu", "memory", "tokens", "last output, or why it is waiting")
_NUMBERS = range(3, 7)
_MOST = 24  # columns of a terminal that a text may take
_AROUND = 3  # lines without agents: the column heads, the message, the keys
_STYLES = {
    "running": "green",
    "starting": "green",
    "waiting": "cyan",
    "paused": "magenta",
    "stopping": "yellow",
    "queued": "yellow",
    "failed": "red",
    "timed-out": "red",
    "lost": "red",
}


class Size(NamedTuple):
    """The size of the terminal, and its look."""

    width: int
    height: int
    look: Look


class Loads:
    """The CPU load of each agent, from two samples of its CPU time."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, int], tuple[float, float]] = {}
        self.percent: dict[str, float] = {}

    def take(self, agents: Sequence[Agent], now: float) -> None:
        """Add a sample; `now` is the time of a monotonic clock."""
        seen = {}
        self.percent = {}
        for agent in agents:
            if agent["cpu_seconds"] is None or render.is_over(agent):
                continue
            key = (agent["id"], agent["attempt"])
            used, at = self._before.get(key, (agent["cpu_seconds"], now))
            if now > at:
                self.percent[agent["id"]] = max(0.0, agent["cpu_seconds"] - used) / (now - at) * 100
            seen[key] = (agent["cpu_seconds"], now)
        self._before = seen


def ordered(answer: Mapping[str, Any], look: Look) -> list[tuple[str, Agent]]:
    """Return the agents in the order of the page, each with its prefix in the tree.

    Trees with an unfinished agent come first, then the other trees, newest first.
    """
    agents = answer["agents"]
    parents = {agent["id"]: agent["parent"] for agent in agents}
    going: set[str] = set()
    for agent in agents:
        agent_id = None if render.is_over(agent) else agent["id"]
        while agent_id is not None and agent_id not in going:
            going.add(agent_id)
            agent_id = parents.get(agent_id)

    def rank(agent: Agent) -> tuple[bool, int]:
        is_over = agent["id"] not in going
        return is_over, -render.number(agent) if is_over else render.number(agent)

    return list(branched(agents, look, rank))


def page(
    answer: Mapping[str, Any], loads: Mapping[str, float], selected: str | None, message: str, now: float, size: Size
) -> list[str]:
    """Return the lines of the whole screen; `now` is Unix time."""
    head = [render.fitted(line, size.width, size.look.ellipsis) for line in headed(answer, now, size.look)]
    rows = ordered(answer, size.look)
    room = max(1, size.height - len(head) - _AROUND)
    # the selected agent is always on the page
    index = next((index for index, (_, agent) in enumerate(rows) if agent["id"] == selected), 0)
    start = min(max(0, index - room // 2), max(0, len(rows) - room))
    lines = [*head, *_table(rows[start : start + room], loads, selected, now, size)]
    blank = [""] * (size.height - len(lines) - 2)
    return [*lines, *blank, *(render.fitted(line, size.width, size.look.ellipsis) for line in (message, _KEYS))]


def _table(
    rows: list[tuple[str, Agent]], loads: Mapping[str, float], selected: str | None, now: float, size: Size
) -> list[str]:
    """Return the lines of a table of the agents; a column of numbers that is empty is left out."""
    cells = [_cells(prefix, agent, loads.get(agent["id"]), now) for prefix, agent in rows]
    kept = [index for index in range(len(_COLUMNS)) if index not in _NUMBERS or any(row[index] for row in cells)]
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index in kept:
        is_last, is_number = index == len(_COLUMNS) - 1, index in _NUMBERS
        table.add_column(
            _COLUMNS[index],
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if is_number else "left",
            max_width=None if is_last or is_number else _MOST,
            ratio=1 if is_last else None,
        )
    for (_, agent), row in zip(rows, cells, strict=True):
        table.add_row(*(row[index] for index in kept), style="reverse" if agent["id"] == selected else None)
    console = Console(
        file=StringIO(),
        width=size.width,
        force_terminal=True,
        color_system="standard",
        no_color=not size.look.has_colours,
        highlight=False,
        legacy_windows=False,
        safe_box=True,
    )
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


def _cells(prefix: str, agent: Agent, load: float | None, now: float) -> list[Text]:
    """Return the cells of an agent, in the order of the columns."""
    seconds = render.lifetime(agent, now)
    remark = render.outcome(agent)
    if agent["status"] in ("running", "stopping"):
        remark = next(iter(tail(agent["log"], 1)), "")
    return [
        Text(prefix + agent["id"]),
        Text(render.named(agent)),
        Text(render.status_of(agent), style=_STYLES.get(agent["status"], "dim")),
        Text("" if seconds is None else render.span(seconds)),
        Text("" if load is None else f"{load:.0f}%"),
        Text(render.size(agent["rss_bytes"]) if agent["rss_bytes"] and not render.is_over(agent) else ""),
        Text(render.tokens(agent).removesuffix("tokens").strip()),
        Text(render.clean(remark)),
    ]


def text_page(title: str, lines: Sequence[str], size: Size) -> list[str]:
    """Return a page of plain lines; if there are more than fit, the last are on it."""
    room = size.height - 2
    clean = (render.clean_line(line.expandtabs()) for line in lines[-room:])
    body = [render.fitted(line, size.width, size.look.ellipsis) for line in clean]
    blank = [""] * (room - len(body))
    return [render.fitted(title, size.width, size.look.ellipsis), *body, *blank, "q goes back"]
