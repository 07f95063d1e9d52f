"""What Claude Code has in the background: tasks, and wake-ups that it asked for. Neither outlives its last turn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchctl.runners.harness import leftovers
from orchctl.runners.harness.json_access import at, text

_ENDED, _CUT = frozenset({"completed", "failed"}), frozenset({"stopped", "killed"})
_REMEMBERED = 1000  # calls whose results have not come
_WAKE_UP = "ScheduleWakeup"


class Background:
    """Tasks by their ids. A task that is cut after the result was given up; before, the model itself has stopped it."""

    def __init__(self) -> None:
        self.jobs: list[str] = []  # what was cut off and is not done
        self.servers: list[str] = []  # what was cut off and would never have ended by itself
        self._going: dict[str, tuple[str, str]] = {}  # descriptions and commands
        self._cut: list[tuple[str, str]] = []
        self._calls: dict[str, tuple[str, Any]] = {}  # the tools and inputs of calls without a result
        self._commands: dict[str, str] = {}  # of shell calls, by call
        self._timers: dict[str, str] = {}
        self._wake_up = ""  # asked for by the last call

    @property
    def is_going(self) -> bool:
        """Whether a task has not ended."""
        return bool(self._going)

    @property
    def wake_ups(self) -> list[str]:
        """What it was to be woken for."""
        return [*self._timers.values(), *([self._wake_up] if self._wake_up else [])]

    def call(self, block: Any) -> None:
        """It calls a tool."""
        one, name, given = text(block, "id"), text(block, "name"), at(block, "input")
        self._calls[one] = name, given
        if command := text(given, "command"):
            self._commands[one] = command
        for known in (self._calls, self._commands):
            if len(known) > _REMEMBERED:
                del known[next(iter(known))]

    def called(self, one: str, result: Any, *, is_failed: bool) -> str | None:
        """The result of a call has come. Returns the name of its tool."""
        name, given = self._calls.pop(one, (None, None))
        if name is None:
            return None
        self._wake_up = ""
        if is_failed:
            return name
        if name == _WAKE_UP:  # also one that was not granted: it ends its turn all the same
            self._wake_up = text(given, "reason") or "no reason given"
        elif name == "CronCreate" and at(result, "durable") is not True:
            self._timers[text(result, "id")] = text(given, "prompt") or text(given, "cron")
        elif name == "CronDelete":
            self._timers.pop(text(given, "id"), None)
        return name

    def begin(self, task: str, call: str, description: str) -> None:
        """A task has begun."""
        self._going[task] = description, self._commands.get(call, "")

    def end(self, task: str, status: str, *, is_answered: bool) -> str | None:
        """There is news of a task. Returns its description when it has ended."""
        if status not in _ENDED | _CUT or (ended := self._going.pop(task, None)) is None:
            return None
        if status in _CUT and is_answered:
            self._cut.append(ended)
        return ended[0]

    def close(self, left: Iterable[leftovers.Process]) -> None:
        """The CLI has ended, and with it what it had in the background; `left` is what ran as of its last result."""
        known = list(left)
        for description, command in (*self._cut, *self._going.values()):
            shown = description or command
            (self.servers if leftovers.serves(command, known) else self.jobs).append(shown)
