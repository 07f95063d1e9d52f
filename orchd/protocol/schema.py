"""Shapes: a dataclass declares the form of a map, `parse` converts a map to it or reports what is wrong."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from orchd.protocol import bounds

Constraint = bounds.Constraint
T = TypeVar("T")
_SHOWN = 60  # characters of a value in a message
_LONGEST_KEY = 100  # characters of a name that a person chose
_MOST = 100  # violations of one map that are collected: it may come from a client that sends garbage


class ShapeError(ValueError):
    """A value that does not fit, with the path to it: `agents[2].timeout must be above 0, not -1`.

    A part knows only its own words; each map or list that holds it puts its own step before the path on the way out.
    A map collects the errors of all its parts, as `others` of the first.
    """

    def __init__(self, words: str, path: str | None = None) -> None:
        super().__init__(words, path)
        self.words = words
        self.path = path
        self.key = path or ""  # the path without what is inside a list
        self.unknown: tuple[str, Iterable[str]] | None = None  # a key, and the known keys in its place
        self.shown: str | None = None  # the value, where a person may see it
        self.others: tuple[ShapeError, ...] = ()

    def __str__(self) -> str:
        return self.words if self.path is None else f"{self.path.removeprefix('.') or 'the value'} {self.words}"

    def under(self, step: str) -> ShapeError:
        """Return this error and its others with `step` before their paths."""
        for error in (self, *self.others):
            error.__traceback__ = None  # it holds the frame of a walk, which holds the error
            error.path = step + (error.path or "")
            error.key = "" if step.startswith("[") else step + error.key
        return self


class Violation(typing.NamedTuple):
    """One violation, for users who correct a whole file at once."""

    key: str
    message: str
    nearest: str | None = None  # the key that was meant, when this one is not known


def parse(shape: type[T], value: object, path: str = "") -> T:
    """Return `value` as a `shape`. Raises the first ShapeError of the walk; unknown keys are errors too."""
    try:
        return typing.cast("T", _converter(typing.cast("Any", shape))(value))
    except ShapeError as error:
        error.others = ()
        raise error.under(path) from None


def violations(shape: type[Any], value: object, path: str = "") -> Iterator[Violation]:
    """Yield every ShapeError of the same walk; none when `value` fits. A list ends the walk at its first bad item."""
    try:
        _converter(typing.cast("Any", shape))(value)
    except ShapeError as error:
        for problem in (error.under(path), *error.others):
            key = problem.key.removeprefix(".")
            if problem.unknown is None:
                is_shown = problem.shown is not None and problem.shown not in str(problem)
                yield Violation(key, f"{problem}: {problem.shown}" if is_shown else str(problem))
                continue
            name, known = problem.unknown
            place = (problem.path or "").removeprefix(".")
            near = difflib.get_close_matches(name, known, 1)
            nearest = f"{place.removesuffix(f'{name:.60}')}{near[0]}" if near else None
            way_out = f"did you mean {nearest}?" if nearest else f"known keys are {', '.join(sorted(known))}"
            yield Violation(key, f"{place} is an unknown key; {way_out}", nearest)


@functools.cache
def _converter(hint: Any) -> Callable[[Any], Any]:
    """Return the function that converts a value to this type or raises ShapeError; cached for each type."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _constrained(*get_args(hint))
    if origin in (Union, types.UnionType):
        (inner,) = (arm for arm in get_args(hint) if arm is not types.NoneType)
        convert = _converter(inner)
        return lambda value: None if value is None else convert(value)
    if origin is tuple:
        return _sequence(get_args(hint)[0])
    if origin is dict:
        return _variables if get_args(hint)[1] is str else _mapping(get_args(hint)[1])
    return _dataclass(hint) if dataclasses.is_dataclass(hint) else functools.partial(_scalar, hint)


