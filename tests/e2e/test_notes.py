"""The notes of a runner about an attempt are on the disk, and shown wherever the agent is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl import repos

DENIED = {"tool_name": "Write", "tool_use_id": "call-1", "tool_input": {"file_path": "/x"}}
DONE = {
    "type": "result",
    "subtype": "success",
    "result": "I could not.",
    "num_turns": 1,
    "permission_denials": [DENIED],
}
TEXT = "1 permission denied; no tool that makes changes was permitted; nothing committed, 1 changed file left"
CODES = ["permissions-denied", "nothing-permitted", "nothing-committed"]


@pytest.fixture
def denied(instance: Instance, tmp_path: Path) -> str:
    """An agent in a worktree that was denied every tool; it left a file."""
    instance.env.update(repos.SETTINGS)
    repo = repos.repository(tmp_path / "repo")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/claude"
    program.write_text(f"#!/bin/sh\ncat >/dev/null; echo x >left; echo '{json.dumps(DONE)}'\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{instance.env['PATH']}"}
    output = instance.ctl(
        "spawn", "--name", "api", "--runner", "claude", "--goal", "x", "--worktree", env=env, cwd=repo
    )
    instance.ctl("wait", output.strip())
    return output.strip()


def test_notes_appear_in_status_why_wait_and_events_after_a_crash(instance: Instance, denied: str) -> None:
    for _ in range(2):
        agent = instance.agent(denied)
        assert (agent["status"], agent["exit_code"]) == ("completed", 0)
        assert [note["code"] for note in agent["notes"]] == CODES
        assert "; ".join(note["text"] for note in agent["notes"]) == TEXT
        for words in (("status",), ("wait", denied), ("why", denied)):
            assert f"exit 0; {TEXT}" in instance.ctl(*words)
        assert json.loads(instance.ctl("why", denied, "--json"))["agent"]["notes"] == agent["notes"]
        events = [json.loads(line) for line in instance.ctl("events", "--since", "0", "--json").splitlines()]
        assert [event["notes"] for event in events if event.get("notes")] == [TEXT.split("; ")]
        instance.kill()
        instance.start()


def test_an_agent_without_a_report_has_no_notes(instance: Instance) -> None:
    agent_id = instance.spawn("true")
    until(lambda: instance.agent(agent_id)["status"] == "completed")
    assert instance.agent(agent_id)["notes"] == []
