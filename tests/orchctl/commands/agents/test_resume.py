"""`orchctl resume`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_what_was_queued_starts(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("pause")
    instance.spawn("true")
    done = orchctl("resume")
    assert done.code == 0
    assert "paused" not in done.out
    instance.ctl("wait", "1")
    assert json.loads(orchctl("resume", "--json").out)["paused"] is False


def test_agents_continue_that_are_named(instance: Instance, orchctl: Orchctl) -> None:
    one = instance.spawn("sleep", "600")
    orchctl("pause", one)
    assert orchctl("resume", one).out.split()[:3] == [one, "sleep", "running"]
