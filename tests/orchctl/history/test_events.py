"""The facts of a stretch of time."""

from __future__ import annotations

import json

from orchctl.history import events
from tests.conftest import Instance


def test_a_stretch_is_found_from_any_side_and_read_over_pages(instance: Instance) -> None:
    instance.ctl("pause")
    first = instance.spawn("true")
    instance.ctl("spawn", "--batch", "-", stdin="\n".join([json.dumps({"command": ["true"]})] * 1100))
    last = instance.spawn("true")
    with instance.client() as client:
        everything = list(events.facts(client))
        assert [fact["seq"] for fact in everything] == list(range(1, len(everything) + 1))
        for one in (first, last):
            (queued,) = (fact for fact in everything if fact["agent"] == one)
            assert events.before(client, queued["at"]) == queued["seq"] - 1 - sum(
                fact["at"] == queued["at"] for fact in everything[: queued["seq"] - 1]
            )
        assert events.before(client, "1970-01-01T00:00:00.000Z") == 0
        assert events.before(client, "2999-01-01T00:00:00.000Z") == everything[-1]["seq"]
        some = list(events.facts(client, 1, everything[2]["at"]))
        assert [fact["seq"] for fact in some] == [
            fact["seq"] for fact in everything[1:] if fact["at"] <= everything[2]["at"]
        ]


def test_the_newest_fact_of_a_kind_is_found_over_pages(instance: Instance) -> None:
    instance.ctl("pause")
    instance.ctl("limit", "3")
    instance.ctl("limit", "4")
    with instance.client() as client:
        (first, second) = (fact for fact in events.facts(client) if fact["event"] == "limit-changed")
        instance.ctl("spawn", "--batch", "-", stdin="\n".join([json.dumps({"command": ["true"]})] * 1100))
        last = client.call("events", {"count": 1})["last"]
        assert events.newest(client, "limit-changed", last) == second
        assert events.newest(client, "limit-changed", second["seq"] - 1) == first
        assert events.newest(client, "limit-changed", first["seq"] - 1) is None
