"""Reads JSON with the place of each value, so that a value can be replaced without changing any other byte."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from orchctl.plans.shape import PlanError

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCALAR = re.compile(r"[^\s,\]}]+")


class JsonValue(NamedTuple):
    """A value and its place: a dict of Values, a list of Values, or a value of `json`."""

    data: Any
    start: int
    end: int

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.data, dict):
            return {key: value.plain() for key, value in self.data.items()}
        return [value.plain() for value in self.data] if isinstance(self.data, list) else self.data


def read(text: str) -> JsonValue:
    """Parse a text. A byte order mark counts as white space. Raises PlanError with the line of invalid JSON."""
    text = text.replace("\ufeff", " ", 1) if text.startswith("\ufeff") else text
    try:
        json.loads(text)
        return _value(text, _next(text, 0))
    except json.JSONDecodeError as error:
        raise PlanError(error.lineno, f"column {error.colno} is not JSON: {error.msg}") from None
    except ValueError:  # Python refuses longer numbers
        raise PlanError(0, "a number has too many digits") from None
    except RecursionError:
        raise PlanError(0, "is nested too deeply") from None


def line_of(text: str, value: JsonValue) -> int:
    """Return the line in which a value begins."""
    return text.count("\n", 0, value.start) + 1


def _value(text: str, start: int) -> JsonValue:
    """Return the value that begins at `start`, in a text that is known to be JSON."""
    if text[start] == "{":
        members: dict[str, JsonValue] = {}
        at = _next(text, start + 1)
        while text[at] != "}":
            key = _value(text, at)
            members[key.data] = value = _value(text, _next(text, _next(text, key.end) + 1))
            at = _next(text, value.end)
            if text[at] == ",":
                at = _next(text, at + 1)
        return JsonValue(members, start, at + 1)
    if text[start] == "[":
        elements: list[JsonValue] = []
        at = _next(text, start + 1)
        while text[at] != "]":
            elements.append(_value(text, at))
            at = _next(text, elements[-1].end)
            if text[at] == ",":
                at = _next(text, at + 1)
        return JsonValue(elements, start, at + 1)
    end = _end(_STRING if text[start] == '"' else _SCALAR, text, start)
    return JsonValue(json.loads(text[start:end]), start, end)


def _next(text: str, at: int) -> int:
    """Return the offset behind white space."""
    return _end(_SPACE, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
