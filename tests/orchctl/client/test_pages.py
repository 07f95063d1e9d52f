"""Answers of the daemon that come in pages."""

from __future__ import annotations

from orchctl.client import pages
from orchd.server.operations.agents import PAGE
from tests.conftest import Instance


def test_all_pages_are_fetched_and_unknown_agents_are_omitted(instance: Instance) -> None:
    count = PAGE + 3
    with instance.client() as client:
        client.call("pause")
        agents = [{"command": ["true"]}] * count
        client.call("spawn", {"agents": agents, "cwd": "/", "env": {"PATH": "/usr/bin:/bin"}})
        answer = pages.status(client, {"all": True})
        assert sorted(agent["id"] for agent in answer["agents"]) == [f"agent-{1 + index:03d}" for index in range(count)]
        assert "more" not in answer
        listed = pages.known(client, ["agent-001", f"agent-{count + 1}", "agent-002"])
        assert list(listed) == ["agent-001", "agent-002"]
