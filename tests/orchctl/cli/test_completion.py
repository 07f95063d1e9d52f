"""Completion of ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.cli import completion
from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import Completion
from orchd.instance.home import Home
from tests.conftest import Instance
from tests.orchctl import repos
from tests.orchctl.composition.files import written
from tests.orchctl.conftest import Orchctl


def test_agent_ids_are_completed_with_their_names(home: Home, stopped: Instance) -> None:
    stopped.spawn("sleep", "60", options=["--name", "api"])
    stopped.spawn("sleep", "60", options=["--name", "ui"])
    assert sorted(completion.agents("agent-")) == [("agent-001", "api, running"), ("agent-002", "ui, running")]
    assert completion.agents("agent-002") == [("agent-002", "ui, running")]


def test_every_completion_kind_has_a_function() -> None:
    assert set(completion.OFFERS) == set(Completion)


def test_dependency_conditions_are_completed_after_an_id() -> None:
    assert [word for word, _ in completion.dependencies("agent-001:")] == [
        "agent-001:completed",
        "agent-001:failed",
        "agent-001:any",
    ]
    assert [word for word, _ in completion.dependencies("agent-001:a")] == ["agent-001:any"]


def test_completion_without_a_daemon_is_empty_and_starts_no_daemon(home: Home) -> None:
    assert completion.agents("") == []
    assert not home.database.exists()


def test_shell_completion_offers_agent_ids(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("sleep", "60")
    for words in ("logs agent", "spawn --after agent"):
        environment = {"_ORCHCTL_COMPLETE": "complete_bash", "COMP_WORDS": f"orchctl {words}"}
        result = orchctl(env={**instance.env, **environment, "COMP_CWORD": str(len(words.split()))})
        assert result.out.split() == [agent_id]


def test_shell_completion_offers_run_ids(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("run", "skyfom-fullstack-developer", "--runner", "mock", "--detach").out == "run-001\n"
    environment = {"_ORCHCTL_COMPLETE": "complete_bash", "COMP_WORDS": "orchctl run-status run", "COMP_CWORD": "2"}
    assert orchctl(env={**instance.env, **environment}).out.split() == ["run-001"]


def test_compositions_are_completed_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "skills/team/composition.json", {})
    written(tmp_path / "sky.json", {})
    written(tmp_path / "notes.txt", "")
    offered = [word for word, _ in completion.compositions("")]
    assert offered == ["team", "skyfom-feature-complete", "skyfom-fullstack-developer", "skills/", "sky.json"]
    assert [word for word, _ in completion.compositions("sky")] == [*offered[1:3], "sky.json"]
    assert completion.compositions("skills/te") == [("skills/team/", "")]
    assert completion.compositions("nowhere/") == []


def test_skills_and_tasks_are_completed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "skills/mine/SKILL.md", "# Mine")
    written(tmp_path / "docs/tasks/subtask-api.md", "Build it")
    assert completion.skills_here("m") == [("mine", "skill")]
    assert completion.tasks("") == [("api", "Build it")]
    assert completion.tasks("x") == []
    monkeypatch.chdir(tmp_path / "skills")
    assert completion.tasks("") == []


def test_worktrees_are_completed_only_for_agents_that_have_one(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    checkout = repos.repository(tmp_path / "checkout")
    orchctl("spawn", "--wait", "--", "true", cwd=checkout)
    orchctl("spawn", "--wait", "--worktree", "--", "touch", "new", cwd=checkout)
    words = {"_ORCHCTL_COMPLETE": "complete_bash", "COMP_WORDS": "orchctl worktrees remove agent", "COMP_CWORD": "3"}
    assert orchctl(env={**instance.env, **words}).out.split() == ["agent-002"]


def test_choices_of_options_are_completed(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [word for word, _ in completion.roles("")] == ["viewer", "user", "admin"]
    assert [word for word, _ in completion.chart_formats("h")] == ["html"]
    assert "spec-kit" in [word for word, _ in completion.plan_formats("")]
    home.config.write_text('[runners.mine]\ncommand = ["true"]\n')
    assert [word for word, _ in completion.runners("m")] == ["mock", "mine"]
    home.config.write_text("[runners.mine\n")
    assert [word for word, _ in completion.runners("")] == ["mock", "claude", "codex"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert completion.profiles("") == []
    key = "a" * 64
    text = f'[profiles.box]\nconnect = "tcp://box:7777"\nserver_key = "{key}"\nkey = "me"\n'
    written(tmp_path / "orchctl/config.toml", text).chmod(0o600)
    assert completion.profiles("b") == [("box", "tcp://box:7777")]
    assert completion.profiles("x") == []


@pytest.mark.parametrize("name", ["runner", "role", "format", "skill"])
def test_every_option_with_known_values_has_a_completion(name: str) -> None:
    options = [option for command in COMMANDS.values() for option in command.options if option.name == name]
    assert options
    assert all(option.completes for option in options)


def test_completion_with_a_missing_profile_is_empty(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHCTL_PROFILE", "nosuch")
    assert completion.agents("") == []
