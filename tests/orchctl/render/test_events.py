"""Events as text for people."""

from __future__ import annotations

from orchctl.render.events import event_line


def test_an_event_is_rendered_as_one_line() -> None:
    event = {
        "seq": 12,
        "at": "T",
        "event": "agent-failed",
        "agent": "agent-001",
        "reason": "a\nb",
        "code": 3,
        "cost_usd": 0.042665999999999996,
        "until": 1794000000.25,
        "x": None,
    }
    fields = "reason=a?b code=3 cost_usd=0.042666 until=1794000000.25"
    assert event_line(event) == f"    12  T  agent-failed    agent-001  {fields}"
    assert event_line({"seq": 1, "at": "T", "event": "paused", "agent": None}) == "     1  T  paused          -"
    spaced = {"seq": 1, "at": "T", "event": "e", "agent": None, "why": "a b"}
    assert event_line(spaced).endswith("why='a b'")
