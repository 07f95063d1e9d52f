"""The events of a stretch of time."""

from __future__ import annotations

import json

from orchctl.history import events
from tests.conftest import Instance


def test_events_before_and_between_times_are_read_across_pages(instance: Instance) -> None:
    instance.ctl("pause")
    first = instance.spawn("true")
    instance.ctl("spawn", "--batch", "-", stdin="\n".join([json.dumps({"command": ["true"]})] * 1100))
    last = instance.spawn("true")
    with instance.client() as client:
        all_events = list(events.between(client))
        assert [event["seq"] for event in all_events] == list(range(1, len(all_events) + 1))
        for agent_id in (first, last):
            (queued,) = (event for event in all_events if event["agent"] == agent_id)
            assert events.before(client, queued["at"]) == queued["seq"] - 1 - sum(
                event["at"] == queued["at"] for event in all_events[: queued["seq"] - 1]
            )
        assert events.before(client, "1970-01-01T00:00:00.000Z") == 0
        assert events.before(client, "2999-01-01T00:00:00.000Z") == all_events[-1]["seq"]
        some = list(events.between(client, 1, all_events[2]["at"]))
        assert [event["seq"] for event in some] == [
            event["seq"] for event in all_events[1:] if event["at"] <= all_events[2]["at"]
        ]


def test_newest_returns_the_last_event_of_a_kind_across_pages(instance: Instance) -> None:
    instance.ctl("pause")
    instance.ctl("limit", "3")
    instance.ctl("limit", "4")
    with instance.client() as client:
        (first_change, second_change) = (event for event in events.between(client) if event["event"] == "limit-changed")
        instance.ctl("spawn", "--batch", "-", stdin="\n".join([json.dumps({"command": ["true"]})] * 1100))
        last_seq = client.call("events", {"count": 1})["last"]
        assert events.newest(client, "limit-changed", last_seq) == second_change
        assert events.newest(client, "limit-changed", second_change["seq"] - 1) == first_change
        assert events.newest(client, "limit-changed", first_change["seq"] - 1) is None
