"""The order in which a composition's sub-skills run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.types import Composition, SubSkill
from orchd.dag import CyclicGraphError, UnknownNodeError, levels, successors, topological


def name_of(sub_skill: SubSkill) -> str:
    """What dependencies call it: its id, or else its skill."""
    return sub_skill.id or sub_skill.skill_name


def plan_execution_order(sub_skills: Sequence[SubSkill]) -> list[list[SubSkill]]:
    """Groups that run one after the other, the sub-skills of each at once; everyone as early as dependencies allow.

    `[[backend], [frontend, mobile], [tests]]`. Raises CompositionError for names that are there twice, dependencies
    that are not there, and cycles, whose path it has.
    """
    known = _by_name(sub_skills)
    graph = dependencies_of(sub_skills)
    _check(graph)
    return [[known[name] for name in group] for group in levels(graph)]


def _by_name(sub_skills: Iterable[SubSkill]) -> dict[str, SubSkill]:
    known: dict[str, SubSkill] = {}
    for index, one in enumerate(sub_skills):
        if name_of(one) in known:
            raise CompositionError([doubled(name_of(one), index)])
        known[name_of(one)] = one
    return known


def doubled(name: str, index: int) -> Problem:
    """The problem that two sub-skills have one name."""
    return Problem(
        "duplicate-name",
        f"$.subSkills[{index}]",
        name,
        f"{name!r} is the name of an earlier sub-skill too",
        "give one of them an `id` of its own",
    )


def dependencies_of(sub_skills: Iterable[SubSkill]) -> dict[str, list[str]]:
    """Each name with what its sub-skill depends on, everything once."""
    return {name_of(one): list(dict.fromkeys(one.dependencies)) for one in sub_skills}


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
                    f"{error.node!r} depends on {error.dependency!r}, which is not there",
                    "add it, or take the dependency away",
                )
            ]
        ) from None


def cyclic(cycle: Sequence[str], path: str = "$.subSkills") -> Problem:
    """The problem that `cycle` is."""
    shown = " -> ".join(cycle)
    return Problem(
        "cycle", path, list(cycle), f"a cycle of dependencies: {shown}", "take one of these dependencies away"
    )


def order_of(composition: Composition) -> dict[str, list[str]]:
    """Each name with what it comes after in the composition's mode. Raises CompositionError as the plan does.

    In parallel mode nothing comes after anything, in hybrid mode what depends comes after its dependencies. In
    sequential mode each comes after the one before, in the order of the list as far as dependencies allow.
    """
    names = list(_by_name(composition.sub_skills))
    if composition.execution_mode == "parallel":
        return {name: [] for name in names}
    graph = dependencies_of(composition.sub_skills)
    _check(graph)
    if composition.execution_mode == "hybrid":
        return graph
    line = _in_line(graph)
    before = {after: [first] for first, after in pairwise(line)}
    return {name: before.get(name, []) for name in names}


def _in_line(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """One after the other: of those whose dependencies are behind them always the first in the graph."""
    names = list(graph)
    place = {name: index for index, name in enumerate(names)}
    left = {name: len(graph[name]) for name in names}
    after = successors(graph)
    ready = [place[name] for name in names if not left[name]]
    heapify(ready)
    line: list[str] = []
    while ready:
        name = names[heappop(ready)]
        line.append(name)
        for other in after[name]:
            left[other] -= 1
            if not left[other]:
                heappush(ready, place[other])
    return line


def plan(composition: Composition) -> list[list[SubSkill]]:
    """As `plan_execution_order`, in the composition's mode: one group, one sub-skill a group, or by dependencies."""
    known = _by_name(composition.sub_skills)
    return [[known[name] for name in group] for group in levels(order_of(composition))]
