"""`orchctl limit`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_limit_prints_and_changes_the_limits(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("limit") == (0, "slots 0/7 in use · 0/28 alive\n", "")
    assert orchctl("limit", "3") == (0, "slots 0/3 in use · 0/28 alive\n", "")
    assert orchctl("limit", "--resident", "9") == (0, "slots 0/3 in use · 0/9 alive\n", "")
    assert json.loads(orchctl("limit", "4", "--resident", "8", "--json").out)["resident"] == 8


def test_an_invalid_limit_is_refused(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("limit", "0").code == 2
    assert orchctl("limit", "many").code == 2


def test_an_agent_may_read_but_not_change_the_limit(instance: Instance) -> None:
    agent_id = instance.spawn("sh", "-c", "orchctl limit; orchctl limit 9")
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id).splitlines()[0].startswith("slots 1/7")
    assert "forbidden: " in instance.ctl("logs", agent_id)
