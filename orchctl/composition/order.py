"""The order in which a composition's sub-skills run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.types import Composition, SubSkill
from orchd.dag import CyclicGraphError, UnknownNodeError, levels, successors, topological


def name_of(sub_skill: SubSkill) -> str:
    """Return the name that dependencies use: the id of `sub_skill`, or else its skill."""
    return sub_skill.id or sub_skill.skill_name


def plan_execution_order(sub_skills: Sequence[SubSkill]) -> list[list[SubSkill]]:
    """Return groups that run one after the other, each sub-skill as early as its dependencies allow.

    `[[backend], [frontend, mobile], [tests]]`. Raises CompositionError for duplicate names, unknown dependencies, and
    cycles with their path.
    """
    known = _by_name(sub_skills)
    graph = dependencies_of(sub_skills)
    _check(graph)
    return [[known[name] for name in group] for group in levels(graph)]


def _by_name(sub_skills: Iterable[SubSkill]) -> dict[str, SubSkill]:
    """Return the sub-skills by name. Raises CompositionError for a name that occurs twice."""
    known: dict[str, SubSkill] = {}
    for index, sub_skill in enumerate(sub_skills):
        if name_of(sub_skill) in known:
            raise CompositionError([doubled(name_of(sub_skill), index)])
        known[name_of(sub_skill)] = sub_skill
    return known


def doubled(name: str, index: int) -> Problem:
    """Return the problem of a name that an earlier sub-skill already has."""
    return Problem(
        "duplicate-name",
        f"$.subSkills[{index}]",
        name,
        f"the name {name!r} is already used by an earlier sub-skill",
        "give one of them its own `id`",
    )


def dependencies_of(sub_skills: Iterable[SubSkill]) -> dict[str, list[str]]:
    """Return each name with the dependencies of its sub-skill, without duplicates."""
    return {name_of(sub_skill): list(dict.fromkeys(sub_skill.dependencies)) for sub_skill in sub_skills}


def _check(graph: Mapping[str, Sequence[str]]) -> None:
    """Raise CompositionError for a graph that has no order."""
    try:
        topological(graph)
    except CyclicGraphError as error:
        raise CompositionError([cyclic(error.cycle)]) from None
    except UnknownNodeError as error:
        raise CompositionError(
            [
                Problem(
                    "unknown-dependency",
                    "$.subSkills",
                    error.dependency,
                    f"{error.node!r} depends on {error.dependency!r}, which does not exist",
                    "add it, or remove the dependency",
                )
            ]
        ) from None


def cyclic(cycle: Sequence[str], path: str = "$.subSkills") -> Problem:
    """Return the problem for a `cycle`."""
    message = f"dependency cycle: {' -> '.join(cycle)}"
    return Problem("cycle", path, list(cycle), message, "remove one of these dependencies")


def order_of(composition: Composition) -> dict[str, list[str]]:
    """Return each name with the names it comes after in the mode of `composition`. Raises CompositionError as `plan`.

    In parallel mode no sub-skill waits, in hybrid mode each comes after its dependencies. In sequential mode each comes
    after its predecessor, in the order of the list as far as dependencies allow.
    """
    names = list(_by_name(composition.sub_skills))
    if composition.execution_mode == "parallel":
        return {name: [] for name in names}
    graph = dependencies_of(composition.sub_skills)
    _check(graph)
    if composition.execution_mode == "hybrid":
        return graph
    # of the names whose dependencies are done, always the first in the list comes next
    position = {name: index for index, name in enumerate(names)}
    left = {name: len(graph[name]) for name in names}
    after = successors(graph)
    ready = [position[name] for name in names if not left[name]]
    heapify(ready)
    line: list[str] = []
    while ready:
        name = names[heappop(ready)]
        line.append(name)
        for other in after[name]:
            left[other] -= 1
            if not left[other]:
                heappush(ready, position[other])
    before = {after: [first] for first, after in pairwise(line)}
    return {name: before.get(name, []) for name in names}


def plan(composition: Composition) -> list[list[SubSkill]]:
    """Return groups as `plan_execution_order`, by mode: a single group, a group per sub-skill, or by dependencies."""
    known = _by_name(composition.sub_skills)
    return [[known[name] for name in group] for group in levels(order_of(composition))]
