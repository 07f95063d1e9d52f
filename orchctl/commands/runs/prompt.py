"""`orchctl prompt`: a composition as instructions for an LLM that spawns the agents itself. It needs no daemon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.composition import (
    LIMIT,
    ParallelTaskSpec,
    Task,
    Tree,
    flatten,
    generate_composition_prompt,
    levels,
    task_prompt,
    task_spec,
)
from orchctl.runs.locate import opened, task_of
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the instructions, or `{groups: [[task, ...], ...]}` with the values of each Task call."""
    groups = list(_groups(opened(args.file, Path.cwd()), task_of(args)))
    value = {"groups": [[asdict(task) for task in group] for group in groups]}
    console.result(value, [generate_composition_prompt(groups).rstrip()], as_json=args.json)
    return exit_codes.OK


def _groups(tree: Tree, task: Task) -> Iterator[list[ParallelTaskSpec]]:
    """Those that run at once, never more than may."""
    flat = flatten(tree)
    members = {one.path: one for one in flat.members}
    most = min(LIMIT, tree.composition.max_parallel or LIMIT)
    for group in levels(flat.graph(), flat.joints()):
        specs = [
            task_spec(one.sub_skill, task_prompt(one.sub_skill, task, skill_text=one.text))
            for one in map(members.__getitem__, group)
        ]
        yield from (specs[start : start + most] for start in range(0, len(specs), most))
