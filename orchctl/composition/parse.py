"""Converts the JSON value of a composition.json, whose structure has been checked, to its types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from orchctl.composition.types import Composition, CoordinationStrategy, SubSkill

_Kind = TypeVar("_Kind", Composition, CoordinationStrategy, SubSkill)


def composition_from(value: Mapping[str, Any]) -> Composition:
    """Return the composition in `value`, whose shape is that of skill-composition-schema.json."""
    return _filled(
        Composition,
        {
            **value,
            "subSkills": [_filled(SubSkill, sub_skill) for sub_skill in value["subSkills"]],
            "coordinationStrategy": _filled(CoordinationStrategy, value.get("coordinationStrategy", {})),
        },
    )


def key_of(name: str) -> str:
    """Return the JSON key of a field: `tokenEstimate` for `token_estimate`."""
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _filled(kind: type[_Kind], value: Mapping[str, Any]) -> _Kind:
    """Return an object of `kind` with the keys of `value` that it has as fields."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        if (key := key_of(field.name)) in value:
            given = value[key]
            if isinstance(given, list):
                given = tuple(given)
            elif isinstance(given, float) and given.is_integer():  # in JSON 3.0 is a whole number as well as 3
                given = int(given)
            values[field.name] = given
    return kind(**values)
