"""The live screen of `orchctl top`: what is selected, what a key does, when it is drawn again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchctl.client import Client
from orchctl.client.live_query import Watching
from orchctl.errors import NoDaemonError
from orchctl.history.log_follow import Changes
from orchctl.history.log_tail import tail
from orchctl.history.why import found, lines
from orchctl.render import text
from orchctl.render.status_tree import Look
from orchctl.terminal import console, top_view
from orchctl.terminal.screen import Screen
from orchd.protocol.errors import WireError

_ARROWS = {"\x1b[A": "k", "\x1bOA": "k", "\x1b[B": "j", "\x1bOB": "j", "\x1b": "q", "\r": "l", "\n": "l"}
_SECOND = 1.0


class Top:
    """One screen. It asks the daemon after news and once a second, since CPU time is no news."""

    def __init__(self, client: Client, watching: Watching, screen: Screen) -> None:
        self._client = client
        self._watching = watching
        self._screen = screen
        self._loads = top_view.Loads()
        self._changes = Changes()
        self._selected: str | None = None
        self._message = ""
        self._asked: tuple[str, Callable[[], None]] | None = None  # a question, and what `y` does
        self._reading: str | None = None  # the log that is followed, by its agent
        self._text: tuple[str, Sequence[str]] | None = None  # a page beside the agents, by its title
        self._is_done = False

    def run(self) -> None:
        """Until `q`."""
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
        """The agent that is selected; the first one when it is there no more."""
        rows = [agent for _, agent in top_view.ordered(self._watching.answer, Look())]
        chosen = next((agent for agent in rows if agent["id"] == self._selected), rows[0] if rows else None)
        self._selected = chosen["id"] if chosen else None
        return chosen

    def _page(self) -> list[str]:
        width, height = console.size()
        plain = not console.can_show("├─└│…·")
        size = top_view.Size(width, height, Look(width, console.has_colours(), plain, is_whole=True))
        chosen = self._chosen()
        if self._text is not None:
            return top_view.text_page(*self._text, size)
        if self._reading is not None and chosen is not None:
            return top_view.text_page(self._log_title(chosen), tail(chosen["log"], height), size)
        message = self._asked[0] if self._asked else self._message
        if self._watching.is_cut_off:
            message = "no daemon answers; this is the last that was known"
        now = time.clock_gettime(time.CLOCK_REALTIME)  # the clock of the daemon's times
        return top_view.page(self._watching.answer, self._loads.percent, self._selected, message, now, size)

    def _log_title(self, agent: text.Agent) -> str:
        if isinstance(agent["log"], str) and agent["log"] != self._reading and Path(agent["log"]).exists():
            self._reading = agent["log"]
            self._changes.watch(Path(agent["log"]))
        return f"{agent['id']} {text.named(agent)}, {agent['status']}, try {agent['attempt']}"

    def _pressed(self, key: str) -> None:
        self._message = ""
        if self._asked is not None:
            _, act = self._asked
            self._asked = None
            if key == "y":
                self._tried(act)
        elif self._reading is not None or self._text is not None:
            if key == "q":
                self._reading = self._text = None
        elif (wanted := self._keys().get(key)) is not None:
            self._tried(wanted)

    def _keys(self) -> dict[str, Callable[[], None]]:
        return {
            "q": self._leave,
            "j": lambda: self._move(1),
            "k": lambda: self._move(-1),
            "l": self._follow,
            "w": self._explain,
            "c": self._ask_to_cancel,
            "r": self._ask_to_retry,
            "?": self._help,
            "p": self._pause,
            "+": lambda: self._change_limit(1),
            "-": lambda: self._change_limit(-1),
        }

    def _tried(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (WireError, NoDaemonError) as error:
            self._message = text.clean(str(error))

    def _leave(self) -> None:
        self._is_done = True

    def _move(self, by: int) -> None:
        rows = [agent["id"] for _, agent in top_view.ordered(self._watching.answer, Look())]
        if self._selected in rows:
            self._selected = rows[min(max(0, rows.index(self._selected) + by), len(rows) - 1)]

    def _follow(self) -> None:
        if (chosen := self._chosen()) is not None:
            self._reading = "" if chosen["log"] else None
            self._message = "" if chosen["log"] else f"{chosen['id']} has not started, so it has no log"

    def _explain(self) -> None:
        if (chosen := self._chosen()) is not None:
            now = time.clock_gettime(time.CLOCK_REALTIME)
            self._text = "why", list(lines(found(self._client, chosen["id"]), now))

    def _help(self) -> None:
        self._text = "keys", top_view.HELP

    def _ask_to_retry(self) -> None:
        if (chosen := self._chosen()) is None:
            return
        one = chosen["id"]
        if not text.is_over(chosen) or chosen["status"] == "completed":
            self._message = f"{one} is {chosen['status']}: what ended without completing can be retried"
            return
        question = f"give {one} {text.named(chosen)} a new attempt? y or n"
        self._asked = question, lambda: self._does("retry", {"ids": [one]}, f"{one} is tried again")

    def _ask_to_cancel(self) -> None:
        if (chosen := self._chosen()) is None:
            return
        one = chosen["id"]
        if text.is_over(chosen):
            self._message = f"{one} has ended: {chosen['status']}"
        else:
            question = f"cancel {one} {text.named(chosen)} and all under it? y or n"
            self._asked = question, lambda: self._does("cancel", {"ids": [one]}, f"{one} is being cancelled")

    def _pause(self) -> None:
        is_paused = self._watching.answer["limit"]["paused"]
        self._does("resume" if is_paused else "pause", {}, "agents start again" if is_paused else "no new agents start")

    def _change_limit(self, by: int) -> None:
        wanted = self._watching.answer["limit"]["limit"] + by
        if wanted > 0:
            self._does("limit", {"limit": wanted}, f"the limit is {wanted}")

    def _does(self, op: str, args: dict[str, Any], said: str) -> None:
        answer = self._client.call(op, args)
        if "limit" in answer:
            self._watching.answer["limit"] = answer
        self._message = said


def _keys(typed: str) -> list[str]:
    """Each key as the letter that does the same."""
    found = []
    while typed:
        arrow = next((one for one in _ARROWS if typed.startswith(one)), typed[0])
        found.append(_ARROWS.get(arrow, arrow))
        typed = typed[len(arrow) :]
    return found
