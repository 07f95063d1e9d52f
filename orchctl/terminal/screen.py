"""The whole terminal for a picture that changes, and the terminal as it was when that is over.

It has no thread and no loop of its own: whoever uses it polls `sources` beside what else there is to look at.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from orchctl.terminal import console

_ENTER = "\x1b[?1049h\x1b[?25l"  # the other screen, without a cursor
_LEAVE = "\x1b[?25h\x1b[?1049l"
_TOP, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """To be drawn upon. `keys` are those typed since they were read last, when they were asked for."""

    def __init__(self, *, has_keys: bool) -> None:
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._has_keys = has_keys

    def sources(self) -> Sequence[int]:
        """What can be read when the window has another size or a key was typed."""
        return (self._woken, sys.stdin.fileno()) if self._has_keys else (self._woken,)

    def keys(self) -> str:
        """What was typed. Nothing more ever comes from a terminal that hung up: then it is `q`."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._woken, 4096):
                pass
        typed = ""
        while self._has_keys and _is_readable(sys.stdin.fileno()):
            if not (some := os.read(sys.stdin.fileno(), 1024)):
                return f"{typed}q"
            typed += some.decode(errors="replace")
        return typed

    def draw(self, lines: Sequence[str]) -> None:
        """Show these, as many as there is room for."""
        rows = os.get_terminal_size(sys.stdout.fileno()).lines or len(lines)
        shown = (
            list(lines) if len(lines) <= rows else [*lines[: rows - 1], f"... and {len(lines) - rows + 1} lines more"]
        )
        console.put(_TOP + "\r\n".join(f"{line}{_REST_OF_LINE}" for line in shown) + _REST)

    @contextlib.contextmanager
    def held(self) -> Iterator[Screen]:
        """Have the terminal to oneself, and leave it as it was however this ends."""
        before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
        before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: None)
        woken_before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            with _typed_at_once() if self._has_keys else contextlib.nullcontext():
                console.put(_ENTER)
                yield self
        finally:
            console.put(_LEAVE)
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._woken)
            os.close(self._waker)


@contextlib.contextmanager
def _typed_at_once() -> Iterator[None]:
    """Keys come without a newline, and are not shown."""
    import termios
    import tty

    settings: list[Any] = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)


def _is_readable(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
