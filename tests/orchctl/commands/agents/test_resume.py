"""`orchctl resume`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_resume_starts_queued_agents(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("pause")
    instance.spawn("true")
    result = orchctl("resume")
    assert result.code == 0
    assert "paused" not in result.out
    instance.ctl("wait", "1")
    assert json.loads(orchctl("resume", "--json").out)["paused"] is False


def test_resume_continues_a_named_agent(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("sleep", "600")
    orchctl("pause", agent_id)
    assert orchctl("resume", agent_id).out.split()[:3] == [agent_id, "sleep", "running"]
