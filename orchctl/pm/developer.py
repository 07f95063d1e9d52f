"""Builds the developer of a work item: the skill, the prompt, and the agent to spawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchctl.composition import SubSkill, Task, guess_tokens, task_prompt
from orchctl.errors import UsageError
from orchctl.pm.work_item import WorkItem
from orchctl.skills import find as skills
from orchd.instance import config as settings
from orchd.instance.home import Home
from orchd.instance.system import open_file, os_errors
from orchd.protocol import bounds, branches, schema

# The skill for a label, unless `[pm.labels]` of config.toml overrides it.
LABELS = {
    "api": "skyfom-backend-developer",
    "backend": "skyfom-backend-developer",
    "database": "skyfom-backend-developer",
    "server": "skyfom-backend-developer",
    "frontend": "skyfom-frontend-developer",
    "ui": "skyfom-frontend-developer",
    "web": "skyfom-frontend-developer",
    "android": "skyfom-mobile-developer",
    "ios": "skyfom-mobile-developer",
    "mobile": "skyfom-mobile-developer",
    "fullstack": "skyfom-fullstack-developer",
    "qa": "skyfom-qa-engineer",
    "test": "skyfom-qa-engineer",
    "tests": "skyfom-qa-engineer",
    "review": "skyfom-code-reviewer",
    "design": "skyfom-designer",
}
_ARGUMENT = 100_000  # characters of one argument: the kernel refuses a program that gets more than 128 kB in one
_ROLE = "A developer. Other agents work on other tasks at the same time: do this task, and nothing else."


class DeveloperOptions(NamedTuple):
    """Options of all developers of a pm."""

    directory: Path
    labels: Mapping[str, str]
    skill: str | None = None
    runner: str | None = None
    model: str | None = None
    worktree: bool = False
    timeout: float | None = None
    retries: int | None = None


class Developer(NamedTuple):
    """An agent to spawn, and the text for its standard input."""

    spec: dict[str, Any]
    prompt: str


def labels_of(home: Home) -> dict[str, str]:
    """Return the skill of each label in lower case, config.toml before the built-in skills. Raises UsageError."""
    import tomllib

    try:
        value = tomllib.loads(open_file.read_file(home.config, follow=True).decode()).get("pm", {})
        own = schema.parse(settings.ProjectManagement, value, "pm").labels
    except FileNotFoundError:
        own = {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{home.config}: {os_errors.summary(error)}", code="bad-config") from None
    return {**LABELS, **{label.lower(): skill for label, skill in own.items()}}


def skill_of(item: WorkItem, wishes: DeveloperOptions) -> str | None:
    """Return the skill of an item: its own, that of its first label with a skill, or the default."""
    of_labels = (wishes.labels.get(label.lower()) for label in item.labels)
    return item.skill or next((skill for skill in of_labels if skill), wishes.skill)


def name_of(task: str) -> str:
    """Return the agent name for a task. A plain number would be an agent id."""
    return f"task-{task}" if task.isdecimal() else task


def developer(item: WorkItem, name: str, wishes: DeveloperOptions, *, prompt: Path, result: Path) -> Developer:
    """Return the developer `name` of an item, whose prompt will be in the file `prompt`."""
    skill = skill_of(item, wishes)
    folder = skills.find(skill, skills.places(wishes.directory)) if skill else None
    spec: dict[str, Any] = {
        "name": name,
        "goal": item.title[: bounds.LONGEST_GOAL],
        "skill": skill,
        "task_id": item.id,
        "worktree": wishes.worktree,
        "timeout": wishes.timeout,
        "retries": wishes.retries,
        "stdin": str(prompt),
        "result": str(result),
    }
    instructions = (
        f"You work in a git worktree on the branch {branches.branch_of(name)}. Commit your work there: uncommitted "
        "work is lost. Do not merge it, and do not change other checkouts."
    )
    full_prompt = task_prompt(
        SubSkill(skill or "developer", role=_ROLE, prompt=instructions if wishes.worktree else ""),
        Task(item.id, _task_text(item)),
        skill_text=skills.text_of(folder) if folder is not None else "",
        result=str(result),
    )
    if folder is not None and (folder / skills.COMPOSITION).is_file():
        # a whole composition: its members become children of the developer
        options = ["--runner", wishes.runner] if wishes.runner else []
        options += ["--task-id", item.id, "--requirements", _task_text(item)[:_ARGUMENT]]
        spec.update(command=["orchctl", "run", *options, "--", str(folder)], nesting=1)
    else:
        spec.update(runner=wishes.runner, model=wishes.model, tokens=guess_tokens(len(full_prompt)))
    return Developer({key: value for key, value in spec.items() if value not in (None, False)}, full_prompt)


def _task_text(item: WorkItem) -> str:
    criteria = f"Acceptance criteria:\n\n{item.acceptance}" if item.acceptance else ""
    return "\n\n".join(part for part in (item.title, item.description, criteria) if part)
