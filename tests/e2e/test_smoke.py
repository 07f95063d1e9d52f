"""The main job, as a user does it."""

from __future__ import annotations

from tests.conftest import Instance


def test_an_agent_runs_and_its_exit_code_and_output_are_kept(instance: Instance) -> None:
    agent_id = instance.spawn("sh", "-c", "echo hello; exit 3")
    assert agent_id == "agent-001"
    instance.ctl("wait", agent_id, code=1)
    agent = instance.agent(agent_id)
    assert (agent["status"], agent["exit_code"]) == ("failed", 3)
    assert instance.ctl("logs", agent_id) == "hello\n"
