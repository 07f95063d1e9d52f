"""The only place that writes to stdout and stderr, apart from the bytes of logs."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO


def prepare(encoding: str | None = None) -> None:
    """Let stdout and stderr escape the characters that their encoding lacks. `encoding` replaces theirs."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def say(text: str) -> None:
    """One line of result."""
    sys.stdout.write(f"{_encodable(text, sys.stdout)}\n")


def flush() -> None:
    """Let the reader see what was said, also through a pipe."""
    sys.stdout.flush()


def say_json(value: object) -> None:
    """One JSON value on a line of its own. It is plain ASCII, so that bytes which are not UTF-8 do no harm."""
    sys.stdout.write(f"{json.dumps(value, separators=(',', ':'))}\n")


def result(value: object, lines: Iterable[str], *, as_json: bool) -> None:
    """The result as JSON, or as lines for people."""
    if as_json:
        say_json(value)
        return
    for line in lines:
        say(line)


def dot() -> str:
    """What separates parts of a line, where stdout can show it."""
    return "·" if can_show("·") else "-"


def note(text: str) -> None:
    """One line beside the result. Names and paths in it cannot control the terminal."""
    sys.stderr.write(f"{_encodable(_harmless(text), sys.stderr)}\n")
    sys.stderr.flush()


def ask(question: str) -> None:
    """The beginning of a line that somebody is to finish."""
    sys.stderr.write(question)
    sys.stderr.flush()


def failure(code: str, message: str, details: Mapping[str, object], *, as_json: bool) -> None:
    """What went wrong: a line on stderr for people, or an object on stdout, where a script reads anyway."""
    if as_json:
        say_json({"error": {"code": code, "message": message, "details": dict(details)}})
    else:
        note(f"{code}: {' '.join(message.split())}")


def is_for_people() -> bool:
    """Whether stderr is a terminal: what is only company for someone who waits goes nowhere else."""
    return sys.stderr.isatty()


def has_colours() -> bool:
    """Whether stdout shows colours and nobody asked for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def put(text: str) -> None:
    """Text with its own ends of lines and what only a terminal understands, shown at once."""
    sys.stdout.write(_encodable(text, sys.stdout))
    sys.stdout.flush()


def width() -> int | None:
    """Columns of the terminal that stdout is; None when lines may be of any length."""
    return os.get_terminal_size(sys.stdout.fileno()).columns or None if sys.stdout.isatty() else None


def size() -> tuple[int, int]:
    """Columns and rows of the terminal that stdout is; one that does not know has 80 and 24."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns or 80, found.lines or 24


def can_show(text: str) -> bool:
    """Whether stdout's encoding has every character of `text`."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Line:
    """One line on stderr that is written over and is gone when the work is done; nothing when nobody looks."""

    def __init__(self) -> None:
        self._width = 0

    def show(self, text: str) -> None:
        """Put `text` in place of what was there."""
        if is_for_people():
            from orchctl.render.text import fitted

            room = _room()
            text = _encodable(fitted(_harmless(text), room, "..."), sys.stderr)  # what wraps could not be written over
            sys.stderr.write(f"\r{text.ljust(min(self._width, room))}")
            sys.stderr.flush()
            self._width = max(self._width, len(text))

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._width:
            sys.stderr.write(f"\r{' ' * min(self._width, _room())}\r")
            sys.stderr.flush()
            self._width = 0


def _room() -> int:
    """Columns of the terminal that stderr is; one that does not know has enough."""
    return os.get_terminal_size(sys.stderr.fileno()).columns or sys.maxsize


def _harmless(text: str) -> str:
    if text.isprintable():
        return text
    from orchctl.render.text import clean_line

    return clean_line(text)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "ascii"
    return text if text.isascii() else text.encode(encoding, "replace").decode(encoding)
