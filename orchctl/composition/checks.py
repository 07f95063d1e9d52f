"""Checks of a composition beyond its JSON Schema: names, dependencies, cycles, and numbers out of range."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

from orchctl.composition.order import cyclic, dependencies_of, doubled, name_of, order_of
from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.types import Composition
from orchd.dag import cycle_in

CONDITIONS = ("completed", "failed", "any")  # of dependencies elsewhere; a composition has none
_CYCLES = 10  # reported at most: each takes a walk through the whole
_LONGEST_NAME = 200  # bytes: the names of a member's files are longer, and no file's may have more than 255
_NEAREST = 20  # unknown names that a nearest one is looked for: each is compared with all


def problems(composition: Composition) -> list[Problem]:
    """Return every problem that keeps `composition` from being run, in the order of the file."""
    return [problem for check in _CHECKS for problem in check(composition)]


def warnings(composition: Composition, limit: int) -> list[Problem]:
    """Return the settings that are valid but have no effect with `limit` slots."""
    ineffective: list[Problem] = []
    most = composition.max_parallel
    if most is not None and most > limit:
        message = f"maxParallel is {most}, but there are only {limit} slots"
        way_out = "the limit applies; no change is needed"
        ineffective.append(Problem("above-limit", "$.maxParallel", most, message, way_out))
    strategy = composition.coordination_strategy
    if strategy.max_retries and strategy.error_handling != "retry":
        path, message = "$.coordinationStrategy.maxRetries", f"{strategy.error_handling} does not retry"
        way_out = "set `errorHandling` to retry, or remove `maxRetries`"
        ineffective.append(Problem("unused-retries", path, strategy.max_retries, message, way_out))
    return [*ineffective, *behind_optional(composition)]


def _names(composition: Composition) -> Iterator[Problem]:
    """Check the names of the composition and of its sub-skills."""
    yield from _name("$.name", composition.name)
    seen: set[str] = set()
    for index, sub_skill in enumerate(composition.sub_skills):
        yield from _name(f"$.subSkills[{index}].skillName", sub_skill.skill_name)
        yield from _name(f"$.subSkills[{index}].id", sub_skill.id or "")
        if name_of(sub_skill) in seen:
            yield doubled(name_of(sub_skill), index)
        seen.add(name_of(sub_skill))
    if not composition.sub_skills:
        yield Problem("no-sub-skills", "$.subSkills", [], "there are no sub-skills", "add at least one")


def _name(path: str, name: str) -> Iterator[Problem]:
    """Check a name, which becomes part of file names and of paths of members."""
    if "/" in name or "\0" in name or name in (".", "..") or name.endswith(".prompt"):
        way_out = (
            "choose another name: result files have this name, so not `.` or `..`, no `/`, and no `.prompt` at its end"
        )
        yield Problem("bad-name", path, name, f"{name!r} is not a valid name", way_out)
    elif (length := len(name.encode(errors="surrogatepass"))) > _LONGEST_NAME:
        way_out = f"use {_LONGEST_NAME} or fewer: result files have this name"
        yield Problem("too-long", path, name, f"{path.rpartition('.')[2]} has {length} bytes", way_out)


def _dependencies(composition: Composition) -> Iterator[Problem]:
    """Check that each dependency is another sub-skill, and suggest a similar name for an unknown one."""
    names = [name_of(sub_skill) for sub_skill in composition.sub_skills]
    known = set(names)
    near = _NEAREST
    unknown = "name one of the sub-skills, by its `id` if it has one"
    for index, sub_skill in enumerate(composition.sub_skills):
        for position, dependency in enumerate(sub_skill.dependencies):
            path = f"$.subSkills[{index}].dependencies[{position}]"
            if dependency == name_of(sub_skill):
                yield Problem("self-dependency", path, dependency, f"{dependency!r} depends on itself", "remove it")
            elif dependency not in known and "" not in known:  # an empty name may be the one that is meant
                nearest = get_close_matches(dependency, names, 1) if near > 0 else []
                near -= 1
                way_out = f"did you mean {nearest[0]!r}?" if nearest else unknown
                if dependency.rpartition(":")[2] in CONDITIONS:
                    way_out = (
                        f"dependencies of compositions have no conditions: only `spawn --after` and task "
                        f"files have them; {way_out}"
                    )
                yield Problem("unknown-dependency", path, dependency, f"{dependency!r} is not a sub-skill", way_out)


def _cycles(composition: Composition) -> Iterator[Problem]:
    """Yield cycles that share no sub-skill: of two crossing cycles, the second is reported once the first is fixed."""
    graph = dependencies_of(composition.sub_skills)
    indexes = {name: index for index, name in enumerate(graph)}
    graph = {name: [other for other in after if other in graph and other != name] for name, after in graph.items()}
    for _ in range(_CYCLES):
        cycle = cycle_in(graph)
        if cycle is None:
            return
        yield cyclic(cycle, f"$.subSkills[{indexes[cycle[0]]}].dependencies")
        gone = set(cycle)
        graph = {
            name: [other for other in after if other not in gone] for name, after in graph.items() if name not in gone
        }


def _settings(composition: Composition) -> Iterator[Problem]:
    """Check the mode, the numbers and the commands."""
    if composition.execution_mode == "parallel":
        for index, sub_skill in enumerate(composition.sub_skills):
            if sub_skill.dependencies:
                yield Problem(
                    "parallel-dependencies",
                    f"$.subSkills[{index}].dependencies",
                    list(sub_skill.dependencies),
                    f"{name_of(sub_skill)!r} has dependencies, but in parallel mode all start at once",
                    "set `executionMode` to hybrid",
                )
    yield from _at_least(1, "$.maxParallel", composition.max_parallel)
    yield from _at_least(0, "$.coordinationStrategy.maxRetries", composition.coordination_strategy.max_retries)
    for index, sub_skill in enumerate(composition.sub_skills):
        yield from _at_least(0, f"$.subSkills[{index}].tokenEstimate", sub_skill.token_estimate)
    for index, sub_skill in enumerate(composition.sub_skills):
        if sub_skill.command and not sub_skill.command[0]:
            path, way_out = f"$.subSkills[{index}].command[0]", "write the program's name first"
            yield Problem("no-command", path, "", "the command has no program", way_out)
        if sub_skill.runner == "command" and not sub_skill.command:
            path, way_out = f"$.subSkills[{index}].runner", "give it a `command`, or another runner"
            yield Problem(
                "no-command", path, sub_skill.runner, f"{name_of(sub_skill)!r} has no command to run", way_out
            )


def _at_least(least: int, path: str, value: int | None) -> Iterator[Problem]:
    if value is not None and value < least:
        key = path.rpartition(".")[2]
        yield Problem(
            "too-small", path, value, f"{key} must be {least} or more, not {value}", "correct it, or remove it"
        )


_CHECKS: tuple[Callable[[Composition], Iterable[Problem]], ...] = (_names, _dependencies, _cycles, _settings)


def behind_optional(composition: Composition) -> Iterator[Problem]:
    """Yield required sub-skills that depend on optional ones: an allowed failure then fails the composition."""
    try:
        order = order_of(composition)
    except CompositionError:  # what is wrong with it is one of the problems
        return
    optional = {name_of(sub_skill) for sub_skill in composition.sub_skills if not sub_skill.required}
    for index, sub_skill in enumerate(composition.sub_skills):
        name = name_of(sub_skill)
        for before in order[name]:
            if sub_skill.required and before in optional:
                message = f"{name!r} is required, but its dependency {before!r} is optional"
                way_out = (
                    f"if {before!r} fails, {name!r} is skipped and the composition fails: make {before!r} "
                    f"required; or, to run {name!r} anyway, remove {before!r} from its dependencies"
                )
                yield Problem("required-behind-optional", f"$.subSkills[{index}]", before, message, way_out)
