"""Output to stdout and stderr."""

from __future__ import annotations

import io
import json
import sys
import termios
from collections.abc import Callable

import pytest

from orchctl.terminal import console
from tests.orchctl.conftest import Terminal

Speak = Callable[[str], io.BytesIO]


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Make stdout and stderr one stream of an encoding."""

    def spoken(encoding: str) -> io.BytesIO:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        return raw

    return spoken


def test_characters_missing_from_the_encoding_are_replaced(speak: Speak) -> None:
    raw = speak("latin-1")
    console.print_line("é … \udcff")
    console.warn("…")
    assert raw.getvalue() == b"\xe9 ? ?\n?\n"


def test_json_is_plain_ascii_on_one_line(speak: Speak) -> None:
    raw = speak("utf-8")
    console.say_json({"goal": "é\n\udcff"})
    assert raw.getvalue() == b'{"goal":"\\u00e9\\n\\udcff"}\n'
    assert json.loads(raw.getvalue()) == {"goal": "é\n\udcff"}


def test_the_dot_is_a_hyphen_in_an_ascii_encoding(speak: Speak) -> None:
    speak("utf-8")
    assert console.dot() == "·"
    speak("ascii")
    assert console.dot() == "-"


def test_a_result_is_printed_as_json_or_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.result([1], ["a", "b"], as_json=False)
    console.result([1], ["a", "b"], as_json=True)
    console.flush()
    assert capsys.readouterr().out == "a\nb\n[1]\n"


def test_output_without_a_terminal_has_no_colour_width_or_progress(capfd: pytest.CaptureFixture[str]) -> None:
    assert not console.has_colours()
    assert console.width() is None
    line = console.StatusLine()
    line.show("working")
    line.clear()
    assert capfd.readouterr().err == ""


def test_a_terminal_has_colours_and_a_single_progress_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.attached("stdout", "stderr"):
        assert console.has_colours()
        assert console.width() is None  # a terminal that does not know how wide it is says 0
        line = console.StatusLine()
        line.show("long")
        line.show("so")
        line.clear()
        console.ask("well? ")
        assert terminal.until("well? ") == "\rlong\rso  \r    \rwell? "
        monkeypatch.setenv("NO_COLOR", "1")
        assert not console.has_colours()


def test_a_line_of_progress_never_wraps(terminal: Terminal) -> None:
    termios.tcsetwinsize(terminal.theirs, (24, 20))
    with terminal.attached("stderr"):
        line = console.StatusLine()
        line.show("waiting: 1 of 4 ended, 3 running")
        termios.tcsetwinsize(terminal.theirs, (24, 10))
        line.show("waiting")
        line.clear()
    blank = " " * 10
    assert terminal.until(f"\r{blank}\r") == f"\rwaiting: 1 of 4 e...\rwaiting   \r{blank}\r"
