"""The prompt of an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.orchctl.runners.conftest import Stage


@pytest.fixture
def prompted(stage: Stage) -> Stage:
    """A stage whose agent keeps the prompt that it gets."""
    stage.config.write_text('[runners.mine]\ncommand = ["mine"]\n')
    stage.says("mine")
    return stage


def skill(directory: Path, name: str, text: str) -> None:
    """A skill folder."""
    (directory / name).mkdir(parents=True)
    (directory / name / "SKILL.md").write_text(text)


def test_standard_input_is_the_whole_prompt(prompted: Stage) -> None:
    skill(prompted.directory / "skills", "api", "Never seen.")
    prompted.stdin = b"All of it: \xff\0."
    prompted.run("mine", ORCHD_SKILL="api")
    assert (prompted.directory / "prompt").read_bytes() == b"All of it: \xff\0."


def test_a_prompt_is_built_from_goal_task_skill_and_results(prompted: Stage) -> None:
    skill(prompted.directory / ".claude/skills", "api", "---\nname: api\n---\nBuild carefully.\n")
    prompted.run(
        "mine", ORCHD_SKILL="api", ORCHD_TASK_ID="bd-1", ORCHD_RESULTS='["/a.md", "/b.md"]', ORCHD_RESULT="/tmp/r.md"
    )
    assert prompted.prompt == (
        "Build the API.\n\n## Task\n\nbd-1\n\n## The skill api\n\nBuild carefully.\n\n"
        "## Read first\n\nThe results of your dependencies:\n\n- /a.md\n- /b.md\n\n"
        "## Your result\n\nWhen you are done, write what you did and what other agents need to know to the file\n\n"
        "    /tmp/r.md\n\nOther agents read it instead of your output. "
        "End with a failure if you could not do the task.\n"
    )


def test_unknown_parts_are_left_out_of_the_prompt(prompted: Stage) -> None:
    prompted.run("mine", ORCHD_RESULT="")
    assert prompted.prompt == "Build the API.\n"
    prompted.run("mine", ORCHD_RESULT="", ORCHD_GOAL="", ORCHD_SKILL="skyfom-backend-developer")
    assert prompted.prompt.startswith("Use the skill skyfom-backend-developer.\n\n## The skill skyfom-backend-dev")


def test_an_unavailable_skill_is_noted_in_the_log_without_a_failure(prompted: Stage) -> None:
    result = prompted.run("mine", ORCHD_RESULT="", ORCHD_SKILL="nowhere")
    assert result.code == 0
    assert f"the skill 'nowhere' is not available in {prompted.directory}: the prompt does not have" in result.log
    assert prompted.prompt == "Build the API.\n"
    (prompted.directory / "skills/odd/SKILL.md").mkdir(parents=True)
    (prompted.directory / "skills/odd/composition.json").write_text("{}")
    assert prompted.run("mine", ORCHD_RESULT="", ORCHD_SKILL="odd").code == 0


def test_a_goal_may_have_any_bytes(prompted: Stage) -> None:
    assert prompted.run("mine", ORCHD_RESULT="", ORCHD_GOAL="a\udcffb").code == 0
    assert prompted.prompt == "a?b\n"
