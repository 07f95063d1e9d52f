"""The full-screen display of a picture that changes."""

from __future__ import annotations

import os
import signal
import struct
import termios
from fcntl import ioctl

import pytest

from orchctl.terminal.screen import Screen
from tests.orchctl.conftest import Terminal


def test_screen_reads_keys_without_newline_and_restores_terminal_mode(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = termios.tcgetattr(terminal.theirs)
    with terminal.attached("stdout"), os.fdopen(os.dup(terminal.theirs)) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        with Screen(has_keys=True).held() as screen:
            assert screen.keys() == ""
            terminal.type("jk")
            assert screen.keys() == "jk"
            assert termios.tcgetattr(terminal.theirs) != before
    assert termios.tcgetattr(terminal.theirs) == before


def test_screen_counts_the_lines_that_do_not_fit(terminal: Terminal) -> None:
    ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 3, 40, 0, 0))
    with terminal.attached("stdout"), Screen(has_keys=False).held() as screen:
        screen.draw(["a", "b", "c"])
        assert "more" not in terminal.until("c\x1b[K\x1b[J")
        screen.draw(["a", "b", "c", "d"])
        assert "c\x1b[K" not in terminal.until("... and 2 more lines").rpartition("\x1b[H")[2]


def test_screen_resize_wakes_the_poll_and_signal_handlers_are_restored(terminal: Terminal) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminal.attached("stdout"), Screen(has_keys=False).held() as screen:
        (woken,) = screen.sources()
        os.kill(os.getpid(), signal.SIGWINCH)
        assert os.read(woken, 1) == bytes([signal.SIGWINCH])
        assert screen.keys() == ""
        with pytest.raises(SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert terminal.until("\x1b[?1049l")
