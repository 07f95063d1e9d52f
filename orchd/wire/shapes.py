"""Shapes: a dataclass says what a map must look like, `build` makes one from the map or says what is wrong with it."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

T = TypeVar("T")
_SHOWN = 60  # characters of a value in a message
_LONGEST_KEY = 100  # characters of a name that somebody chose


class ShapeError(ValueError):
    """A value that does not fit, with the path to it: `agents[2].timeout must be above 0, not -1`."""


class Check(typing.NamedTuple):
    """A condition on a value of the right type, and the words that finish `must be ...`."""

    holds: Callable[[Any], bool]
    words: str


class Problem(typing.NamedTuple):
    """One thing that does not fit, for a person who mends a whole file at once."""

    key: str
    message: str
    nearest: str | None = None  # the key that was meant, when this one is not known


def build(shape: type[T], value: object, path: str = "") -> T:
    """`value` as a `shape`. Raises ShapeError at the first part that does not fit; unknown keys do not fit either."""
    if not isinstance(value, Mapping):
        raise ShapeError(f"{path or 'the value'} must be a map, not {_name(value)}")
    known = _fields(typing.cast("Any", shape))
    prefix = f"{path}." if path else ""
    if unknown := sorted(str(key) for key in value if key not in known):
        raise ShapeError(f"{prefix}{unknown[0]:.60} is not known here; known are {', '.join(sorted(known))}")
    made = {}
    for name, (hint, required) in known.items():
        if name in value:
            made[name] = _convert(hint, value[name], f"{prefix}{name}")
        elif required:
            raise ShapeError(f"{prefix}{name} is missing")
    return shape(**made)


def problems(shape: type[Any], value: object, path: str = "") -> Iterator[Problem]:
    """All that `build` would say if it did not stop at the first; nothing when `value` fits."""
    if not isinstance(value, Mapping):
        yield Problem(path, f"{path or 'the value'} must be a map, not {_name(value)}")
        return
    known = _fields(typing.cast("Any", shape))
    prefix = f"{path}." if path else ""
    for key in value:
        if key not in known:
            yield _unknown(str(key), list(known), prefix)
    for name, (hint, required) in known.items():
        if name in value:
            yield from _inside(hint, value[name], f"{prefix}{name}")
        elif required:
            yield Problem(f"{prefix}{name}", f"{prefix}{name} is missing")


def _unknown(key: str, known: list[str], prefix: str) -> Problem:
    near = difflib.get_close_matches(key, known, 1)
    nearest = f"{prefix}{near[0]}" if near else None
    way_out = f"did you mean {nearest}?" if nearest else f"known are {', '.join(sorted(known))}"
    return Problem(f"{prefix}{key}", f"{prefix}{key:.60} is not known here; {way_out}", nearest)


def _inside(hint: Any, value: object, path: str) -> Iterator[Problem]:
    """Each problem of a value that has parts, or the one of a value that has none."""
    if dataclasses.is_dataclass(hint):
        yield from problems(typing.cast("type[Any]", hint), value, path)
    elif get_origin(hint) is dict and dataclasses.is_dataclass(inner := get_args(hint)[1]) and _has_names(value):
        for key, item in typing.cast("Mapping[str, object]", value).items():
            yield from problems(typing.cast("type[Any]", inner), item, f"{path}.{key}")
    else:
        try:
            _convert(hint, value, path)
        except ShapeError as error:
            yield Problem(path, _with_value(str(error), value))


def _has_names(value: object) -> bool:
    try:
        return isinstance(value, Mapping) and all(_key(key, "") for key in value)
    except ShapeError:
        return False


def _with_value(message: str, value: object) -> str:
    """A word that has the wrong type is shown; a map may hold what is nobody's business."""
    shown = _short(value)
    return message if shown in message or isinstance(value, (Mapping, list)) else f"{message}: {shown}"


@functools.cache
def _fields(shape: Any) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(shape, include_extras=True)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(shape)
    }


def _convert(hint: Any, value: object, path: str) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        return _checked(hint, value, path)
    if origin in (Union, types.UnionType):
        (inner,) = (arm for arm in get_args(hint) if arm is not types.NoneType)
        return None if value is None else _convert(inner, value, path)
    if origin is tuple:
        return _sequence(get_args(hint)[0], value, path)
    if origin is dict:
        return _mapping(get_args(hint)[1], value, path)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast("type[Any]", hint), value, path)
    return _scalar(hint, value, path)


def _checked(hint: Any, value: object, path: str) -> Any:
    inner, *checks = get_args(hint)
    made = _convert(inner, value, path)
    for check in checks:
        if not check.holds(made):
            raise ShapeError(f"{path} must be {check.words}, not {_short(made)}")
    return made


def _sequence(inner: Any, value: object, path: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ShapeError(f"{path} must be a list, not {_name(value)}")
    return tuple(_convert(inner, item, f"{path}[{index}]") for index, item in enumerate(value))


def _mapping(inner: Any, value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ShapeError(f"{path} must be a map, not {_name(value)}")
    if inner is not str:
        return {_key(key, path): _convert(inner, item, f"{path}.{_key(key, path)}") for key, item in value.items()}
    return _variables(value, path)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise ShapeError(f"{path} has a key that is no name: {_short(key)}; it has 1 to {_LONGEST_KEY} characters")
    return key


def _variables(value: Mapping[object, object], path: str) -> dict[str, str]:
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise ShapeError(f"{path} must map strings to strings, not {_short(key)} to {_name(item)}")
        if not key or "=" in key or "\0" in key or "\0" in item:
            raise ShapeError(f"{path} has a key or value that no environment can hold: {_short(key)}")
    return typing.cast("dict[str, str]", dict(value))


def _scalar(hint: Any, value: object, path: str) -> Any:
    if hint is float and type(value) in (int, float):
        if not math.isfinite(typing.cast("float", value)):
            raise ShapeError(f"{path} must be a finite number, not {value!r}")
        return float(typing.cast("float", value))
    if type(value) is not hint:
        raise ShapeError(f"{path} must be {_NAMES[hint]}, not {_name(value)}")
    if hint is int and not -_INT64 <= typing.cast("int", value) < _INT64:
        raise ShapeError(f"{path} must be a whole number of 64 bits, not {_short(value)}")
    if hint is str and "\0" in typing.cast("str", value):
        raise ShapeError(f"{path} holds a NUL, which no argument or path can: {_short(value)}")
    return value


_INT64 = 2**63  # what a database can hold, and everything that counts something
_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def _name(value: object) -> str:
    for kind, name in (*_NAMES.items(), (list, "a list"), (Mapping, "a map")):
        if type(value) is kind or (kind is Mapping and isinstance(value, Mapping)):
            return name
    return "nothing" if value is None else type(value).__name__


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
