"""The prompts of agents."""

from __future__ import annotations

from orchctl.composition import (
    ParallelTaskSpec,
    SubSkill,
    Task,
    generate_composition_prompt,
    generate_parallel_spawn_prompt,
    generate_parallel_task_specs,
    task_prompt,
)

API = SubSkill("backend", role="Builds the API", prompt="Use FastAPI.", model="opus")
TASK = Task("bd-123", "Login with e-mail", {"apiVersion": "v2", "port": 80})

ALL = """\
# Backend

Write tests.

## Your role

Builds the API

## Part of

- Ships a feature
- and mends it

## Task

bd-123

## Requirements

Login with e-mail

## Shared context

- apiVersion: v2
- port: 80

## Your task

Use FastAPI.

## Read first

The results of your dependencies:

- /r/design.md
- /r/names.md

## Your result

When you are done, write what you did and what other agents need to know to the file

    /r/backend.md

Other agents read it instead of your output. End with a failure if you could not do the task.
"""
SPAWN = """\
Spawn ALL 2 agents below in ONE message with 2 Task calls. Calls in separate messages run one after the other; \
calls in the same message run at once. Give every call exactly the values shown.

### Task call 1 of 2

- subagent_type: general-purpose
- description: API
- model: opus
- run_in_background: true
- prompt:

````text
Do it:
```
code
```
````

### Task call 2 of 2

- subagent_type: general-purpose
- description: UI
- run_in_background: false
- prompt:

```text
  Do that
```
"""


def test_a_prompt_has_all_sections_in_order() -> None:
    text = task_prompt(
        API,
        TASK,
        skill_text="# Backend\n\nWrite tests.\n",
        around=["Ships a feature", "", "and mends it"],
        inputs=["/r/design.md", "/r/names.md"],
        result="/r/backend.md",
    )
    assert text == ALL


def test_empty_sections_are_left_out() -> None:
    assert task_prompt(SubSkill("qa", id="unit"), Task()) == "## Your role\n\nunit, working with the skill qa\n"


def test_each_sub_skill_is_one_background_task() -> None:
    specs = generate_parallel_task_specs(
        [API, SubSkill("qa")],
        task_id="bd-123",
        requirements="Login",
        shared_context={"apiVersion": "v2"},
        skill_texts={"qa": "# QA"},
    )
    assert [(spec.subagent_type, spec.description, spec.model, spec.run_in_background) for spec in specs] == [
        ("general-purpose", "Builds the API", "opus", True),
        ("general-purpose", "qa", None, True),
    ]
    assert all("bd-123" in spec.prompt and "Login" in spec.prompt and "apiVersion: v2" in spec.prompt for spec in specs)
    assert specs[0].prompt.startswith("## Your role")
    assert specs[1].prompt.startswith("# QA")
    assert "Requirements" not in generate_parallel_task_specs([API])[0].prompt


def test_all_tasks_are_to_be_spawned_in_one_message() -> None:
    tasks = [
        ParallelTaskSpec("general-purpose", "API", "Do it:\n```\ncode\n```", "opus"),
        ParallelTaskSpec("general-purpose", "UI", "  Do that\n", run_in_background=False),
    ]
    assert generate_parallel_spawn_prompt(tasks) == SPAWN


def test_one_task_is_one_call_and_no_tasks_give_an_empty_prompt() -> None:
    task = ParallelTaskSpec("general-purpose", "API", "Do it")
    assert generate_parallel_spawn_prompt([task]).startswith("Spawn the agent below with one Task call.")
    assert generate_parallel_spawn_prompt([]) == ""


def test_each_group_is_spawned_in_its_own_message_in_order() -> None:
    task = ParallelTaskSpec("general-purpose", "API", "Do it")
    assert generate_composition_prompt([[task]]) == generate_parallel_spawn_prompt([task])
    first, second = generate_parallel_spawn_prompt([task]), generate_parallel_spawn_prompt([task, task])
    assert generate_composition_prompt([[task], [task, task]]) == (
        "There are 2 groups of agents. Spawn each group in a message of its own, and the next group only when every "
        f"agent of the previous group has completed.\n\n## Group 1 of 2\n\n{first}\n## Group 2 of 2\n\n{second}"
    )
