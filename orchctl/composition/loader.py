"""Compositions read from files, with all that is nested in them, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.composition import json_reader, objects, schema
from orchctl.composition.checks import behind_optional, problems, warnings
from orchctl.composition.flatten import Tree, flatten
from orchctl.composition.order import name_of
from orchctl.composition.order import plan_execution_order as order_of_groups
from orchctl.composition.parse import composition_from
from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.types import Composition, SubSkill
from orchctl.skills import find as skills
from orchd.dag import cycle_in, topological
from orchd.protocol.durations import duration

LIMIT = 7  # of a machine whose daemon nobody asked


class Validation(NamedTuple):
    """What came of checking a composition. It is valid when there are no errors; warnings do not count."""

    valid: bool
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _File:
    """One composition.json and what it leads to."""

    path: Path
    composition: Composition | None = None
    nested: dict[str, Path] = field(default_factory=dict)  # by the names of sub-skills
    texts: dict[str, str] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def load(path: Path | str) -> Composition:
    """The composition in a file or a skill folder. Raises CompositionError with every problem there is."""
    return load_tree(path).composition


def load_tree(path: Path | str, directory: Path | None = None) -> Tree:
    """The composition with all that is nested in it. Skills are looked for around it and in `directory`, or here."""
    files = _read_all(_file(path), directory or Path.cwd(), LIMIT)
    errors = _errors(files)
    if errors:
        raise CompositionError(errors)
    return _tree(files)


def validate_skill_composition(
    composition: Composition | Mapping[str, Any] | Path | str, *, limit: int = LIMIT, directory: Path | None = None
) -> Validation:
    """Everything that is wrong: in a file with all that is nested in it, in a JSON value, or in a Composition.

    A value and a Composition are refused for what a file is refused for. Any other object is invalid too; nothing
    is raised. `limit` is how many agents may work at once on the machine; what asks for more is a warning.
    """
    if not isinstance(composition, (str, Path)):
        made = _checked_object(composition, limit)
        errors, warned = made.errors, made.warnings
    else:
        files = _read_all(_file(composition), directory or Path.cwd(), limit)
        errors, warned = _errors(files), [problem for file in files.values() for problem in file.warnings]
    return Validation(not errors, tuple(errors), tuple(warned))


def plan_execution_order(sub_skills: Sequence[SubSkill]) -> list[list[SubSkill]]:
    """Groups that run one after the other, the sub-skills of each at once; everyone as early as dependencies allow.

    `[[backend], [frontend, mobile], [tests]]`; none makes no group. Raises CompositionError for what a file with these
    sub-skills is refused for: wrong types, empty names and names that are there twice, dependencies that are not
    there, and cycles, whose path it has.
    """
    if isinstance(sub_skills, (list, tuple)) and not sub_skills:
        return []
    errors = _checked_object(Composition("composition", "hybrid", sub_skills), LIMIT).errors  # type: ignore[arg-type]
    if errors:
        raise CompositionError(errors)
    return order_of_groups(sub_skills)


def at_risk(tree: Tree) -> list[Problem]:
    """The warnings of what can make a composition fail that is valid, here and in all that is nested in it."""
    found: dict[tuple[str, str], Problem] = {}
    pending = [tree]
    while pending:
        one = pending.pop()
        for problem in behind_optional(one.composition):
            where = one.origin if one is not tree else ""
            found.setdefault((one.origin, problem.path), replace(problem, file=where))
        pending += one.nested.values()
    return list(found.values())


def _file(path: Path | str) -> Path:
    path = Path(path)
    return path / skills.COMPOSITION if path.is_dir() else path


def _read_all(first: Path, directory: Path, limit: int) -> dict[str, _File]:
    """The file and every file that is nested in it, by their real paths."""
    files: dict[str, _File] = {}
    pending = [first]
    while pending:
        path = pending.pop()
        key = str(path.resolve())
        if key not in files:
            files[key] = _read(path, directory, limit)
            pending += files[key].nested.values()
    if len(files) > 1:
        for file in files.values():
            place = _place(file.path, directory)
            file.errors = [replace(problem, file=place) for problem in file.errors]
            file.warnings = [replace(problem, file=place) for problem in file.warnings]
    return files


def _place(path: Path, directory: Path) -> str:
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)


def _read(path: Path, directory: Path, limit: int) -> _File:
    try:
        value = json_reader.read(path)
    except CompositionError as error:
        return _File(path, errors=list(error.problems))
    file = _checked(value, limit)
    file.path = path
    if file.composition is not None:
        places = skills.places(directory, path.absolute())
        for index, one in enumerate(file.composition.sub_skills):
            _look(file, index, one, skills.find(one.skill_name, places))
    return file


def _checked_object(given: object, limit: int) -> _File:
    """As `_checked`, of what Python can make besides: other types, other keys, values that hold themselves."""
    found, value = objects.plain(given)
    return _File(Path(), errors=found) if found else _checked(value, limit)


def _checked(value: Any, limit: int) -> _File:
    found, left = schema.checked(value)
    wrong = {problem.path for problem in found}
    found += json_reader.halves(value)
    found += [problem for problem in json_reader.unusable(value) if problem.path not in wrong]
    if left is None:
        return _File(Path(), errors=found)
    composition = composition_from(left)
    told = {problem.path for problem in found}
    more = [problem for problem in [*problems(composition), *_timeouts(composition)] if problem.path not in told]
    return _File(Path(), composition, errors=[*found, *more], warnings=warnings(composition, limit))


def _timeouts(composition: Composition) -> Iterator[Problem]:
    """Durations that have the right form and are beyond all numbers, or so short that they are none."""
    for index, one in enumerate(composition.sub_skills):
        try:
            is_usable = one.timeout is None or duration(one.timeout) > 0
        except (ValueError, OverflowError):
            is_usable = False
        if not is_usable:
            path, way_out = f"$.subSkills[{index}].timeout", "write seconds or a unit, as in 90, 90s, 15m, 2h"
            yield Problem("bad-value", path, one.timeout, "timeout is not a duration that can be waited for", way_out)


def _look(file: _File, index: int, one: SubSkill, folder: Path | None) -> None:
    """See what a sub-skill's folder has for it."""
    if folder is not None and not one.command and (folder / skills.COMPOSITION).is_file():
        file.nested[name_of(one)] = folder / skills.COMPOSITION
    elif folder is not None:
        file.texts[name_of(one)] = skills.text_of(folder)
    elif one.skill_name and not (one.command or one.prompt or one.role):
        way_out = f"make the folder {one.skill_name}/ with a SKILL.md beside the composition's, or write a `prompt`"
        message = f"no skill {one.skill_name!r} is found: it will be told nothing but the task"
        path = f"$.subSkills[{index}].skillName"
        file.warnings.append(Problem("unknown-skill", path, one.skill_name, message, way_out))


