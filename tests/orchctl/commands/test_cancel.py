"""`orchctl cancel`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_a_line_tells_of_each(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("limit", "1")
    instance.spawn("sleep", "60", options=["--name", "first"])
    instance.spawn("sleep", "60", options=["--name", "second"])
    done = orchctl("cancel", "2", "agent-1")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[:3] for line in done.out.splitlines()] == [
        ["agent-002", "second", "cancelled"],
        ["agent-001", "first", "stopping"],
    ]
    instance.ctl("wait", "1", code=1)
    assert instance.agent("1")["status"] == "cancelled"


def test_json_is_the_result(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sleep", "60")
    assert [agent["id"] for agent in json.loads(orchctl("cancel", "1", "--json").out)["agents"]] == ["agent-001"]


def test_whoever_is_not_there_is_named(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("cancel", "7").err.startswith("unknown-agent: no agent has the id or name '7'")
