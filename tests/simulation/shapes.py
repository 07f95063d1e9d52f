"""Compositions of any small shape."""

from __future__ import annotations

from random import Random

from orchd.core.inputs import Part
from orchd.core.state.agents import Spec
from orchd.core.state.runs import GroupPlan

PATHS = ("", "g", "g/h")


def shaped(dice: Random, *, is_declared: bool = True) -> tuple[tuple[GroupPlan, ...], list[Part]]:
    """Up to three groups, one in the other, and up to five members that come after earlier nodes of their group."""
    deepest = dice.randint(1, len(PATHS))
    groups = [dice.choice(PATHS[:deepest]) for _ in range(dice.randint(1, 5))]
    parts: list[Part] = []
    for number, group in enumerate(groups):
        known = [part.path for part, there in zip(parts, groups, strict=False) if there == group]
        # Nothing in an inner group comes after anything outside it, so there is no cycle.
        known += [path for path in PATHS[1:] if path.rpartition("/")[0] == group and path in groups]
        after = tuple(dict.fromkeys(dice.choices(known, k=dice.choice([0, 1, 1, 2])))) if known else ()
        spec = Spec(
            ("true",),
            f"m{number}",
            "/",
            "e",
            nesting=dice.choice([0, 0, 0, is_declared]),
            retries=dice.choice([0, 0, 1]),
        )
        parts.append(Part(f"{group}/m{number}".strip("/"), spec, after, dice.random() < 0.7))
    used = {"", *groups, *("g" for group in groups if group == "g/h")}
    return tuple(_group(dice, path) for path in PATHS if path in used), parts


def _group(dice: Random, path: str) -> GroupPlan:
    return GroupPlan(path, dice.choice([None, None, 1, 2]), dice.random() < 0.5, dice.random() < 0.7)
