"""Finds the composition that a command-line argument names: a file, a skill folder, or the name of a skill."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from orchctl.composition import CompositionError, Problem, Task, Tree, at_risk, load_tree
from orchctl.errors import RefusedError, UsageError
from orchctl.skills import find as skills
from orchctl.terminal import console


def located(word: str, directory: Path) -> Path:
    """Return the composition.json that `word` names. Raises UsageError when there is none."""
    path = directory / word
    if path.is_dir() and (path / skills.COMPOSITION).is_file():
        return path / skills.COMPOSITION
    if path.exists() and not path.is_dir():
        return path
    parents = [parent for parent in skills.places(directory) if (parent / word / skills.COMPOSITION).is_file()]
    folder = skills.find(word, parents)
    if folder is None:
        known = ", ".join(dict.fromkeys(skills.names(directory)))
        what = f"unknown composition {word!r}: give a composition.json, a folder that contains one, or one of {known}"
        raise UsageError(what, code="no-composition")
    return folder / skills.COMPOSITION


def opened(word: str, directory: Path) -> Tree:
    """Load the composition that `word` names, with all nested ones. Raises UsageError, or RefusedError if invalid."""
    try:
        return load_tree(located(word, directory), directory)
    except CompositionError as error:
        raise refused(error, word) from None


def note_risks(tree: Tree) -> list[Problem]:
    """Warn on stderr about causes that can make a run of a valid composition fail. Returns the warnings."""
    risks = at_risk(tree)
    for problem in risks:
        console.warn(f"warning: {problem}")
    return risks


def refused(error: CompositionError, word: str) -> RefusedError:
    """Return the error for a command that was given an invalid composition."""
    first, *others = error.problems
    more = f" ({len(others)} more: see `orchctl validate {word}`)" if others else ""
    details = {"problems": [as_json(problem) for problem in error.problems]}
    return RefusedError(f"{first}{more}", code="bad-composition", details=details)


def as_json(problem: Problem) -> dict[str, object]:
    """Return a problem as a JSON object."""
    return asdict(problem)


def task_of(args: SimpleNamespace) -> Task:
    """Return the task in the options --task-id, --requirements and --context."""
    return Task(args.task_id, args.requirements or "", dict(pair.split("=", 1) for pair in args.context))
