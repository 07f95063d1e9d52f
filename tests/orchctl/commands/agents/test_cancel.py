"""`orchctl cancel`."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Instance, until
from tests.orchctl.conftest import Orchctl


def test_cancel_prints_a_line_for_each_agent(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("limit", "1")
    instance.spawn("sleep", "60", options=["--name", "first"])
    instance.spawn("sleep", "60", options=["--name", "second"])
    result = orchctl("cancel", "2", "agent-1")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[:3] for line in result.out.splitlines()] == [
        ["agent-002", "second", "cancelled"],
        ["agent-001", "first", "stopping"],
    ]
    instance.ctl("wait", "1", code=1)
    assert instance.agent("1")["status"] == "cancelled"


def test_json_output_is_the_result(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sleep", "60")
    assert [agent["id"] for agent in json.loads(orchctl("cancel", "1", "--json").out)["agents"]] == ["agent-001"]


def test_the_error_names_an_unknown_agent(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("cancel", "7").err.startswith("unknown-agent: no agent has the id or name '7'")


SLOW = "trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.01; done"


def test_cancel_with_wait_returns_when_all_descendants_have_ended(instance: Instance, orchctl: Orchctl) -> None:
    top = instance.spawn("sh", "-c", f'orchctl spawn -- sh -c "$0"; {SLOW}', SLOW)
    until(lambda: [agent["status"] for agent in instance.status("--all")["agents"]] == ["running"] * 2)
    result = orchctl("cancel", top, "--wait", "--json")
    assert result.code == 0
    assert {agent["status"] for agent in json.loads(result.out)["agents"]} == {"cancelled"}
    assert {agent["status"] for agent in instance.status("--all")["agents"]} == {"cancelled"}


def test_cancel_all_cancels_all_agents_and_their_children(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sh", "-c", "orchctl spawn -- sleep 600; exec sleep 600")
    instance.spawn("sleep", "600")
    until(lambda: [agent["status"] for agent in instance.status("--all")["agents"]] == ["running"] * 3)
    assert orchctl("cancel", "--all", "--wait").code == 0
    assert [agent["status"] for agent in instance.status("--all")["agents"]] == ["cancelled"] * 3
    empty = orchctl("cancel", "--all", "--wait", "--json")
    assert json.loads(empty.out) == {"agents": [], "timed_out": False}


@pytest.mark.parametrize("line", [[], ["1", "--all"], ["1", "--wait-timeout", "1"]])
def test_missing_or_contradictory_arguments_are_refused(orchctl: Orchctl, line: list[str]) -> None:
    assert orchctl("cancel", *line).code == 2


def test_cancel_with_wait_lists_queued_children_too(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("limit", "1")
    spawns = "orchctl spawn -- true; orchctl spawn -- true; exec sleep 600"
    top = instance.spawn("sh", "-c", spawns)
    until(lambda: [agent["status"] for agent in instance.status("--all")["agents"]] == ["running", "queued", "queued"])
    result = orchctl("cancel", top, "--wait", "--json")
    assert [agent["id"] for agent in json.loads(result.out)["agents"]] == ["agent-001", "agent-002", "agent-003"]