def _dataclass(shape: Any) -> Callable[[Any], Any]:
    """Return the function that converts a map to a dataclass."""
    hints, fields = typing.get_type_hints(shape, include_extras=True), dataclasses.fields(shape)
    missing = dataclasses.MISSING
    required = [field.name for field in fields if field.default is missing and field.default_factory is missing]
    converters = {field.name: _converter(hints[field.name]) for field in fields}

    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ShapeError(f"must be a map, not {_name(value)}", "")
        parts = {}
        wrong = {name: ShapeError("is missing", f".{name}") for name in required if name not in value}
        for name in filter(converters.__contains__, value):
            part = value[name]
            try:
                parts[name] = converters[name](part)
            except ShapeError as error:
                if not error.path and not isinstance(part, (Mapping, list)):  # a map or a list may hold secrets
                    error.shown = _short(part)
                wrong[name] = error.under(f".{name}")
        if wrong or len(parts) < len(value):
            unknown = []
            for name in islice((str(name) for name in value if name not in converters), _MOST):
                stranger = ShapeError(
                    f"is an unknown key; known keys are {', '.join(sorted(converters))}", f".{name:.60}"
                )
                stranger.key, stranger.unknown = f".{name}", (name, converters)
                unknown.append(stranger)
            raise _together([*unknown, *(wrong[name] for name in converters if name in wrong)])
        return shape(**parts)

    return convert


def _together(errors: Iterable[ShapeError]) -> ShapeError:
    """Return the first of these errors, with all others in it."""
    first, *others = islice((other for error in errors for other in (error, *error.others)), _MOST)
    first.others = tuple(others)
    return first


def _constrained(inner: Any, *checks: Constraint) -> Callable[[Any], Any]:
    """Return the function that converts a value and checks constraints on it."""
    convert = _converter(inner)
    early = [check for check in checks if check.is_early]

    def checked(value: Any) -> Any:
        for check in early:
            if isinstance(value, (list, tuple)) and value and not check.holds(value):
                raise ShapeError(f"must be {check.words}, not {len(value):,}; split it into several requests", "")
        converted = convert(value)
        for check in checks:
            if not check.holds(converted):
                raise ShapeError(f"must be {check.words}, not {_short(converted)}", "")
        return converted

    return checked


def _sequence(inner: Any) -> Callable[[Any], Any]:
    """Return the function that converts a list to a tuple."""
    convert = _converter(inner)

    def converted(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise ShapeError(f"must be a list, not {_name(value)}", "")
        items: list[Any] = []
        try:
            items.extend(convert(item) for item in value)
        except ShapeError as error:
            raise error.under(f"[{len(items)}]") from None
        return tuple(items)

    return converted


def _mapping(inner: Any) -> Callable[[Any], Any]:
    """Return the function that converts a map from names."""
    convert = _converter(inner)

    def converted(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ShapeError(f"must be a map, not {_name(value)}", "")
        items = {}
        wrong = []
        for key, item in value.items():
            if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
                message = f"has a key that is not valid: {_short(key)}; keys have 1 to {_LONGEST_KEY} characters"
                wrong.append(ShapeError(message, ""))
            else:
                try:
                    items[key] = convert(item)
                except ShapeError as error:
                    wrong.append(error.under(f".{key}"))
            if len(wrong) == _MOST:
                break
        if wrong:
            raise _together(wrong)
        return items

    return converted


def _variables(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ShapeError(f"must be a map, not {_name(value)}", "")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise ShapeError(f"must map strings to strings, not {_short(key)} to {_name(item)}", "")
        if not key or "=" in key or "\0" in key or "\0" in item:
            raise ShapeError(f"has a key or value that is not valid in an environment: {_short(key)}", "")
    return dict(value)


def _scalar(hint: Any, value: Any) -> Any:
    if hint is float and type(value) in (int, float):
        if (type(value) is int and not -_INT64 <= value < _INT64) or not math.isfinite(value):
            raise ShapeError(f"must be a finite number, not {_short(value)}", "")
        return float(value)
    if type(value) is not hint:
        raise ShapeError(f"must be {_NAMES[hint]}, not {_name(value)}", "")
    if hint is int and not -_INT64 <= value < _INT64:
        raise ShapeError(f"must be a 64-bit integer, not {_short(value)}", "")
    if hint is str and "\0" in value:
        raise ShapeError(f"must not contain a NUL character: {_short(value)}", "")
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
