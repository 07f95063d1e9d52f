"""The live screen of `orchctl top`: the selection, the keys and the redraws."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.client.live_query import LiveQuery
from orchctl.errors import NoDaemonError
from orchctl.history.log_follow import FileChanges
from orchctl.history.log_tail import tail
from orchctl.history.why import explanation, lines
from orchctl.render import text
from orchctl.render.status_tree import Look
from orchctl.terminal import console, top_view
from orchctl.terminal.screen import Screen
from orchd.protocol.errors import WireError

_ARROWS = {"\x1b[A": "k", "\x1bOA": "k", "\x1b[B": "j", "\x1bOB": "j", "\x1b": "q", "\r": "l", "\n": "l"}
_SECOND = 1.0


class Top:
    """The screen, redrawn after events of the daemon and once a second, since CPU time causes no event."""

    def __init__(self, client: Client, watching: LiveQuery, screen: Screen) -> None:
        self._client = client
        self._watching = watching
        self._screen = screen
        self._loads = top_view.Loads()
        self._changes = FileChanges()
        self._selected: str | None = None
        self._message = ""
        self._question: tuple[str, Callable[[], None]] | None = None  # a question, and the action of `y`
        self._reading: str | None = None  # the path of the log that is followed; empty before the first read
        self._text: tuple[str, Sequence[str]] | None = None  # the title and lines of a page in place of the agents
        self._is_done = False

    def run(self) -> None:
        """Run until `q`."""
        try:
            self._loads.take(self._agents(), time.monotonic())
            while not self._is_done:
                if self._watching.look():
                    self._loads.take(self._agents(), time.monotonic())
                self._screen.draw(self._page())
                self._watching.wait((*self._screen.sources(), self._changes.fd), _SECOND)
                self._changes.drain()
                for key in _keys(self._screen.keys()):
                    self._pressed(key)
        finally:
            self._changes.close()

    def _agents(self) -> list[text.Agent]:
        agents: list[text.Agent] = self._watching.answer["agents"]
        return agents

    def _chosen(self) -> text.Agent | None:
        """Return the selected agent, or the first agent if the selected agent no longer exists."""
        rows = [agent for _, agent in top_view.ordered(self._watching.answer, Look())]
        chosen = next((agent for agent in rows if agent["id"] == self._selected), rows[0] if rows else None)
        self._selected = chosen["id"] if chosen else None
        return chosen

    def _page(self) -> list[str]:
        """Return the lines of the screen: a page, the log that is followed, or the agents."""
        width, height = console.size()
        plain = not console.can_show("├─└│…·")
        size = top_view.Size(width, height, Look(width, console.has_colours(), plain, is_whole=True))
        chosen = self._chosen()
        if self._text is not None:
            return top_view.text_page(*self._text, size)
        if self._reading is not None and chosen is not None:
            log = chosen["log"]
            if isinstance(log, str) and log != self._reading and Path(log).exists():
                self._reading = log
                self._changes.watch(Path(log))
            title = f"{chosen['id']} {text.named(chosen)}, {chosen['status']}, attempt {chosen['attempt']}"
            return top_view.text_page(title, tail(log, height), size)
        message = self._question[0] if self._question else self._message
        if self._watching.is_cut_off:
            message = "no daemon is running; this is the last known state"
        now = time.clock_gettime(time.CLOCK_REALTIME)  # the clock of the daemon's times
        return top_view.page(self._watching.answer, self._loads.percent, self._selected, message, now, size)

    def _pressed(self, key: str) -> None:
        """Answer the open question, leave a page, or run the action of the key."""
        self._message = ""
        if self._question is not None:
            _, action = self._question
            self._question = None
            if key == "y":
                self._attempt(action)
        elif self._reading is not None or self._text is not None:
            if key == "q":
                self._reading = self._text = None
        else:
            self._attempt(lambda: self._act(key))

    def _attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (WireError, NoDaemonError) as error:
            self._message = text.clean(str(error))

    def _act(self, key: str) -> None:
        """Run the action of a key on the page of agents; other keys do nothing."""
        limit = self._watching.answer["limit"]
        match key:
            case "q":
                self._is_done = True
            case "j" | "k":
                rows = [agent["id"] for _, agent in top_view.ordered(self._watching.answer, Look())]
                if self._selected in rows:
                    index = rows.index(self._selected) + (1 if key == "j" else -1)
                    self._selected = rows[min(max(0, index), len(rows) - 1)]
            case "l" | "w" | "c" | "r" if (chosen := self._chosen()) is not None:
                self._act_on(chosen, key)
            case "?":
                self._text = "keys", top_view.HELP
            case "p":
                op, message = (
                    ("resume", "resumed: new agents will start")
                    if limit["paused"]
                    else ("pause", "paused: no new agents will start")
                )
                self._does(op, {}, message)
            case "+" | "-" if (wanted := limit["limit"] + (1 if key == "+" else -1)) > 0:
                self._does("limit", {"limit": wanted}, f"limit set to {wanted}")

    def _act_on(self, agent: text.Agent, key: str) -> None:
        """Run the action of a key on the selected agent."""
        agent_id = agent["id"]
        match key:
            case "l":
                self._reading = "" if agent["log"] else None
                self._message = "" if agent["log"] else f"{agent_id} has not started: it has no log"
            case "w":
                now = time.clock_gettime(time.CLOCK_REALTIME)
                self._text = "why", list(lines(explanation(self._client, agent_id), now))
            case "c" if text.is_over(agent):
                self._message = f"{agent_id} has ended: {agent['status']}"
            case "c":
                question = f"cancel {agent_id} {text.named(agent)} and all its descendants? y or n"
                message = f"{agent_id} is being cancelled"
                self._question = question, lambda: self._does("cancel", {"ids": [agent_id]}, message)
            case "r" if not text.is_over(agent) or agent["status"] == "completed":
                self._message = (
                    f"{agent_id} is {agent['status']}: only agents that ended without completing can be retried"
                )
            case "r":
                question = f"retry {agent_id} {text.named(agent)}? y or n"
                message = f"{agent_id} is retried"
                self._question = question, lambda: self._does("retry", {"ids": [agent_id]}, message)

    def _does(self, op: str, args: dict[str, Any], message: str) -> None:
        """Send a request, and show `message` once it has succeeded."""
        answer = self._client.call(op, args)
        if "limit" in answer:
            self._watching.answer["limit"] = answer
        self._message = message


def _keys(typed: str) -> list[str]:
    """Return the typed keys, each as the letter of its action."""
    keys = []
    while typed:
        key = next((sequence for sequence in _ARROWS if typed.startswith(sequence)), typed[0])
        keys.append(_ARROWS.get(key, key))
        typed = typed[len(key) :]
    return keys
