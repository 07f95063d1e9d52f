"""One input in, events and effects out; and when to ask again."""

from __future__ import annotations

import pytest

from orchd.core import inputs
from orchd.core.decide import decide, next_deadline
from orchd.core.effects import Launch, Terminate
from orchd.core.state.agents import Instant, RequestId, Status, agent_id
from orchd.core.state.runs import GroupPlan, RunPlan
from orchd.core.state.state import State
from orchd.core.turn import Turn
from tests.core.box import Box, names, spec


def test_the_answer_to_a_launch_is_decided_in_the_same_turn() -> None:
    turn = Turn(State(), Instant(1.0, 1.0))
    decide(turn, inputs.SpawnAgents(RequestId("r"), None, (spec(),)))
    assert turn.questions == [Launch(agent_id(1), 1)]
    assert turn.state.agents[agent_id(1)].status is Status.STARTING
    decide(turn, inputs.Spawned(agent_id(1), 1, 77, None))
    assert turn.state.agents[agent_id(1)].status is Status.RUNNING
    assert names(turn.events) == ["AgentQueued", "AttemptAdmitted", "AttemptStarted"]


def test_every_input_triggers_admission() -> None:
    box = Box(limit=1)
    box.batch(spec("a"), spec("b"))
    box.state.limit = 2
    box.tell(inputs.TreeGone(agent_id(99), 1))
    assert box.status(agent_id(2)) == ["running"]


def test_there_is_no_deadline_without_timed_agents() -> None:
    box = Box(limit=1)
    assert next_deadline(box.state) is None
    parent = box.spawn()
    box.wait(parent, box.spawn(caller=parent))
    box.spawn()
    assert next_deadline(box.state) is None


def test_the_next_deadline_is_the_earliest_deadline() -> None:
    box = Box()
    now = box.now
    parent = box.spawn(timeout=50.0)
    assert next_deadline(box.state) == now + 50.0
    box.spawn(silence=40.0)
    assert next_deadline(box.state) == now + 40.0
    box.wait(parent, agent_id(2), timeout=30.0)
    assert next_deadline(box.state) == now + 30.0
    box.cancel(box.spawn(grace=20.0))
    assert next_deadline(box.state) == now + 20.0
    agent = box.spawn(retries=1)
    box.exit(agent, 1)
    assert next_deadline(box.state) == box.agent(agent).ready_at


def test_a_stopping_agent_keeps_only_its_grace_deadline() -> None:
    box = Box()
    agent_id = box.spawn(timeout=5.0, silence=3.0, grace=60.0)
    box.cancel(agent_id)
    assert next_deadline(box.state) == box.now + 60.0
    box.sleep(60.0)
    assert next_deadline(box.state) is None


def test_a_hold_is_a_deadline_only_once_and_only_with_a_queued_agent() -> None:
    box = Box(limit=1)
    agent = agent_id(1)
    box.broken[agent] = ("no pids", True)
    box.spawn()
    hold_end = box.now + 1.0
    assert next_deadline(box.state) == hold_end
    box.cancel(agent)
    assert next_deadline(box.state) is None
    box.batch(spec("a"), spec("b"))
    assert next_deadline(box.state) == hold_end
    box.sleep(1.0)
    assert next_deadline(box.state) is None


def test_a_withheld_wait_reply_has_no_deadline_after_its_timeout() -> None:
    box = Box(limit=2)
    parent = box.spawn()
    child = box.spawn(caller=parent)
    box.wait(parent, child, timeout=5.0)
    box.spawn()
    box.limit(limit=1)
    box.exit(child)
    box.sleep(5.0)
    assert next_deadline(box.state) is None


@pytest.mark.parametrize("grace", [0.0, 0.1])
def test_a_tick_at_the_deadline_is_not_too_early(grace: float) -> None:
    box = Box()
    agent_id = box.spawn(timeout=0.1, silence=0.7, grace=grace)
    for _ in range(4):
        due = next_deadline(box.state)
        if due is None:
            break
        box.sleep(max(0.0, due - box.now))
    assert (box.status(agent_id), next_deadline(box.state)) == (["stopping"], None)


def test_members_admitted_with_a_member_that_cannot_start_are_stopped() -> None:
    box = Box()
    box.broken[agent_id(1)] = ("no such program", False)
    parts = (inputs.Part("a", spec("a")), inputs.Part("b", spec("b")))
    plan = RunPlan("r", (GroupPlan("", is_fail_fast=True),), "/")
    box.tell(inputs.BeginRun(box.request(), None, plan, parts, durations={"a": 1.0, "b": 1.0}, scope=inputs.Scope("/")))
    assert box.status(agent_id(1), agent_id(2)) == ["failed", "stopping"]
    assert box.done(Terminate) == [Terminate(agent_id(2), 1)]
