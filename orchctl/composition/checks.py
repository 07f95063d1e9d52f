"""What the structure of a composition cannot say: names, dependencies, cycles, numbers that make no sense."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches

from orchctl.composition.order import cyclic, dependencies_of, doubled, name_of, order_of
from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.types import Composition, SubSkill
from orchd.dag import cycle_in

CONDITIONS = ("completed", "failed", "any")  # of dependencies elsewhere; a composition has none
_CYCLES = 10  # that are told: each takes a walk through the whole
_LONGEST_NAME = 200  # bytes: the names of a member's files are longer, and no file's may have more than 255
_NEAREST = 20  # unknown names that a nearest one is looked for: each is compared with all


def problems(composition: Composition) -> list[Problem]:
    """Everything that keeps `composition` from being run, in the order of the file."""
    return [problem for check in _CHECKS for problem in check(composition)]


def warnings(composition: Composition, limit: int) -> list[Problem]:
    """What can be run but will not do what it says, on a machine where `limit` agents may work at once."""
    return [*_above(composition, limit), *_unused(composition), *behind_optional(composition)]


def _names(composition: Composition) -> Iterator[Problem]:
    yield from _name("$.name", composition.name)
    seen: set[str] = set()
    for index, one in enumerate(composition.sub_skills):
        yield from _name(f"$.subSkills[{index}].skillName", one.skill_name)
        yield from _name(f"$.subSkills[{index}].id", one.id or "")
        if name_of(one) in seen:
            yield doubled(name_of(one), index)
        seen.add(name_of(one))


def _name(path: str, name: str) -> Iterator[Problem]:
    """Names become parts of file names and of paths of members."""
    if "/" in name or "\0" in name or name in (".", "..") or name.endswith(".prompt"):
        way_out = "call it otherwise: results are files of that name, so no `/`, `.`, `..`, and no `.prompt` at its end"
        yield Problem("bad-name", path, name, f"{name!r} cannot be a name", way_out)
    elif (length := len(name.encode(errors="surrogatepass"))) > _LONGEST_NAME:
        way_out = f"make it {_LONGEST_NAME} or fewer: files are called so"
        yield Problem("too-long", path, name, f"{path.rpartition('.')[2]} has {length} bytes", way_out)


def _sub_skills(composition: Composition) -> Iterator[Problem]:
    if not composition.sub_skills:
        yield Problem("no-sub-skills", "$.subSkills", [], "there are no sub-skills", "add at least one")


def _dependencies(composition: Composition) -> Iterator[Problem]:
    names = [name_of(one) for one in composition.sub_skills]
    known = set(names)
    near = _NEAREST
    for path, one, dependency in _edges(composition.sub_skills):
        if dependency == name_of(one):
            yield Problem("self-dependency", path, dependency, f"{dependency!r} depends on itself", "take it away")
        elif dependency not in known and "" not in known:  # a name that is missing may be the one that is meant
            nearest = get_close_matches(dependency, names, 1) if near > 0 else []
            near -= 1
            yield _unknown(path, dependency, nearest)


def _edges(sub_skills: Iterable[SubSkill]) -> Iterator[tuple[str, SubSkill, str]]:
    for index, one in enumerate(sub_skills):
        for place, dependency in enumerate(one.dependencies):
            yield f"$.subSkills[{index}].dependencies[{place}]", one, dependency


def _unknown(path: str, dependency: str, nearest: Sequence[str]) -> Problem:
    way_out = f"did you mean {nearest[0]!r}?" if nearest else "name one of the sub-skills, by its `id` if it has one"
    if dependency.rpartition(":")[2] in CONDITIONS:
        way_out = (
            f"a dependency in a composition has no condition; {way_out} `spawn --after` and task files have conditions"
        )
    return Problem("unknown-dependency", path, dependency, f"{dependency!r} is not a sub-skill", way_out)


def _cycles(composition: Composition) -> Iterator[Problem]:
    """Cycles that share no sub-skill: where two cross, the other is told when the first is gone."""
    graph = dependencies_of(composition.sub_skills)
    places = {name: index for index, name in enumerate(graph)}
    graph = {name: [one for one in after if one in graph and one != name] for name, after in graph.items()}
    for _ in range(_CYCLES):
        cycle = cycle_in(graph)
        if cycle is None:
            return
        yield cyclic(cycle, f"$.subSkills[{places[cycle[0]]}].dependencies")
        gone = set(cycle)
        graph = {name: [one for one in after if one not in gone] for name, after in graph.items() if name not in gone}


def _modes(composition: Composition) -> Iterator[Problem]:
    if composition.execution_mode == "parallel":
        for index, one in enumerate(composition.sub_skills):
            if one.dependencies:
                yield Problem(
                    "parallel-dependencies",
                    f"$.subSkills[{index}].dependencies",
                    list(one.dependencies),
                    f"{name_of(one)!r} has dependencies, but in parallel mode all start at once",
                    "make `executionMode` hybrid",
                )


def _numbers(composition: Composition) -> Iterator[Problem]:
    yield from _at_least(1, "$.maxParallel", composition.max_parallel)
    yield from _at_least(0, "$.coordinationStrategy.maxRetries", composition.coordination_strategy.max_retries)
    for index, one in enumerate(composition.sub_skills):
        yield from _at_least(0, f"$.subSkills[{index}].tokenEstimate", one.token_estimate)


def _at_least(least: int, path: str, value: int | None) -> Iterator[Problem]:
    if value is not None and value < least:
        key = path.rpartition(".")[2]
        yield Problem("too-small", path, value, f"{key} is {value}", f"make it {least} or more, or leave it out")


def _commands(composition: Composition) -> Iterator[Problem]:
    for index, one in enumerate(composition.sub_skills):
        if one.command and not one.command[0]:
            path, way_out = f"$.subSkills[{index}].command[0]", "write the program's name first"
            yield Problem("no-command", path, "", "the command has no program", way_out)
        if one.runner == "command" and not one.command:
            path, way_out = f"$.subSkills[{index}].runner", "give it a `command`, or another runner"
            yield Problem("no-command", path, one.runner, f"{name_of(one)!r} has no command to run", way_out)


_CHECKS: tuple[Callable[[Composition], Iterable[Problem]], ...] = (
    _names,
    _sub_skills,
    _dependencies,
    _cycles,
    _modes,
    _numbers,
    _commands,
)


def _above(composition: Composition, limit: int) -> Iterator[Problem]:
    most = composition.max_parallel
    if most is not None and most > limit:
        message = f"maxParallel is {most}, but only {limit} agents may work at once"
        yield Problem("above-limit", "$.maxParallel", most, message, "the limit rules; nothing has to be done")


def _unused(composition: Composition) -> Iterator[Problem]:
    strategy = composition.coordination_strategy
    if strategy.max_retries and strategy.error_handling != "retry":
        path, message = "$.coordinationStrategy.maxRetries", f"{strategy.error_handling} does not try again"
        way_out = "make `errorHandling` retry if it should"
        yield Problem("unused-retries", path, strategy.max_retries, message, way_out)


def behind_optional(composition: Composition) -> Iterator[Problem]:
    """What is required and comes after what is not: the composition can fail with what must not fail it."""
    try:
        order = order_of(composition)
    except CompositionError:  # what is wrong with it is one of the problems
        return
    optional = {name_of(one) for one in composition.sub_skills if not one.required}
    for index, one in enumerate(composition.sub_skills):
        for before in order[name_of(one)]:
            if one.required and before in optional:
                message = f"{name_of(one)!r} is required and comes after {before!r}, which is not"
                way_out = (
                    f"where {before!r} fails, {name_of(one)!r} is skipped and the composition fails: make {before!r} "
                    f"required; or, to run {name_of(one)!r} all the same, take {before!r} out of its dependencies"
                )
                yield Problem("required-behind-optional", f"$.subSkills[{index}]", before, message, way_out)