def _errors(files: Mapping[str, _File]) -> list[Problem]:
    """Of all files; a cycle through them, and too many members, when they are right each for itself."""
    found = [problem for file in files.values() for problem in file.errors]
    found += _file_cycle(files)
    if not found:
        try:
            flatten(_tree(files))
        except CompositionError as error:
            found += error.problems
    return found


def _graph(files: Mapping[str, _File]) -> dict[str, list[str]]:
    return {key: list({str(path.resolve()) for path in file.nested.values()}) for key, file in files.items()}


def _file_cycle(files: Mapping[str, _File]) -> Iterator[Problem]:
    cycle = cycle_in(_graph(files))
    if cycle is not None:
        shown = " -> ".join(str(files[key].path) for key in cycle)
        way_out = "take one of these sub-skills away, or give it a `command`"
        yield Problem("file-cycle", "$", cycle, f"compositions that contain each other: {shown}", way_out)


def _tree(files: Mapping[str, _File]) -> Tree:
    """The first file's; each file becomes one tree, however often it is nested."""
    trees: dict[str, Tree] = {}
    for key in topological(_graph(files)):
        file = files[key]
        if file.composition is None:
            raise CompositionError(file.errors)
        nested = {name: trees[str(path.resolve())] for name, path in file.nested.items()}
        trees[key] = Tree(file.composition, nested, file.texts, str(file.path))
    return trees[next(iter(files))]
