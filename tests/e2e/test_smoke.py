"""The main job, as a user does it."""

from __future__ import annotations

from tests.conftest import Instance


def test_an_agent_runs_and_its_exit_code_and_output_are_kept(instance: Instance) -> None:
    one = instance.spawn("sh", "-c", "echo hello; exit 3")
    assert one == "agent-001"
    instance.ctl("wait", one, code=1)
    agent = instance.agent(one)
    assert (agent["status"], agent["exit_code"]) == ("failed", 3)
    assert instance.ctl("logs", one) == "hello\n"
