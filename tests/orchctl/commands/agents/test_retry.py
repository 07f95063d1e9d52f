"""`orchctl retry`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl

SHOW = 'echo "$ORCHD_ATTEMPT $MODE $MOOD"; exit 1'


def test_a_retry_uses_the_environment_of_the_first_attempt(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/show").write_text(f"#!/bin/sh\n{SHOW}\n")
    (tmp_path / "bin/show").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{instance.env['PATH']}"
    agent_id = instance.ctl("spawn", "--env", "MODE=staging", "--", "show", env={"PATH": path, "MOOD": "first"}).strip()
    instance.ctl("wait", agent_id, code=1)
    result = orchctl("retry", "1", env={**instance.env, "MOOD": "second"})
    assert (result.code, result.err) == (0, "")
    assert result.out.split()[:2] == ["agent-001", "show"]
    instance.ctl("wait", "1", code=1)
    assert instance.ctl("logs", "1") == "2 staging first\n"


def test_variables_of_a_retry_override_and_are_kept_for_the_next(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "vars").write_text("MODE=from-file\nMOOD=from-file\n")
    agent_id = instance.ctl("spawn", "--env", "MODE=staging", "--", "sh", "-c", SHOW).strip()
    instance.ctl("wait", agent_id, code=1)
    orchctl("retry", "1", "--env", "MODE=a=b", "--env-file", str(tmp_path / "vars"))
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id) == "2 a=b from-file\n"
    instance.kill()
    instance.start()
    orchctl("retry", "1")
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id) == "3 a=b from-file\n"


def test_a_retry_with_a_lost_environment_needs_the_current_env_option(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.ctl("spawn", "--env", "MODE=staging", "--", "sh", "-c", SHOW).strip()
    instance.ctl("wait", agent_id, code=1)
    (instance.home.retry / agent_id).unlink()
    result = orchctl("retry", "1")
    assert result.code == 1
    assert result.err.startswith("environment-lost: agent-001: its original environment is lost")
    assert "`orchctl retry --current-env agent-001`" in result.err
    assert instance.agent(agent_id)["status"] == "failed"
    orchctl("retry", "1", "--current-env", env={**instance.env, "MOOD": "now"})
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id) == "2  now\n"


def test_a_retried_run_member_keeps_its_environment(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    part = {"skillName": "api", "command": ["sh", "-c", SHOW], "env": {"MODE": "member"}, "required": True}
    outer = {"name": "team", "executionMode": "hybrid", "subSkills": [part]}
    (tmp_path / "composition.json").write_text(json.dumps(outer))
    orchctl("run", "composition.json", env={**instance.env, "MOOD": "first"})
    orchctl("retry", "run-001", env={**instance.env, "MOOD": "second"})
    instance.ctl("wait", "run-001", code=None)
    assert instance.ctl("logs", "1") == "2 member first\n"


def test_json_output_is_the_result(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("false")
    instance.ctl("wait", "1", code=1)
    assert [agent["id"] for agent in json.loads(orchctl("retry", "1", "--json").out)["agents"]] == ["agent-001"]


def test_a_completed_agent_is_not_retried(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true")
    instance.ctl("wait", "1")
    result = orchctl("retry", "1")
    assert result.code == 1
    assert result.err.startswith("cannot-retry: ")


def failing_chain(instance: Instance, directory: Path) -> None:
    """agent-001 fails the first time; agent-002 comes after it, and agent-003 after that: both are skipped."""
    (directory / "here").touch()
    instance.ctl("spawn", "--name", "a", "--", "sh", "-c", f"! rm {directory}/here 2>/dev/null")
    instance.ctl("spawn", "--name", "b", "--after", "a", "--", "true")
    instance.ctl("spawn", "--name", "c", "--after", "b", "--", "true")
    instance.ctl("wait", "a", "b", "c", code=1)


def test_skipped_dependents_are_named_and_retried_on_request(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    failing_chain(instance, tmp_path)
    result = orchctl("retry", "a")
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert "agent-002, agent-003 were skipped because of that" in result.err
    instance.ctl("wait", "a")
    assert orchctl("retry", "b", "--with-dependents").code == 0
    assert orchctl("wait", "a", "b", "c").code == 0


def test_retry_with_dependents_retries_the_whole_chain(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    failing_chain(instance, tmp_path)
    assert [
        agent["id"] for agent in json.loads(orchctl("retry", "1", "--with-dependents", "--json").out)["agents"]
    ] == [
        "agent-001",
        "agent-002",
        "agent-003",
    ]
    assert orchctl("wait", "a", "b", "c").code == 0


def test_a_retry_behind_a_failed_agent_needs_with_dependencies(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    failing_chain(instance, tmp_path)
    result = orchctl("retry", "c")
    assert result.code == 1
    assert "`orchctl retry agent-003 --with-dependencies`" in result.err
    assert orchctl("retry", "c", "--with-dependencies").code == 0
    assert orchctl("wait", "a", "b", "c").code == 0


def test_a_failure_that_satisfied_a_condition_is_not_retried(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("false")
    instance.spawn("false")
    instance.ctl("wait", "1", "2", code=1)
    last = instance.spawn("true", options=["--after", "1:failed", "--after", "2"])
    assert instance.agent(last)["status"] == "skipped"
    result = orchctl("retry", last, "--with-dependencies", "--json")
    assert [agent["id"] for agent in json.loads(result.out)["agents"]] == ["agent-002", "agent-003"]


def test_a_skipped_dependent_of_a_cancelled_agent_is_retried_too(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sh", "-c", '[ "$ORCHD_ATTEMPT" = 1 ] && sleep 60; exit 1')
    instance.spawn("true", options=["--after", "1:failed"])
    instance.ctl("cancel", "1")
    instance.ctl("wait", "1", "2", code=1)
    assert instance.agent("agent-002")["reason"] == "agent-001 did not fail: cancelled"
    orchctl("retry", "1", "--with-dependents")
    instance.ctl("wait", "2")
