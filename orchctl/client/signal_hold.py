"""Signals that would end the wait of an agent while no daemon runs: they take effect when a daemon answers again.

An agent that waits holds no slot. A daemon freezes it when the client of its wait ends; without a daemon nothing would
keep it from working beside the agent that it waits for.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import zmq

    from orchctl.client.connection import SideTask

HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PAUSE = 0.1  # seconds between two looks whether a daemon answers: no event reports that


class SignalHold:
    """A `SideTask` around another. While it is entered, a signal of `HELD` is delayed until `is_served` is true, for
    `patience` seconds at most. A signal that was ignored stays ignored; only the main thread holds signals."""

    def __init__(self, is_served: Callable[[], bool], patience: float, watch: SideTask | None) -> None:
        self._is_served = is_served
        self._patience = patience
        self._watch = watch
        self._before: dict[int, Any] = {}
        self._number: int | None = None  # of the first signal that is held
        self._until = 0.0
        self._is_noticed = False
        self._heard, self._wake = os.pipe()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.getsignal(number) for number in HELD}
            self._before = {
                number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)
            }
            for number in self._before:
                signal.signal(number, self._hold)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        os.close(self._heard)
        os.close(self._wake)
        if self._number is not None:
            os.kill(os.getpid(), self._number)

    def sources(self) -> Iterable[zmq.Socket[bytes] | int]:
        """Return the sources of the other task, and a descriptor that can be read when a signal is held."""
        return [self._heard, *(self._watch.sources() if self._watch else ())]

    def look(self) -> float | None:
        """Let the signal take effect once a daemon answers. Returns seconds as `look` of the other task does."""
        again = self._watch.look() if self._watch else None
        if self._number is None:
            return again
        if not self._is_noticed:
            self._is_noticed = bool(os.read(self._heard, 1))
        if self._is_served() or time.monotonic() >= self._until:
            number, self._number = self._number, None
            self._restore()
            os.kill(os.getpid(), number)
        return PAUSE if again is None else min(PAUSE, again)

    def _hold(self, number: int, _: FrameType | None) -> None:
        if self._number is not None:
            return
        # whether a daemon answers is looked at in `look`: this may interrupt an import that the look needs
        self._number, self._until = number, time.monotonic() + self._patience
        os.write(self._wake, b"\n")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
