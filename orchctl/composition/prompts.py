"""Renders the prompts of sub-skills, and instructions for an LLM that spawns them with its own Task tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchctl.composition import sections
from orchctl.composition.order import name_of
from orchctl.composition.types import SubSkill


@dataclass(frozen=True, slots=True)
class ParallelTaskSpec:
    """A call of the Task tool, with its own parameter names."""

    subagent_type: str
    description: str
    prompt: str
    model: str | None = None
    run_in_background: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    """The task that all members of a composition work on."""

    task_id: str | None = None
    requirements: str = ""
    shared_context: Mapping[str, object] = field(default_factory=dict)


def task_prompt(
    sub_skill: SubSkill,
    task: Task,
    *,
    skill_text: str = "",
    around: Sequence[str] = (),
    inputs: Sequence[str] = (),
    result: str = "",
) -> str:
    """Return the whole prompt of a sub-skill. Empty parts are left out.

    `skill_text` is its SKILL.md, `around` the purposes of the compositions around it, from the outside in, `inputs` the
    paths of the results of its dependencies, and `result` the path that it must write to.
    """
    context = [f"- {key}: {value}" for key, value in task.shared_context.items()]
    parts = [
        ("", skill_text.strip()),
        ("Your role", sub_skill.role or f"{name_of(sub_skill)}, working with the skill {sub_skill.skill_name}"),
        ("Part of", "\n".join(f"- {purpose}" for purpose in around if purpose)),
        ("Task", task.task_id or ""),
        ("Requirements", task.requirements.strip()),
        ("Shared context", "\n".join(context)),
        ("Your task", sub_skill.prompt.strip()),
        ("Read first", sections.to_read(inputs)),
        ("Your result", sections.to_write(result)),
    ]
    return sections.joined(parts)


def generate_parallel_task_specs(
    sub_skills: Sequence[SubSkill],
    *,
    task_id: str | None = None,
    requirements: str = "",
    shared_context: Mapping[str, object] | None = None,
    skill_texts: Mapping[str, str] | None = None,
) -> list[ParallelTaskSpec]:
    """Return a Task call for each sub-skill. `skill_texts` are the SKILL.md texts by the names of sub-skills."""
    task = Task(task_id, requirements, shared_context or {})
    known = skill_texts or {}
    return [
        task_spec(sub_skill, task_prompt(sub_skill, task, skill_text=known.get(name_of(sub_skill), "")))
        for sub_skill in sub_skills
    ]


def task_spec(sub_skill: SubSkill, prompt: str) -> ParallelTaskSpec:
    """Return the Task call that gives `prompt` to a sub-skill."""
    return ParallelTaskSpec("general-purpose", sub_skill.role or name_of(sub_skill), prompt, sub_skill.model)


def generate_parallel_spawn_prompt(tasks: Sequence[ParallelTaskSpec]) -> str:
    """Return instructions to spawn all `tasks` at once; empty without tasks."""
    if not tasks:
        return ""
    head = "Spawn the agent below with one Task call. Give it exactly the values shown."
    if len(tasks) > 1:
        head = (
            f"Spawn ALL {len(tasks)} agents below in ONE message with {len(tasks)} Task calls. Calls in separate "
            "messages run one after the other; calls in the same message run at once. "
            "Give every call exactly the values shown."
        )
    calls = []
    for number, task in enumerate(tasks, 1):
        fence = "```"  # must not occur in the prompt
        while fence in task.prompt:
            fence += "`"
        model = f"\n- model: {task.model}" if task.model else ""
        calls.append(
            f"### Task call {number} of {len(tasks)}\n\n"
            f"- subagent_type: {task.subagent_type}\n- description: {task.description}{model}\n"
            f"- run_in_background: {str(task.run_in_background).lower()}\n- prompt:\n\n"
            f"{fence}text\n{task.prompt.rstrip()}\n{fence}"
        )
    return "\n\n".join([head, *calls]) + "\n"


def generate_composition_prompt(groups: Sequence[Sequence[ParallelTaskSpec]]) -> str:
    """Return instructions for a composition: a message per group, sent when the group before has completed."""
    if len(groups) == 1:
        return generate_parallel_spawn_prompt(groups[0])
    head = (
        f"There are {len(groups)} groups of agents. Spawn each group in a message of its own, and the next group only "
        "when every agent of the previous group has completed."
    )
    texts = (
        f"## Group {number} of {len(groups)}\n\n{generate_parallel_spawn_prompt(group)}"
        for number, group in enumerate(groups, 1)
    )
    return "\n".join([f"{head}\n", *texts])
