"""What is read for `why`: the facts about one agent, and what ended with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchctl.client import Client
from orchctl.history import events, why
from orchd.protocol.errors import WireError
from tests.conftest import Instance


def test_why_reads_what_is_about_one_agent_and_not_all_that_happened_meanwhile(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a queue of thousands, which was filled at once."""
    instance.ctl("pause")
    instance.ctl("spawn", "--batch", "-", stdin="\n".join([json.dumps({"command": ["true"]})] * 1100))
    read = []
    call = Client.call

    def counted(self: Client, op: str, *args: Any, **how: Any) -> dict[str, Any]:
        answer = call(self, op, *args, **how)
        read.extend(answer.get("events", ()))
        return answer

    monkeypatch.setattr(Client, "call", counted)
    with instance.client() as client:
        assert why.found(client, "agent-1000")["rule"] == "paused"
        client.call("cancel", {"ids": ["agent-1000"]})
        assert why.found(client, "agent-1000")["rule"] == "cancelled"
        assert len(read) < 40
        read.clear()
        (queued, cancelled) = events.about(client, "agent-1000", None, None)
        assert [fact["event"] for fact in (queued, cancelled)] == ["agent-queued", "agent-cancelled"]


def test_a_daemon_of_an_earlier_version_is_asked_for_all_that_happened_meanwhile(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.ctl("pause")
    one, other = instance.spawn("true"), instance.spawn("true")
    call = Client.call

    def older(self: Client, op: str, args: Any = None, **how: Any) -> dict[str, Any]:
        if op == "events" and "agent" in (args or {}):
            raise WireError("bad-request", "agent is not known here")
        return call(self, op, args, **how)

    monkeypatch.setattr(Client, "call", older)
    with instance.client() as client:
        (agent,) = client.call("status", {"ids": [one]})["agents"]
        for queued_at in (agent["queued_at"], "2999-01-01T00:00:00.000Z"):
            found = [fact["agent"] for fact in events.about(client, one, queued_at, None)]
            assert found[-2:] == [one, other]
