"""From an item to its developer."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.composition import guess_tokens
from orchctl.errors import UsageError
from orchctl.pm.developer import LABELS, DeveloperOptions, developer, labels_of, skill_of
from orchctl.pm.work_item import WorkItem
from orchctl.skills import find as skills
from orchd.instance.home import Home
from orchd.protocol import schema, specs

ITEM = WorkItem("bd-1", "Sign in", "With e-mail.", "A test passes.", ("urgent", "Backend", "ui"))
PLAIN = DeveloperOptions(directory=Path("/none"), labels=LABELS)


def test_every_skill_of_the_default_labels_is_shipped() -> None:
    for skill in LABELS.values():
        assert skills.find(skill, [skills.SHIPPED]), skill


def test_the_skill_comes_from_the_item_its_labels_or_the_options() -> None:
    assert skill_of(ITEM, PLAIN) == "skyfom-backend-developer"
    assert skill_of(WorkItem("a", "a", skill="mine", labels=("ui",)), PLAIN) == "mine"
    assert skill_of(WorkItem("a", "a", labels=("x",)), PLAIN._replace(skill="other")) == "other"
    assert skill_of(WorkItem("a", "a"), PLAIN) is None


def test_configured_labels_override_the_default_labels(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert labels_of(home) == LABELS
    home.config.write_text('limit = 3\n[pm.labels]\nBackend = "mine"\ninfra = "ops"\n')
    assert labels_of(home) == {**LABELS, "backend": "mine", "infra": "ops"}
    for wrong in ("[pm.labels]\nx = 1", "[pm]\nlabel = {}", "pm = 3", "[pm", "x = " + "[" * 5000):
        home.config.write_text(wrong)
        with pytest.raises(UsageError) as caught:
            labels_of(home)
        assert (caught.value.code, str(home.config) in caught.value.message) == ("bad-config", True)


def test_the_daemon_accepts_the_agent_of_a_developer() -> None:
    options = PLAIN._replace(runner="mock", model="opus", timeout=60.0, retries=1)
    agent = developer(ITEM, "bd-1", options, prompt=Path("/r/bd-1.prompt.md"), result=Path("/r/bd-1.md"))
    schema.parse(specs.AgentSpec, agent.spec)
    assert agent.spec == {
        "name": "bd-1",
        "goal": "Sign in",
        "skill": "skyfom-backend-developer",
        "task_id": "bd-1",
        "runner": "mock",
        "model": "opus",
        "timeout": 60.0,
        "retries": 1,
        "stdin": "/r/bd-1.prompt.md",
        "result": "/r/bd-1.md",
        "tokens": guess_tokens(len(agent.prompt)),
    }
    long = developer(WorkItem("a", "x" * 9000), "a", PLAIN, prompt=Path("/p"), result=Path("/r"))
    schema.parse(specs.AgentSpec, long.spec)
    assert "x" * 9000 in long.prompt


def test_the_prompt_contains_the_skill_the_task_and_the_result_path() -> None:
    agent = developer(ITEM, "bd-1", PLAIN, prompt=Path("/p"), result=Path("/r/bd-1.md"))
    folder = skills.find("skyfom-backend-developer", [skills.SHIPPED])
    assert folder is not None
    for text in (skills.text_of(folder).strip(), "bd-1", "Sign in", "With e-mail.", "A test passes.", "/r/bd-1.md"):
        assert text in agent.prompt
    assert "worktree" not in agent.prompt
    tree = developer(ITEM, "bd 1", PLAIN._replace(worktree=True), prompt=Path("/p"), result=Path("/r"))
    assert tree.spec["worktree"] is True
    assert "git worktree on the branch orchd/bd-1" in tree.prompt


def test_a_composition_skill_becomes_an_orchctl_run_with_nesting() -> None:
    item = WorkItem("bd-1", "Sign in", labels=("fullstack",))
    agent = developer(item, "bd-1", PLAIN._replace(runner="mock"), prompt=Path("/p"), result=Path("/r"))
    folder = str(skills.SHIPPED / "skyfom-fullstack-developer")
    expected = ["orchctl", "run", "--runner", "mock", "--task-id", "bd-1", "--requirements", "Sign in", "--", folder]
    assert (agent.spec["command"], agent.spec["nesting"]) == (expected, 1)
    assert "runner" not in agent.spec
    schema.parse(specs.AgentSpec, agent.spec)
