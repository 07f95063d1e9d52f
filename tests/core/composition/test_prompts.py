"""What agents are told."""

from __future__ import annotations

from orchd.core.composition import (
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


def test_a_prompt_says_all_there_is_to_say_in_order() -> None:
    text = task_prompt(
        API,
        TASK,
        skill_text="# Backend\n\nWrite tests.\n",
        around=["Ships a feature", ""],
        inputs=["/r/design.md"],
        result="/r/backend.md",
    )
    wanted = ["# Backend", "Builds the API", "- Ships a feature", "bd-123", "Login with e-mail", "- apiVersion: v2"]
    wanted += ["- port: 80", "Use FastAPI.", "- /r/design.md", "    /r/backend.md"]
    places = [text.index(one) for one in wanted]
    assert places == sorted(places)


def test_what_is_empty_is_left_out() -> None:
    assert task_prompt(SubSkill("qa", id="unit"), Task()) == "## Your role\n\nunit, working with the skill qa\n"


def test_each_sub_skill_is_one_background_task() -> None:
    specs = generate_parallel_task_specs(
        [API, SubSkill("qa")],
        task_id="bd-123",
        requirements="Login",
        shared_context={"apiVersion": "v2"},
        skill_texts={"qa": "# QA"},
    )
    assert [(one.subagent_type, one.description, one.model, one.run_in_background) for one in specs] == [
        ("general-purpose", "Builds the API", "opus", True),
        ("general-purpose", "qa", None, True),
    ]
    assert all("bd-123" in one.prompt and "Login" in one.prompt and "apiVersion: v2" in one.prompt for one in specs)
    assert specs[1].prompt.startswith("# QA")


def test_all_tasks_are_to_be_spawned_in_one_message() -> None:
    tasks = [
        ParallelTaskSpec("general-purpose", "API", "Do it:\n```\ncode\n```", "opus"),
        ParallelTaskSpec("general-purpose", "UI", "Do that", run_in_background=False),
    ]
    text = generate_parallel_spawn_prompt(tasks)
    assert text.startswith("Spawn ALL 2 agents below in ONE message with 2 Task calls.")
    assert "- description: API\n- model: opus\n- run_in_background: true\n- prompt:\n\n````text\nDo it:" in text
    assert "- description: UI\n- run_in_background: false\n- prompt:\n\n```text\nDo that\n```" in text


def test_one_task_is_one_call_and_no_task_is_nothing() -> None:
    task = ParallelTaskSpec("general-purpose", "API", "Do it")
    assert generate_parallel_spawn_prompt([task]).startswith("Spawn the agent below with one Task call.")
    assert generate_parallel_spawn_prompt([]) == ""


def test_groups_are_messages_one_after_the_other() -> None:
    task = ParallelTaskSpec("general-purpose", "API", "Do it")
    assert generate_composition_prompt([[task]]) == generate_parallel_spawn_prompt([task])
    text = generate_composition_prompt([[task], [task, task]])
    assert text.startswith("There are 2 groups of agents.")
    assert text.index("## Group 1 of 2") < text.index("## Group 2 of 2") < text.index("Spawn ALL 2 agents")
