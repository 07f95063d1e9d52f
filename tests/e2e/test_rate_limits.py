"""A service that wants no more: its runner is held, through the death of the daemon, and others go on."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Instance, until

MOCK = ("--runner", "mock", "--goal", "x", "--env", "ORCHD_MOCK_SECONDS=0")


def spawned(instance: Instance, name: str, seconds: int) -> str:
    """A mock agent whose service turns its first attempt away for so long."""
    limit = ("--env", f"ORCHD_MOCK_RATE_LIMIT={name}:{seconds}")
    return instance.ctl("spawn", "--name", name, *MOCK, *limit).strip()


def test_a_rate_limited_agent_waits_for_its_service_without_a_retry(instance: Instance) -> None:
    agent_id = spawned(instance, "api", 4)
    until(lambda: "mock is rate-limited for " in (instance.agent(agent_id)["reason"] or ""))
    instance.ctl("wait", agent_id)
    assert (instance.agent(agent_id)["status"], instance.agent(agent_id)["attempt"]) == ("completed", 2)
    events = instance.ctl("events", "--since", "0")
    assert "runner-limited" in events
    assert "attempt-deferred" in events
    assert "attempt-retried" not in events


def test_a_rate_limit_survives_a_daemon_crash_and_other_agents_run(instance: Instance) -> None:
    agent_id = spawned(instance, "api", 3600)
    until(lambda: instance.agent(agent_id)["status"] == "queued" and instance.agent(agent_id)["attempt"] == 1)
    instance.kill()
    another = instance.ctl("spawn", "--name", "ui", *MOCK).strip()
    instance.ctl("wait", instance.spawn("true"))
    for waiting in (agent_id, another):
        assert instance.agent(waiting)["status"] == "queued"
        assert "mock is rate-limited for another 3" in instance.agent(waiting)["reason"]
    assert "\nmock is rate-limited for 5" in instance.ctl("status")
    assert instance.ctl("spawn", "--no-queue", *MOCK, code=1) == ""
    instance.ctl("resume")
    instance.ctl("wait", agent_id, another)
    assert instance.status()["limit"]["held"] == {}


def test_an_agent_fails_with_the_service_message_after_rate_limit_waits(stopped: Instance, tmp_path: Path) -> None:
    message = "Rate limit reached: extra usage is required, try again in 1s"
    stopped.configure(
        "rate_limit_waits = 2\n[runners.mine]\n"
        f"""command = ["sh", "-c", "echo x >> starts; echo '{{\\"e\\": \\"{message}\\"}}'; exit 1"]\n"""
        'result = "json"\ntext = "t"\nerror = "e"\n'
    )
    stopped.start()
    agent_id = stopped.ctl("spawn", "--runner", "mine", "--goal", "x", "--retries", "9", cwd=tmp_path).strip()
    until(lambda: f"The service reported: {message}" in (stopped.agent(agent_id)["reason"] or ""))
    stopped.ctl("wait", agent_id, code=1)
    agent = stopped.agent(agent_id)
    assert (agent["status"], agent["attempt"]) == ("failed", 3)
    bound = "and it has already waited 2 times (`rate_limit_waits`)"
    assert agent["reason"] == f"mine was rate-limited, {bound}: {message}"
    assert (tmp_path / "starts").read_text() == "x\n" * 3


def test_a_parent_waits_until_its_rate_limited_child_completes(instance: Instance) -> None:
    child = "orchctl spawn --name api --wait --runner mock --goal x --env ORCHD_MOCK_SECONDS=0"
    script = f"{child} --env ORCHD_MOCK_RATE_LIMIT=api:1"
    parent = instance.spawn("sh", "-c", script, options=["--nesting", "1"])
    instance.ctl("wait", parent)
    assert instance.agent("agent-002")["attempt"] == 2
    assert instance.agent("agent-002")["parent"] == parent
