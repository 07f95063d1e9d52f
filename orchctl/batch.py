"""Batch files: one JSON object a line, or one array, each an agent. All of it is checked before anything is sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from orchctl.errors import UsageError
from orchctl.specs import placed
from orchd.wire import duration, ops, pack_request, shapes

_DURATIONS = ("timeout", "silence", "grace")


class _Entry(NamedTuple):
    place: str  # for messages: `developers.jsonl line 3`
    value: object


def read(source: str, directory: Path) -> list[dict[str, object]]:
    """The agents in a file, or on stdin for `-`; paths in it are relative to `directory`. Raises UsageError."""
    title = "stdin" if source == "-" else source
    try:
        text = _bytes(source).decode()
    except OSError as error:
        raise UsageError(f"{title} cannot be read: {error.strerror}; nothing was spawned", code="bad-batch") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _wrong(f"{title} line {line}", "is not UTF-8") from None
    specs = [_spec(entry, directory) for entry in _entries(text, title)]
    if not specs:
        raise UsageError(f"{title} holds no agent: write one JSON object a line, or one array", code="bad-batch")
    return specs


def _bytes(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()


def _entries(text: str, title: str) -> Iterator[_Entry]:
    if text.lstrip().startswith("["):
        values = _parsed(text, title)
        for index, value in enumerate(values if isinstance(values, list) else ()):
            yield _Entry(f"{title} index {index}", value)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _Entry(f"{title} line {number}", _parsed(line, title, number))


def _parsed(text: str, title: str, number: int = 0) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{title} line {number or error.lineno}"
        raise _wrong(place, f"column {error.colno} is not JSON: {error.msg}") from None
    except RecursionError:
        raise _wrong(title, "is nested too deeply") from None
    return value


def _spec(entry: _Entry, directory: Path) -> dict[str, object]:
    if not isinstance(entry.value, dict):
        raise _wrong(entry.place, 'must be an object like {"command": ["claude", "-p", "..."]}')
    spec = placed(entry.value, directory)
    try:
        for key in _DURATIONS:
            if isinstance(spec.get(key), str):
                spec[key] = _seconds(key, str(spec[key]))
        _check(shapes.build(ops.AgentSpec, spec))
        pack_request("check", "spawn", spec)
    except UnicodeEncodeError as error:
        raise _wrong(entry.place, f"{error.object!r} holds half a character") from None
    except (shapes.ShapeError, OverflowError) as error:
        raise _wrong(entry.place, str(error)) from None
    return spec


def _check(spec: ops.AgentSpec) -> None:
    if not spec.has_work:
        raise shapes.ShapeError("nothing to run: give `command`, or a `goal` for a runner")


def _seconds(key: str, text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise shapes.ShapeError(f"{key}: {error}") from None


def _wrong(place: str, what: str) -> UsageError:
    return UsageError(f"{place}: {what}; correct it and try again: nothing was spawned", code="bad-batch")
