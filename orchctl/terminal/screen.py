"""A full-screen view on the terminal, which is restored afterwards.

The screen has no thread and no loop of its own: its user polls `sources`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from orchctl.terminal import console

_ENTER = "\x1b[?1049h\x1b[?25l"  # the alternate screen, without a cursor
_LEAVE = "\x1b[?25h\x1b[?1049l"
_TOP, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """The terminal as a screen; keys are read from stdin if `has_keys`."""

    def __init__(self, *, has_keys: bool) -> None:
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._has_keys = has_keys

    def sources(self) -> Sequence[int]:
        """Return the descriptors that are readable when the window was resized or a key was typed."""
        return (self._woken, sys.stdin.fileno()) if self._has_keys else (self._woken,)

    def keys(self) -> str:
        """Return the keys typed since the last call; `q` if the terminal has hung up."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._woken, 4096):
                pass
        typed = ""
        while self._has_keys and select.select([sys.stdin], [], [], 0)[0]:
            if not (data := os.read(sys.stdin.fileno(), 1024)):
                return f"{typed}q"
            typed += data.decode(errors="replace")
        return typed

    def draw(self, lines: Sequence[str]) -> None:
        """Draw as many of the lines as fit on the screen."""
        rows = os.get_terminal_size(sys.stdout.fileno()).lines or len(lines)
        if len(lines) > rows:
            lines = [*lines[: rows - 1], f"... and {len(lines) - rows + 1} more lines"]
        console.put(_TOP + "\r\n".join(f"{line}{_REST_OF_LINE}" for line in lines) + _REST)

    @contextlib.contextmanager
    def held(self) -> Iterator[Screen]:
        """Take over the terminal, and restore it however the block ends."""
        before = {
            number: signal.signal(number, lambda number, _: sys.exit(128 + number))
            for number in (signal.SIGTERM, signal.SIGHUP)
        }
        before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: None)
        woken_before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            with _unbuffered_keys() if self._has_keys else contextlib.nullcontext():
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
def _unbuffered_keys() -> Iterator[None]:
    """Make keys arrive without a newline and without echo."""
    import termios
    import tty

    settings: list[Any] = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
