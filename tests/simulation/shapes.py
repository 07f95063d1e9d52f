"""Compositions of any small shape."""

from __future__ import annotations

from random import Random

from orchd.core.inputs import Part
from orchd.core.state.agents import Spec
from orchd.core.state.runs import Group

PATHS = ("", "g", "g/h")


def shaped(dice: Random, *, is_declared: bool = True) -> tuple[tuple[Group, ...], list[Part]]:
    """Up to three groups, one in the other, and up to five members that come after earlier nodes of their group."""
    deepest = dice.randint(1, len(PATHS))
    places = [dice.choice(PATHS[:deepest]) for _ in range(dice.randint(1, 5))]
    parts: list[Part] = []
    for number, place in enumerate(places):
        known = [part.path for part, there in zip(parts, places, strict=False) if there == place]
        # Nothing in an inner group comes after anything outside it, so there is no cycle.
        known += [path for path in PATHS[1:] if path.rpartition("/")[0] == place and path in places]
        after = tuple(dict.fromkeys(dice.choices(known, k=dice.choice([0, 1, 1, 2])))) if known else ()
        spec = Spec(
            ("true",),
            f"m{number}",
            "/",
            "e",
            nesting=dice.choice([0, 0, 0, is_declared]),
            retries=dice.choice([0, 0, 1]),
        )
        parts.append(Part(f"{place}/m{number}".strip("/"), spec, after, dice.random() < 0.7))
    used = {"", *places, *("g" for place in places if place == "g/h")}
    return tuple(_group(dice, path) for path in PATHS if path in used), parts


def _group(dice: Random, path: str) -> Group:
    return Group(path, dice.choice([None, None, 1, 2]), dice.random() < 0.5, dice.random() < 0.7)
