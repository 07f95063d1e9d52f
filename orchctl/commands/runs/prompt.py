"""`orchctl prompt`: print a composition as instructions for an LLM that uses its own Task tool. It needs no daemon."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.composition import (
    LIMIT,
    ParallelTaskSpec,
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
    tree, task = opened(args.file, Path.cwd()), task_of(args)
    flat = flatten(tree)
    members = {member.path: member for member in flat.members}
    most = min(LIMIT, tree.composition.max_parallel or LIMIT)
    groups: list[list[ParallelTaskSpec]] = []  # tasks that run at once, at most `most`
    for paths in levels(flat.graph(), flat.joints()):
        specs = [
            task_spec(member.sub_skill, task_prompt(member.sub_skill, task, skill_text=member.text))
            for member in map(members.__getitem__, paths)
        ]
        groups += [specs[start : start + most] for start in range(0, len(specs), most)]
    value = {"groups": [[asdict(task) for task in group] for group in groups]}
    console.result(value, [generate_composition_prompt(groups).rstrip()], as_json=args.json)
    return exit_codes.OK
