"""The composition that a word on the command line means: a file, a skill folder, or the name of a skill."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from orchctl.composition import CompositionError, Problem, Task, Tree, at_risk, load_tree
from orchctl.errors import RefusedError, UsageError
from orchctl.skills import find as skills
from orchctl.terminal import console


def located(word: str, directory: Path) -> Path:
    """Its composition.json. Raises UsageError when there is none."""
    path = directory / word
    if path.is_dir() and (path / skills.COMPOSITION).is_file():
        return path / skills.COMPOSITION
    if path.exists() and not path.is_dir():
        return path
    places = skills.places(directory)
    folder = skills.find(word, [place for place in places if (place / word / skills.COMPOSITION).is_file()])
    if folder is None:
        known = ", ".join(dict.fromkeys(skills.names(directory)))
        what = f"{word!r} is no composition: write the path of a composition.json, a folder with one, or one of {known}"
        raise UsageError(what, code="no-composition")
    return folder / skills.COMPOSITION


def opened(word: str, directory: Path) -> Tree:
    """It with all that is nested in it. Raises UsageError, and RefusedError when it cannot be run."""
    try:
        return load_tree(located(word, directory), directory)
    except CompositionError as error:
        raise refused(error, word) from None


def note_risks(tree: Tree) -> list[Problem]:
    """Say on stderr what can make a run of it fail though it is valid, and return that."""
    found = at_risk(tree)
    for problem in found:
        console.note(f"warning: {problem}")
    return found


def refused(error: CompositionError, word: str) -> RefusedError:
    """What to tell somebody who wanted to use a composition that is wrong."""
    first, *others = error.problems
    more = f" ({len(others)} more: see `orchctl validate {word}`)" if others else ""
    details = {"problems": [as_json(problem) for problem in error.problems]}
    return RefusedError(f"{first}{more}", code="bad-composition", details=details)


def as_json(problem: Problem) -> dict[str, object]:
    """A problem as an object."""
    return asdict(problem)


def task_of(args: SimpleNamespace) -> Task:
    """What --task-id, --requirements and --context say."""
    return Task(args.task_id, args.requirements or "", dict(pair.split("=", 1) for pair in args.context))
