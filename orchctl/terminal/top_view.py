"""What `orchctl top` shows: agents as a tree in columns, laid out by Rich, as lines for a terminal."""

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
    "w             show why it is in its state, and what helps",
    "c             cancel it and all under it, after a question",
    "r             give it a new attempt when it has ended without completing, after a question",
    "p             start no more agents, or start them again",
    "+, -          raise or lower the limit by 1",
    "?             this page",
    "q, Esc        go back, or quit",
)
_COLUMNS = ("agent", "name", "status", "age", "cpu", "memory", "tokens", "last output, or why it waits")
_NUMBERS = range(3, 7)
_MOST = 24  # columns of a terminal that a text may take
_AROUND = 3  # lines that are no agents: the columns' heads, the message, the keys
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
    """Of the terminal, and what it can show."""

    width: int
    height: int
    look: Look


class Loads:
    """How busy each agent is, from two looks at the CPU time it has used."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, int], tuple[float, float]] = {}
        self.percent: dict[str, float] = {}

    def take(self, agents: Sequence[Agent], now: float) -> None:
        """Another look, `now` by any clock that only goes forward."""
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
    """The agents in the order in which they are shown, each with what is drawn before it: trees in which an agent is
    not over come first, the others after them with the newest first."""
    agents = answer["agents"]
    parents = {agent["id"]: agent["parent"] for agent in agents}
    going: set[str] = set()
    for agent in agents:
        one = None if render.is_over(agent) else agent["id"]
        while one is not None and one not in going:
            going.add(one)
            one = parents.get(one)

    def rank(agent: Agent) -> tuple[bool, int]:
        is_over = agent["id"] not in going
        return is_over, -render.number(agent) if is_over else render.number(agent)

    return list(branched(agents, look, rank))


def page(
    answer: Mapping[str, Any], loads: Mapping[str, float], selected: str | None, message: str, now: float, size: Size
) -> list[str]:
    """The whole screen; `now` is Unix time."""
    head = [render.fitted(line, size.width, size.look.ellipsis) for line in headed(answer, now, size.look)]
    rows = ordered(answer, size.look)
    room = max(1, size.height - len(head) - _AROUND)
    table = _table(_around(rows, selected, room), loads, selected, now)
    lines = [*head, *_printed(table, size)]
    blank = [""] * (size.height - len(lines) - 2)
    return [*lines, *blank, *(render.fitted(line, size.width, size.look.ellipsis) for line in (message, _KEYS))]


def _table(rows: list[tuple[str, Agent]], loads: Mapping[str, float], selected: str | None, now: float) -> Table:
    """The agents in columns; a number that none of them has takes no room."""
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
    return table


def _around(rows: list[tuple[str, Agent]], selected: str | None, room: int) -> list[tuple[str, Agent]]:
    """As many as there is room for, the selected one among them."""
    index = next((index for index, (_, agent) in enumerate(rows) if agent["id"] == selected), 0)
    start = min(max(0, index - room // 2), max(0, len(rows) - room))
    return rows[start : start + room]


def _cells(prefix: str, agent: Agent, load: float | None, now: float) -> list[Text]:
    seconds = render.lifetime(agent, now)
    said = render.outcome(agent)
    if agent["status"] in ("running", "stopping"):
        said = next(iter(tail(agent["log"], 1)), "")
    return [
        Text(prefix + agent["id"]),
        Text(render.named(agent)),
        Text(render.status_of(agent), style=_STYLES.get(agent["status"], "dim")),
        Text("" if seconds is None else render.span(seconds)),
        Text("" if load is None else f"{load:.0f}%"),
        Text(render.size(agent["rss_bytes"]) if agent["rss_bytes"] and not render.is_over(agent) else ""),
        Text(render.tokens(agent).removesuffix("tokens").strip()),
        Text(render.clean(said)),
    ]


def _printed(table: Table, size: Size) -> list[str]:
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


def text_page(title: str, lines: Sequence[str], size: Size) -> list[str]:
    """A page of plain lines, its end shown."""
    room = size.height - 2
    told = [render.clean_line(line.expandtabs()) for line in lines[-room:]]
    shown = [render.fitted(line, size.width, size.look.ellipsis) for line in told]
    blank = [""] * (room - len(shown))
    return [render.fitted(title, size.width, size.look.ellipsis), *shown, *blank, "q goes back"]
