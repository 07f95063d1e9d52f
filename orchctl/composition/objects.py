"""Converts compositions made in Python into the JSON values that their files would hold."""

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
    """Return problems that no file could have, and, if there are none, the value that a file would have.

    `given` is a Composition or a JSON value.
    """
    if not isinstance(given, Composition):
        value = dict(given) if isinstance(given, Mapping) else given
        return list(_unsayable(value)), value
    problems: list[Problem] = []
    values = _of(given)
    strategy: object = given.coordination_strategy
    if isinstance(strategy, CoordinationStrategy):
        values["coordinationStrategy"] = _of(strategy)
    else:
        problems.append(_wrong("$.coordinationStrategy", strategy, "CoordinationStrategy"))
    if isinstance(values["subSkills"], list):
        for index, sub_skill in enumerate(values["subSkills"]):
            if isinstance(sub_skill, SubSkill):
                values["subSkills"][index] = _of(sub_skill)
            else:
                problems.append(_wrong(f"$.subSkills[{index}]", sub_skill, "SubSkill"))
    return problems or list(_unsayable(values)), values


def _of(given: Composition | CoordinationStrategy | SubSkill) -> dict[str, Any]:
    """Return the fields of an object by their keys in JSON, containers copied."""
    values: dict[str, Any] = {}
    for field in fields(given):
        value = getattr(given, field.name)
        if isinstance(value, (list, tuple)):
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        values[key_of(field.name)] = value
    return values


def _wrong(path: str, value: object, kind: str) -> Problem:
    return Problem("bad-value", path, value, f"{repr(value)[:_SHOWN]} is not a {kind}", f"use a {kind}")


def _unsayable(value: object) -> Iterator[Problem]:
    """Yield values that contain themselves, and keys that are not strings."""
    try:
        json.dumps(value, skipkeys=True, default=lambda _: None)
    except (ValueError, RecursionError):
        way_out = "reduce the nesting; a value cannot contain itself"
        yield Problem("not-json", "$", None, "it is nested too deeply", way_out)
        return
    pending: list[tuple[list[str | int], object]] = [([], value)]
    while pending:
        path, here = pending.pop()
        inner = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, child in inner:
            if isinstance(here, dict) and not isinstance(key, str):
                yield Problem("bad-key", json_path(path), key, f"the key {key!r} is not a string", "use a string")
            else:
                pending.append(([*path, key], child))
