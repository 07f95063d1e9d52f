"""`orchctl pause`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_nothing_starts_any_more_and_the_places_say_so(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("pause") == (0, "slots 0/7 in use · 0/28 alive · paused\n", "")
    instance.spawn("true")
    assert instance.agent("1")["status"] == "queued"
    assert json.loads(orchctl("pause", "--json").out)["paused"]
