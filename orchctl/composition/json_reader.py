"""Reads JSON files and reports mistakes with their place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchctl.composition.problems import CompositionError, Problem

_HALF = re.compile(r"[\ud800-\udfff]")


class _Doubled(dict[str, Any]):
    """An object of JSON, with the keys that occur twice in it."""

    doubled: tuple[str, ...] = ()


def read(path: Path) -> Any:
    """Return the value in a file. Raises CompositionError if it cannot be read, is not JSON, or repeats a key."""
    try:
        return parse(path.read_bytes().decode())
    except OSError as error:
        problem = Problem(
            "unreadable", "$", None, f"cannot be read: {error.strerror}", "check the path and its permissions"
        )
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem("not-utf-8", "$", None, f"line {line} is not UTF-8", "save the file as UTF-8")
    raise CompositionError([problem])


def parse(text: str) -> Any:
    """Return the value of the JSON `text`. Raises CompositionError as `read` does."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise CompositionError(
            [_not_json(f"{place}: {error.msg}", "correct it there or just before that place")]
        ) from None
    except CompositionError:
        raise
    except ValueError:  # Python refuses longer numbers
        raise CompositionError([_not_json("a number has too many digits", "write a shorter one")]) from None
    except RecursionError:
        raise CompositionError([_not_json("it is nested too deeply", "reduce the nesting")]) from None
    message, way_out = "the key {!r} is given more than once", "keep one of them"
    problems = [
        Problem("duplicate-key", json_path([*path, key]), key, message.format(key), way_out)
        for path, inner in _walked(value)
        for key in getattr(inner, "doubled", ())
    ]
    if problems:
        raise CompositionError(problems)
    return value


def halves(value: Any) -> Iterator[Problem]:
    r"""Yield strings with a lone surrogate such as `\ud800`, which no file or file name can hold."""
    way_out = "write the character itself, or both surrogates"
    for path, here in _walked(value):
        for text in here if isinstance(here, dict) else [here]:
            if isinstance(text, str) and (half := _HALF.search(text)):
                yield Problem("half-character", json_path(path), text, f"{half[0]!r} is a lone surrogate", way_out)


def unusable(value: Any) -> Iterator[Problem]:
    """Yield valid JSON that no run can use: NUL, which no argument, variable or path holds, and infinite numbers."""
    for path, here in _walked(value):
        if any(isinstance(key, str) and key.startswith("x-") for key in path):
            continue  # a key of the user's own: nothing reads it
        for text in here if isinstance(here, dict) else [here]:
            if isinstance(text, str) and "\0" in text:
                yield Problem("nul", json_path(path), text, "contains a NUL character", "remove it")
        if isinstance(here, float) and not math.isfinite(here):
            yield Problem("not-finite", json_path(path), here, f"{here} is not a JSON number", "write a smaller number")


def json_path(keys: Iterator[str | int] | list[str | int]) -> str:
    """Return the JSON path of some keys: `$.subSkills[2].role` for `subSkills`, 2, `role`."""
    return "$" + "".join(f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]" for key in keys)


def _not_json(what: str, way_out: str) -> Problem:
    return Problem("not-json", "$", None, f"not JSON: {what}", way_out)


def _refuse(constant: str) -> None:
    """Raise CompositionError for `NaN` and `Infinity`, which Python reads and JSON does not have."""
    raise CompositionError([_not_json(f"{constant} is not a JSON number", "write a number")])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON that knows which of its keys occur twice."""
    value = _Doubled(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        value.doubled = tuple(key for key in value if keys.count(key) > 1)
    return value


def _walked(value: Any) -> Iterator[tuple[list[str | int], Any]]:
    """Yield `value` and every value inside it, with the keys that lead there."""
    pending: list[tuple[list[str | int], Any]] = [([], value)]
    while pending:
        path, here = pending.pop()
        yield path, here
        if isinstance(here, dict):
            pending += [([*path, key], inner) for key, inner in here.items()]
        elif isinstance(here, list):
            pending += [([*path, index], inner) for index, inner in enumerate(here)]
