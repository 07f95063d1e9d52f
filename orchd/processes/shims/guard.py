"""Checks of shims, so that each reports the end of its agent.

A shim that was stopped, frozen or moved is woken. A shim that stays idle is killed: its agent has ended, and the shim
will not report how.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Generic

from orchd.processes.attempt import RunningAttempt
from orchd.processes.attendance import PATIENCE, Attendance, Key
from orchd.processes.linux.exit_watch import ExitWatch
from orchd.processes.linux.procfs import SHORTAGE, Process, children_of, read_process, send

_IDLE_LOOKS = 3  # at a shim that was woken before each of them


class Guard(Generic[Key]):
    """Schedules checks of shims and performs them."""

    def __init__(self, watch: ExitWatch[Key], clock: Callable[[], float]) -> None:
        self._watch = watch
        self._clock = clock
        self._attendance: Attendance[Key] = Attendance()

    def begin(self, key: Key) -> None:
        """Schedule a check of an attempt whose agent begins or has begun."""
        self._attendance.begin(key, self._clock())

    def end(self, key: Key) -> None:
        """Schedule checks until the shim of an ended agent has reported and ended."""
        self._attendance.end(key, self._clock())

    def kill(self, key: Key) -> None:
        """Schedule checks until the tree that was just killed has ended."""
        self._attendance.leave(key)
        self.end(key)

    def leave(self, key: Key, handle: RunningAttempt) -> None:
        """Cancel the checks: the shim has reported or ended."""
        self._attendance.leave(key)
        for pid in handle.agents:
            self._watch.forget_process(key, pid)
        handle.agents.clear()

    def next_deadline(self) -> float | None:
        """Return the time of the next check; None without any."""
        return self._attendance.next_deadline()

    def look(self, handles: Mapping[Key, RunningAttempt]) -> None:
        """Perform the checks that are due."""
        now = self._clock()
        for key in self._attendance.due(now):
            if (handle := handles.get(key)) is None:
                self._attendance.leave(key)
            elif handle.is_killing:
                handle.tree.kill()
                self._end_idle(key, handle)
            elif handle.tree.is_shim_gone:
                self._attendance.leave(key)  # its members are watched
            elif self._attendance.ends_for(key, now):
                if _has_agent(handle):
                    self._attendance.leave(key)
                    self._find_agent(key, handle)
                else:
                    handle.tree.wake_shim()
                    self._end_idle(key, handle)
            else:
                self._find_agent(key, handle)

    def _find_agent(self, key: Key, handle: RunningAttempt) -> None:
        """Watch the agent's own process. If there is none, its shim is kept from beginning it, or from reporting its
        end: by orchd, which lets it run again, or by something else, and then it is to be woken or ended."""
        try:
            handle.agents += [pid for pid in _children(handle) if self._watch.process(key, pid)]
        except OSError as error:
            if error.errno not in SHORTAGE:
                raise
        if handle.agents:
            return
        if handle.is_frozen:
            self._attendance.begin(key, self._clock())
            return
        handle.tree.wake_shim()
        self._attendance.end(key, self._clock())

    def _end_idle(self, key: Key, handle: RunningAttempt) -> None:
        """Kill a shim that has nothing left to wait for and does nothing, although it was woken again and again."""
        tree = handle.tree
        shim = read_process(tree.shim) if tree.shim and not tree.is_shim_gone else None
        is_idle = shim is not None and not shim.is_zombie and not shim.is_busy and not _has_agent(handle)
        handle.idle_looks = handle.idle_looks + 1 if is_idle else 0
        waited = self._attendance.ends_for(key, self._clock())
        if shim is not None and handle.idle_looks >= _IDLE_LOOKS and waited >= PATIENCE:
            handle.is_shim_killed = True
            send(shim, signal.SIGKILL)


def _has_agent(handle: RunningAttempt) -> bool:
    """Return whether the shim has a child that it waits for."""
    return any(not child.is_zombie for child in _children(handle).values())


def _children(handle: RunningAttempt) -> dict[int, Process]:
    """Return the children of the shim, zombies included; the agent is among them."""
    shim = handle.tree.shim
    processes = {pid: read_process(pid) for pid in (children_of(shim) or () if shim else ())}
    return {pid: process for pid, process in processes.items() if process is not None}
