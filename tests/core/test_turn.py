"""A turn: events change the state at once, effects and questions wait."""

from __future__ import annotations

from orchd.core.effects import Answer, Launch, Refuse, Release
from orchd.core.state.agents import Instant, RequestId, Status, agent_id
from orchd.core.state.events import AdmissionsPaused
from orchd.core.state.state import State
from orchd.core.turn import Turn
from tests.core.box import Box

ONE = agent_id(1)
REQUEST = RequestId("r")


def test_an_event_is_applied_at_once_and_kept_for_the_store() -> None:
    turn = Turn(State(), Instant(5.0, 6.0))
    turn.record(AdmissionsPaused())
    assert turn.state.is_paused
    assert turn.events == [AdmissionsPaused()]
    assert turn.now == 5.0


def test_questions_are_kept_apart_from_effects() -> None:
    turn = Turn(State(), Instant(5.0, 6.0))
    turn.ask(Launch(ONE, 1))
    turn.do(Release(ONE, 1))
    assert (turn.questions, turn.effects) == ([Launch(ONE, 1)], [Release(ONE, 1)])


def test_replies_are_effects() -> None:
    turn = Turn(State(), Instant(5.0, 6.0))
    turn.answer(REQUEST, ONE, timed_out=True)
    turn.refuse(REQUEST, "code", "message")
    turn.refuse(REQUEST, "code", "message", {"path": [ONE]})
    assert turn.effects == [
        Answer(REQUEST, (ONE,), timed_out=True),
        Refuse(REQUEST, "code", "message", {}),
        Refuse(REQUEST, "code", "message", {"path": [ONE]}),
    ]


def test_only_the_running_attempt_is_current() -> None:
    box = Box(limit=1)
    agent, queued = box.spawn(), box.spawn()
    assert box.turn.current(agent, 1) is box.agent(agent)
    assert box.turn.current(agent, 2) is None
    assert box.turn.current(queued, 0) is None
    assert box.turn.current(agent_id(99), 1) is None
    box.exit(agent, 1)
    assert box.agent(agent).status is Status.FAILED
    assert box.turn.current(agent, 1) is None


def test_a_turn_that_reaches_its_launch_limit_is_marked_as_cut_short() -> None:
    turn = Turn(State(), Instant(5.0, 6.0))
    assert [turn.may_launch() for _ in range(3)] == [True] * 3
    turn.launches_left = 2
    assert [turn.may_launch() for _ in range(2)] == [True, True]
    assert not turn.is_cut_short
    assert not turn.may_launch()
    assert turn.is_cut_short
