"""Background work of Claude Code: tasks, and requested wake-ups. Neither outlives the last turn of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchctl.runners.harness import leftovers
from orchctl.runners.harness.json_access import at, text

_ENDED, _CUT = frozenset({"completed", "failed"}), frozenset({"stopped", "killed"})
_REMEMBERED = 1000  # calls whose results have not come
_WAKE_UP = "ScheduleWakeup"


class Background:
    """Tasks by their ids. A task that stops before the result was stopped by the model; later it was killed."""

    def __init__(self) -> None:
        self.jobs: list[str] = []  # tasks that were cut off and are not finished
        self.servers: list[str] = []  # tasks that were cut off and would never have ended by themselves
        self._going: dict[str, tuple[str, str]] = {}  # descriptions and commands
        self._cut: list[tuple[str, str]] = []
        self._calls: dict[str, tuple[str, Any]] = {}  # the tools and inputs of calls without a result
        self._commands: dict[str, str] = {}  # of shell calls, by call
        self._timers: dict[str, str] = {}
        self._wake_up = ""  # requested by the last call

    @property
    def is_going(self) -> bool:
        """Whether a task is running."""
        return bool(self._going)

    @property
    def wake_ups(self) -> list[str]:
        """The reasons of its pending wake-ups."""
        return [*self._timers.values(), *([self._wake_up] if self._wake_up else [])]

    def call(self, block: Any) -> None:
        """Note a call of a tool."""
        call_id, name, arguments = text(block, "id"), text(block, "name"), at(block, "input")
        self._calls[call_id] = name, arguments
        if command := text(arguments, "command"):
            self._commands[call_id] = command
        for remembered in (self._calls, self._commands):
            if len(remembered) > _REMEMBERED:
                del remembered[next(iter(remembered))]

    def called(self, call_id: str, result: Any, *, is_failed: bool) -> str | None:
        """Note the result of a call. Returns the name of its tool; None for an unknown call."""
        name, arguments = self._calls.pop(call_id, (None, None))
        if name is None:
            return None
        self._wake_up = ""
        if is_failed:
            return name
        if name == _WAKE_UP:  # also if it was not granted: it ends the turn all the same
            self._wake_up = text(arguments, "reason") or "no reason given"
        elif name == "CronCreate" and at(result, "durable") is not True:
            self._timers[text(result, "id")] = text(arguments, "prompt") or text(arguments, "cron")
        elif name == "CronDelete":
            self._timers.pop(text(arguments, "id"), None)
        return name

    def begin(self, task: str, call: str, description: str) -> None:
        """Note the start of a task."""
        self._going[task] = description, self._commands.get(call, "")

    def end(self, task: str, status: str, *, is_answered: bool) -> str | None:
        """Note a status of a task. Returns its description when it has ended."""
        if status not in _ENDED | _CUT or (ended := self._going.pop(task, None)) is None:
            return None
        if status in _CUT and is_answered:
            self._cut.append(ended)
        return ended[0]

    def close(self, left: Iterable[leftovers.LeftProcess]) -> None:
        """Sort the tasks that ended with the CLI; `left` are the processes as of its last result."""
        processes = list(left)
        for description, command in (*self._cut, *self._going.values()):
            (self.servers if leftovers.serves(command, processes) else self.jobs).append(description or command)
