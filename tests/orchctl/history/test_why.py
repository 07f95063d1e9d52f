"""The events that `why` reads: the events about one agent, and the ends that followed from its end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchctl.client import Client
from orchctl.history import events, why
from orchctl.history.lifecycles import read
from orchd.protocol.errors import WireError
from tests.conftest import Instance


def test_why_reads_only_events_about_its_agent(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has thousands of agents, spawned at once."""
    instance.ctl("pause")
    instance.ctl("spawn", "--batch", "-", stdin="\n".join([json.dumps({"command": ["true"]})] * 1100))
    read = []
    call = Client.call

    def counted(self: Client, op: str, *args: Any, **options: Any) -> dict[str, Any]:
        answer = call(self, op, *args, **options)
        read.extend(answer.get("events", ()))
        return answer

    monkeypatch.setattr(Client, "call", counted)
    with instance.client() as client:
        assert why.explanation(client, "agent-1000")["rule"] == "paused"
        client.call("cancel", {"ids": ["agent-1000"]})
        assert why.explanation(client, "agent-1000")["rule"] == "cancelled"
        assert len(read) < 40
        read.clear()
        (queued, cancelled) = events.about(client, "agent-1000", None, None)
        assert [event["event"] for event in (queued, cancelled)] == ["agent-queued", "agent-cancelled"]


def test_an_older_daemon_is_queried_for_the_events_of_all_agents(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.ctl("pause")
    first, second = instance.spawn("true"), instance.spawn("true")
    call = Client.call

    def older(self: Client, op: str, args: Any = None, **options: Any) -> dict[str, Any]:
        if op == "events" and "agent" in (args or {}):
            raise WireError("bad-request", "agent is an unknown key", {"unknown": "agent"})
        return call(self, op, args, **options)

    monkeypatch.setattr(Client, "call", older)
    with instance.client() as client:
        (agent,) = client.call("status", {"ids": [first]})["agents"]
        for queued_at in (agent["queued_at"], "2999-01-01T00:00:00.000Z"):
            agent_ids = [event["agent"] for event in events.about(client, first, queued_at, None)]
            assert agent_ids[-2:] == [first, second]


ENDED = "2026-01-02T03:06:09.000Z"
FAILED = {"id": "agent-001", "ended_at": ENDED}


def end(event: str, agent: str, reason: str, **more: str) -> dict[str, Any]:
    """Return an end at the moment in which agent-001 failed."""
    return {"seq": int(agent[-1]), "at": ENDED, "event": event, "agent": agent, "reason": reason, **more}


def ended_agents(*ends: dict[str, Any]) -> list[str]:
    """Return the agents that ended because agent-001 failed."""
    born = {"seq": 0, "at": ENDED, "event": "agent-queued", "agent": "agent-001", "name": "a", "level": "pm"}
    history = [{**born, "parent": None}, end("agent-failed", "agent-001", "exit code 1"), *ends]
    return [agent for agent, _ in why.taken(history, FAILED, read(history).agents["agent-001"])]


def test_consequences_follow_the_cause_of_an_event_and_not_its_reason() -> None:
    assert ended_agents(
        end("agent-skipped", "agent-002", "agent-009 did not complete", because="agent-009"),
        end("stop-began", "agent-003", "any words", because="agent-001"),
        end("agent-cancelled", "agent-004", "any words", because="agent-003"),
        end("agent-skipped", "agent-005", "agent-001 did not complete", because="agent-002"),
    ) == ["agent-003", "agent-004"]


def test_events_of_earlier_versions_name_no_cause() -> None:
    assert ended_agents(end("agent-skipped", "agent-002", "agent-001 did not complete: failed")) == []
