"""The start of an attempt: its number, its slot, and the question for its process."""

from __future__ import annotations

from orchd.core.admission.slots import working
from orchd.core.effects import Launch
from orchd.core.handlers.admit import admit
from orchd.core.state.agents import Instant
from orchd.core.state.events import AttemptAdmitted
from orchd.core.turn import Turn
from tests.core.box import Box


def test_an_admitted_agent_holds_a_slot_and_its_launch_is_requested() -> None:
    box = Box(limit=1)
    box.spawn("busy")
    queued = box.spawn("queued")
    turn = Turn(box.state, Instant(box.now, box.now))
    admit(turn, box.agent(queued))
    assert turn.events == [AttemptAdmitted(queued, 1)]
    assert turn.questions == [Launch(queued, 1)]
    assert working(box.state) == 2
