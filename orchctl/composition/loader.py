"""Loads compositions from files with all nested compositions, and checks the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

LIMIT = 7  # assumed when no daemon gave its limit


class Validation(NamedTuple):
    """The outcome of checking a composition. It is valid when there are no errors; warnings do not count."""

    valid: bool
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _CompositionFile:
    """A composition.json with the skills that it refers to."""

    path: Path
    composition: Composition | None = None
    nested: dict[str, Path] = field(default_factory=dict)  # by the names of sub-skills
    texts: dict[str, str] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def load(path: Path | str) -> Composition:
    """Load the composition in a file or a skill folder. Raises CompositionError with every problem."""
    return load_tree(path).composition


def load_tree(path: Path | str, directory: Path | None = None) -> Tree:
    """Load a composition and all nested ones. Skills are searched around it and in `directory`, by default the cwd."""
    files = _read_all(_file(path), directory or Path.cwd(), LIMIT)
    errors = _errors(files)
    if errors:
        raise CompositionError(errors)
    return _tree(files)


def validate_skill_composition(
    composition: Composition | Mapping[str, Any] | Path | str, *, limit: int = LIMIT, directory: Path | None = None
) -> Validation:
    """Return every problem of a file with all nested compositions, of a JSON value, or of a Composition.

    The same checks apply to a value and a Composition as to a file. Any other object is invalid too; nothing is raised.
    `limit` is the number of slots of the machine; a composition that asks for more gets a warning.
    """
    if not isinstance(composition, (str, Path)):
        checked = _checked_object(composition, limit)
        errors, warned = checked.errors, checked.warnings
    else:
        files = _read_all(_file(composition), directory or Path.cwd(), limit)
        errors, warned = _errors(files), [problem for file in files.values() for problem in file.warnings]
    return Validation(not errors, tuple(errors), tuple(warned))


def plan_execution_order(sub_skills: Sequence[SubSkill]) -> list[list[SubSkill]]:
    """Return groups that run one after the other, each sub-skill as early as its dependencies allow.

    `[[backend], [frontend, mobile], [tests]]`; without sub-skills there is no group. Raises CompositionError for every
    problem that a file with these sub-skills would have: wrong types, empty and duplicate names, unknown dependencies,
    and cycles with their path.
    """
    if isinstance(sub_skills, (list, tuple)) and not sub_skills:
        return []
    errors = _checked_object(Composition("composition", "hybrid", sub_skills), LIMIT).errors  # type: ignore[arg-type]
    if errors:
        raise CompositionError(errors)
    return order_of_groups(sub_skills)


def at_risk(tree: Tree) -> list[Problem]:
    """Return warnings about causes that can make a valid composition fail, in the whole tree."""
    risks: dict[tuple[str, str], Problem] = {}
    pending = [tree]
    while pending:
        subtree = pending.pop()
        for problem in behind_optional(subtree.composition):
            file = subtree.origin if subtree is not tree else ""
            risks.setdefault((subtree.origin, problem.path), replace(problem, file=file))
        pending += subtree.nested.values()
    return list(risks.values())


def _file(path: Path | str) -> Path:
    path = Path(path)
    return path / skills.COMPOSITION if path.is_dir() else path


def _read_all(first: Path, directory: Path, limit: int) -> dict[str, _CompositionFile]:
    """Read a file and every file nested in it, by their real paths."""
    files: dict[str, _CompositionFile] = {}
    pending = [first]
    while pending:
        path = pending.pop()
        key = str(path.resolve())
        if key not in files:
            files[key] = _read(path, directory, limit)
            pending += files[key].nested.values()
    if len(files) > 1:
        for file in files.values():
            name = str(file.path.relative_to(directory) if file.path.is_relative_to(directory) else file.path)
            file.errors = [replace(problem, file=name) for problem in file.errors]
            file.warnings = [replace(problem, file=name) for problem in file.warnings]
    return files


def _read(path: Path, directory: Path, limit: int) -> _CompositionFile:
    """Read and check a file, and find the skills that it refers to."""
    try:
        value = json_reader.read(path)
    except CompositionError as error:
        return _CompositionFile(path, errors=list(error.problems))
    file = _checked(value, limit)
    file.path = path
    if file.composition is not None:
        places = skills.places(directory, path.absolute())
        for index, sub_skill in enumerate(file.composition.sub_skills):
            name, skill = name_of(sub_skill), sub_skill.skill_name
            folder = skills.find(skill, places)
            if folder is not None and not sub_skill.command and (folder / skills.COMPOSITION).is_file():
                file.nested[name] = folder / skills.COMPOSITION
            elif folder is not None:
                file.texts[name] = skills.text_of(folder)
            elif skill and not (sub_skill.command or sub_skill.prompt or sub_skill.role):
                way_out = f"create {skill}/SKILL.md beside the folder of the composition, or add a `prompt`"
                message = f"unknown skill {skill!r}: the prompt of the agent has only the task"
                key = f"$.subSkills[{index}].skillName"
                file.warnings.append(Problem("unknown-skill", key, skill, message, way_out))
    return file


def _checked_object(given: object, limit: int) -> _CompositionFile:
    """Check an object made in Python, which can also contain other types, other keys, and itself."""
    errors, value = objects.plain(given)
    return _CompositionFile(Path(), errors=errors) if errors else _checked(value, limit)


def _checked(value: Any, limit: int) -> _CompositionFile:
    """Return the composition in a JSON value with every problem, each reported once."""
    errors, left = schema.checked(value)
    wrong = {problem.path for problem in errors}
    errors += json_reader.halves(value)
    errors += [problem for problem in json_reader.unusable(value) if problem.path not in wrong]
    if left is None:
        return _CompositionFile(Path(), errors=errors)
    composition = composition_from(left)
    more = problems(composition)
    for index, sub_skill in enumerate(composition.sub_skills):
        # a duration can have the right form and be too large to represent, or be rounded to zero
        try:
            is_usable = sub_skill.timeout is None or duration(sub_skill.timeout) > 0
        except (ValueError, OverflowError):
            is_usable = False
        if not is_usable:
            path, way_out = f"$.subSkills[{index}].timeout", "use seconds or a unit, e.g. 90, 90s, 15m, 2h"
            message = "timeout is out of range"
            more.append(Problem("bad-value", path, sub_skill.timeout, message, way_out))
    reported = {problem.path for problem in errors}
    errors += [problem for problem in more if problem.path not in reported]
    return _CompositionFile(Path(), composition, errors=errors, warnings=warnings(composition, limit))


def _errors(files: Mapping[str, _CompositionFile]) -> list[Problem]:
    """Return the errors of all files and a cycle through them; if there are none, the errors of the whole."""
    errors = [problem for file in files.values() for problem in file.errors]
    cycle = cycle_in(_graph(files))
    if cycle is not None:
        path = " -> ".join(str(files[key].path) for key in cycle)
        way_out = "remove one of these sub-skills, or give it a `command`"
        errors.append(Problem("file-cycle", "$", cycle, f"compositions that contain each other: {path}", way_out))
    if not errors:
        try:
            flatten(_tree(files))
        except CompositionError as error:
            errors += error.problems
    return errors


def _graph(files: Mapping[str, _CompositionFile]) -> dict[str, list[str]]:
    return {key: list({str(path.resolve()) for path in file.nested.values()}) for key, file in files.items()}


def _tree(files: Mapping[str, _CompositionFile]) -> Tree:
    """Return the tree of the first file; each file becomes a single tree, however often it is nested."""
    trees: dict[str, Tree] = {}
    for key in topological(_graph(files)):
        file = files[key]
        if file.composition is None:
            raise CompositionError(file.errors)
        nested = {name: trees[str(path.resolve())] for name, path in file.nested.items()}
        trees[key] = Tree(file.composition, nested, file.texts, str(file.path))
    return trees[next(iter(files))]
