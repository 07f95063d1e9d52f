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
    """A value that does not fit, with the path to it: `agents[2].timeout must be above 0, not -1`.

    Whoever finds it knows only the words; each part that holds it puts its own step before the path on the way out.
    """

    def __init__(self, words: str, path: str | None = None) -> None:
        super().__init__(words, path)
        self.words = words
        self.path = path

    def __str__(self) -> str:
        return self.words if self.path is None else f"{self.path.removeprefix('.') or 'the value'} {self.words}"

    def under(self, step: str) -> ShapeError:
        """The same, seen from one level further out."""
        return ShapeError(self.words, step + (self.path or ""))


class Check(typing.NamedTuple):
    """A condition on a value of the right type, and the words that finish `must be ...`."""

    holds: Callable[[Any], bool]
    words: str
    is_early: bool = False  # of a list, before its items are looked at: there may be very many


class Problem(typing.NamedTuple):
    """One thing that does not fit, for a person who mends a whole file at once."""

    key: str
    message: str
    nearest: str | None = None  # the key that was meant, when this one is not known


def build(shape: type[T], value: object, path: str = "") -> T:
    """`value` as a `shape`. Raises ShapeError at the first part that does not fit; unknown keys do not fit either."""
    try:
        return typing.cast("T", _converter(typing.cast("Any", shape))(value))
    except ShapeError as error:
        raise error.under(path) from None


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
            _converter(hint)(value)
        except ShapeError as error:
            yield Problem(path, _with_value(str(error.under(path)), value))


def _has_names(value: object) -> bool:
    try:
        return isinstance(value, Mapping) and all(_key(key) for key in value)
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


@functools.cache
def _converter(hint: Any) -> Callable[[Any], Any]:
    """What makes a value of this type, or raises ShapeError. Worked out once: a request has a dozen fields."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _checked(*get_args(hint))
    if origin in (Union, types.UnionType):
        (inner,) = (arm for arm in get_args(hint) if arm is not types.NoneType)
        convert = _converter(inner)
        return lambda value: None if value is None else convert(value)
    if origin is tuple:
        return _sequence(get_args(hint)[0])
    if origin is dict:
        return _variables if get_args(hint)[1] is str else _mapping(get_args(hint)[1])
    return _whole(hint) if dataclasses.is_dataclass(hint) else functools.partial(_scalar, hint)


def _whole(shape: Any) -> Callable[[Any], Any]:
    known = _fields(shape)
    required = [name for name, (_, is_required) in known.items() if is_required]
    converters = {name: _converter(hint) for name, (hint, _) in known.items()}

    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ShapeError(f"must be a map, not {_name(value)}", "")
        if unknown := sorted(str(key) for key in value if key not in known):
            raise ShapeError(f"is not known here; known are {', '.join(sorted(known))}", f".{unknown[0]:.60}")
        for name in required:
            if name not in value:
                raise ShapeError("is missing", f".{name}")
        made = {}
        for name, part in value.items():
            try:
                made[name] = converters[name](part)
            except ShapeError as error:
                raise error.under(f".{name}") from None
        return shape(**made)

    return convert


def _checked(inner: Any, *checks: Check) -> Callable[[Any], Any]:
    convert = _converter(inner)
    early = [check for check in checks if check.is_early]

    def checked(value: Any) -> Any:
        for check in early:
            if isinstance(value, (list, tuple)) and value and not check.holds(value):
                raise ShapeError(f"must be {check.words}, not {len(value):,}; make several requests", "")
        made = convert(value)
        for check in checks:
            if not check.holds(made):
                raise ShapeError(f"must be {check.words}, not {_short(made)}", "")
        return made

    return checked


def _sequence(inner: Any) -> Callable[[Any], Any]:
    convert = _converter(inner)

    def converted(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise ShapeError(f"must be a list, not {_name(value)}", "")
        made: list[Any] = []
        try:
            made.extend(convert(item) for item in value)
        except ShapeError as error:
            raise error.under(f"[{len(made)}]") from None
        return tuple(made)

    return converted


def _mapping(inner: Any) -> Callable[[Any], Any]:
    convert = _converter(inner)

    def converted(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ShapeError(f"must be a map, not {_name(value)}", "")
        made = {}
        for key, item in value.items():
            name = _key(key)
            try:
                made[name] = convert(item)
            except ShapeError as error:
                raise error.under(f".{name}") from None
        return made

    return converted


def _key(key: object) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise ShapeError(f"has a key that is no name: {_short(key)}; it has 1 to {_LONGEST_KEY} characters", "")
    return key


def _variables(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ShapeError(f"must be a map, not {_name(value)}", "")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise ShapeError(f"must map strings to strings, not {_short(key)} to {_name(item)}", "")
        if not key or "=" in key or "\0" in key or "\0" in item:
            raise ShapeError(f"has a key or value that no environment can hold: {_short(key)}", "")
    return dict(value)


def _scalar(hint: Any, value: Any) -> Any:
    if hint is float and type(value) in (int, float):
        if (type(value) is int and not -_INT64 <= value < _INT64) or not math.isfinite(value):
            raise ShapeError(f"must be a finite number, not {_short(value)}", "")
        return float(value)
    if type(value) is not hint:
        raise ShapeError(f"must be {_NAMES[hint]}, not {_name(value)}", "")
    if hint is int and not -_INT64 <= value < _INT64:
        raise ShapeError(f"must be a whole number of 64 bits, not {_short(value)}", "")
    if hint is str and "\0" in value:
        raise ShapeError(f"holds a NUL, which no argument or path can: {_short(value)}", "")
    return value


_INT64 = 2**63  # what a database can hold, and everything that counts something
_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", bytes: "bytes"}


def _name(value: object) -> str:
    for kind, name in (*_NAMES.items(), (list, "a list"), (Mapping, "a map")):
        if type(value) is kind or (kind is Mapping and isinstance(value, Mapping)):
            return name
    return "nothing" if value is None else type(value).__name__


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
