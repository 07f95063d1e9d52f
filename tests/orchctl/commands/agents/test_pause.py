"""`orchctl pause`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_pause_stops_new_starts_and_is_shown_with_the_slots(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("pause") == (0, "slots 0/7 in use · 0/28 alive · paused\n", "")
    instance.spawn("true")
    assert instance.agent("1")["status"] == "queued"
    assert json.loads(orchctl("pause", "--json").out)["paused"]


def test_a_paused_agent_is_shown_as_paused_by_status_and_why(instance: Instance, orchctl: Orchctl) -> None:
    agent_id = instance.spawn("sleep", "600")
    assert orchctl("pause", agent_id).out.split()[:3] == [agent_id, "sleep", "paused"]
    assert " paused " in orchctl("status").out
    assert orchctl("why", agent_id).out.splitlines() == [
        f"{agent_id} sleep is paused (held): it keeps its slot; `orchctl resume {agent_id}` continues it",
        f"next step: `orchctl resume {agent_id}`",
        *orchctl("why", agent_id).out.splitlines()[2:],
    ]
    (agent,) = json.loads(orchctl("pause", agent_id, "--release-slot", "--json").out)["agents"]
    assert (agent["status"], agent["reason"]) == (
        "paused",
        f"its slot was released; `orchctl resume {agent_id}` continues it",
    )


def test_release_slot_requires_agent_ids(orchctl: Orchctl) -> None:
    result = orchctl("pause", "--release-slot")
    assert (result.code, result.err) == (
        2,
        "usage: --release-slot requires ids or names of agents: add them, or leave it out\n",
    )
