"""The prompt of the agent of a task."""

from __future__ import annotations

from pathlib import Path

from orchctl.tasks.prompts import prompt, skeleton
from orchctl.tasks.task_file import TaskFile


def test_a_prompt_contains_skill_goal_text_inputs_and_result_path() -> None:
    task = TaskFile(Path("subtask-api.md"), "api", "Sign in", body="With e-mail.")
    text = prompt(task, skill_text="# Backend\n", inputs=["/r/schema.md", "/r/ui.md"], result="/r/api.md")
    places = [
        text.index(part)
        for part in ("# Backend", "Sign in", "With e-mail.", "- /r/schema.md", "- /r/ui.md", "    /r/api.md")
    ]
    assert places == sorted(places)


def test_missing_parts_are_left_out_and_the_goal_is_not_repeated() -> None:
    task = TaskFile(Path("subtask-api.md"), "api", "Sign in", body="# api\n\nSign in")
    text = prompt(task, skill_text="", inputs=[], result="/r/api.md")
    assert text.startswith("# api\n\nSign in\n\n## Where your result goes\n")
    assert "Read first" not in text


def test_a_new_task_contains_its_goal_its_boundaries_and_its_result_path() -> None:
    text = skeleton("api", "Sign in", "docs/tasks/results/api.md")
    assert text.startswith("# api\n\nSign in\n\n## Boundaries\n")
    assert "docs/tasks/results/api.md" in text
