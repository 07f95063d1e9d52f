"""Output to stdout and stderr; no other module writes to them, except the bytes of logs."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TextIO

from orchd.instance.system import os_errors


def prepare(encoding: str | None = None) -> None:
    """Make stdout and stderr escape characters that are not in their encoding; `encoding` replaces their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def writing() -> AbstractContextManager[None]:
    """Name stdout in the error of a write to it."""
    return os_errors.naming(os_errors.OUTPUT)


def print_line(text: str) -> None:
    """Write one line of the result to stdout."""
    with writing():
        sys.stdout.write(f"{_encodable(text, sys.stdout)}\n")


def flush() -> None:
    """Flush stdout, so that a reader of a pipe sees the lines so far."""
    with writing():
        sys.stdout.flush()


def say_json(value: object) -> None:
    """Write a JSON value on a line of its own, in ASCII, so that bytes that are not UTF-8 are safe."""
    with writing():
        sys.stdout.write(f"{json.dumps(value, separators=(',', ':'))}\n")


def result(value: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Write the result as JSON, or as lines of text."""
    if as_json:
        say_json(value)
        return
    for line in lines:
        print_line(line)


def dot() -> str:
    """Return the separator of parts of a line that stdout can show."""
    return "·" if can_show("·") else "-"


def warn(text: str) -> None:
    """Write one line to stderr. Names and paths in it cannot control the terminal."""
    sys.stderr.write(f"{_encodable(_harmless(text), sys.stderr)}\n")
    sys.stderr.flush()


def ask(question: str) -> None:
    """Write a question to stderr; the answer follows on the same line."""
    sys.stderr.write(question)
    sys.stderr.flush()


def failure(code: str, message: str, details: Mapping[str, object], *, as_json: bool) -> None:
    """Write an error: a line on stderr for people, or an object on stdout, where a script reads."""
    if as_json:
        say_json({"error": {"code": code, "message": message, "details": dict(details)}})
    else:
        warn(f"{code}: {' '.join(message.split())}")


def is_for_people() -> bool:
    """Return whether stderr is a terminal: progress is written only there."""
    return sys.stderr.isatty()


def has_colours() -> bool:
    """Return whether stdout shows colours and `NO_COLOR` (no-color.org) is not set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def put(text: str) -> None:
    """Write `text` as it is, with line ends and escape sequences of its own, and flush it."""
    with writing():
        sys.stdout.write(_encodable(text, sys.stdout))
        sys.stdout.flush()


def width() -> int | None:
    """Return the columns of the terminal on stdout; None if lines may be of any length."""
    return os.get_terminal_size(sys.stdout.fileno()).columns or None if sys.stdout.isatty() else None


def size() -> tuple[int, int]:
    """Return the columns and rows of the terminal on stdout; 80 and 24 if it does not report them."""
    terminal = os.get_terminal_size(sys.stdout.fileno())
    return terminal.columns or 80, terminal.lines or 24


def can_show(text: str) -> bool:
    """Return whether stdout's encoding has every character of `text`."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class StatusLine:
    """A status line on stderr that is overwritten, and cleared in the end; nothing if stderr is not a terminal."""

    def __init__(self) -> None:
        self._width = 0

    def show(self, text: str) -> None:
        """Replace the line by `text`."""
        if is_for_people():
            from orchctl.render.text import fitted

            room = _room()
            # a wrapped line could not be overwritten
            text = _encodable(fitted(_harmless(text), room, "..."), sys.stderr)
            sys.stderr.write(f"\r{text.ljust(min(self._width, room))}")
            sys.stderr.flush()
            self._width = max(self._width, len(text))

    def clear(self) -> None:
        """Clear the line."""
        if self._width:
            sys.stderr.write(f"\r{' ' * min(self._width, _room())}\r")
            sys.stderr.flush()
            self._width = 0


def _room() -> int:
    """Return the columns of the terminal on stderr; unlimited if it does not report them."""
    return os.get_terminal_size(sys.stderr.fileno()).columns or sys.maxsize


def _harmless(text: str) -> str:
    if text.isprintable():
        return text
    from orchctl.render.text import clean_line

    return clean_line(text)


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "ascii"
    return text if text.isascii() else text.encode(encoding, "replace").decode(encoding)
