"""Compositions that Python made, as the JSON values that their files would hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from orchctl.composition.json_reader import json_path
from orchctl.composition.parse import key_of
from orchctl.composition.problems import Problem
from orchctl.composition.types import Composition, CoordinationStrategy, SubSkill

_SHOWN = 60  # characters of a value in a message


def plain(given: object) -> tuple[list[Problem], Any]:
    """What no file can say of `given`, a Composition or a JSON value; and without problems, what a file would hold."""
    found: list[Problem] = []
    value = _composition(given, found) if isinstance(given, Composition) else given
    value = dict(value) if isinstance(value, Mapping) else value
    if not found:
        found = list(_unsayable(value))
    return found, value


def _composition(given: Composition, found: list[Problem]) -> dict[str, Any]:
    value = _of(given)
    strategy: object = given.coordination_strategy
    if isinstance(strategy, CoordinationStrategy):
        value["coordinationStrategy"] = _of(strategy)
    else:
        found.append(_wrong("$.coordinationStrategy", strategy, "CoordinationStrategy"))
    if isinstance(value["subSkills"], list):
        for index, one in enumerate(value["subSkills"]):
            if isinstance(one, SubSkill):
                value["subSkills"][index] = _of(one)
            else:
                found.append(_wrong(f"$.subSkills[{index}]", one, "SubSkill"))
    return value


def _of(given: Composition | CoordinationStrategy | SubSkill) -> dict[str, Any]:
    """Its fields by their keys in JSON."""
    return {key_of(field.name): _listed(getattr(given, field.name)) for field in fields(given)}


def _listed(value: object) -> object:
    """A list or an object of its own: what was given stays as it is."""
    if isinstance(value, (list, tuple)):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _wrong(path: str, value: object, kind: str) -> Problem:
    return Problem("bad-value", path, value, f"{repr(value)[:_SHOWN]} is no {kind}", f"make it a {kind}")


def _unsayable(value: object) -> Iterator[Problem]:
    """Values that hold themselves, and keys that are no texts: the walk through a value counts on neither."""
    try:
        json.dumps(value, skipkeys=True, default=lambda _: None)
    except (ValueError, RecursionError):
        way_out = "make it flatter: a value cannot hold itself"
        yield Problem("not-json", "$", None, "it is nested too deeply", way_out)
        return
    pending: list[tuple[list[str | int], object]] = [([], value)]
    while pending:
        path, here = pending.pop()
        inner = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, item in inner:
            if isinstance(here, dict) and not isinstance(key, str):
                yield Problem("bad-key", json_path(path), key, f"the key {key!r} is no text", "write a text")
            else:
                pending.append(([*path, key], item))
