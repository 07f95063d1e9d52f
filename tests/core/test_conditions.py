"""Agents that start after others have failed, or have ended in any way."""

from __future__ import annotations

from typing import Any

import pytest

from orchd.core.admission.why import why
from orchd.core.state.agents import AgentId, Condition
from tests.core.box import Box, spec

ENDS = ("completed", "failed", "timed-out", "lost", "cancelled", "skipped")


def behind(box: Box, blocker: AgentId, condition: Condition, *more: AgentId, **fields: Any) -> AgentId:
    """An agent that comes after `blocker` under a condition, and after `more`."""
    return box.spawn("behind", after=(blocker, *more), conditions=((blocker, condition),), **fields)


def blocked(box: Box, how: str) -> tuple[AgentId, AgentId | None]:
    """An agent that is to end as `how` says, and for `skipped` the agent that it comes after."""
    first = box.spawn("first") if how == "skipped" else None
    after = () if first is None else (first,)
    return box.spawn("blocker", after=after, timeout=5.0 if how == "timed-out" else None), first


def end(box: Box, agent_id: AgentId, how: str, first: AgentId | None) -> None:
    """Let it end so."""
    if how == "skipped":
        assert first is not None
        box.exit(first, 1)
    elif how == "cancelled":
        box.cancel(agent_id)
        box.exit(agent_id, 143)
    elif how == "timed-out":
        box.sleep(6.0)
        box.exit(agent_id, 143)
    else:
        box.exit(agent_id, {"completed": 0, "failed": 1, "lost": None}[how])
    assert box.status(agent_id) == [how]


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "late"])
@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("how", ENDS)
def test_an_agent_starts_only_after_an_end_that_satisfies_its_condition(
    how: str, condition: Condition, is_late: bool
) -> None:
    satisfying = {Condition.COMPLETED: {"completed"}, Condition.ANY: {*ENDS}, Condition.FAILED: {*ENDS[1:4]}}[condition]
    box = Box()
    blocker, first = blocked(box, how)
    if is_late:
        end(box, blocker, how, first)
        dependent = behind(box, blocker, condition)
    else:
        dependent = behind(box, blocker, condition)
        assert box.status(dependent) == ["queued"]
        end(box, blocker, how, first)
    assert box.status(dependent) == ["running" if how in satisfying else "skipped"]
    if how not in satisfying:
        what = "fail" if condition is Condition.FAILED else "complete"
        assert box.agent(dependent).reason == f"{blocker} did not {what}: {how}"


def test_a_condition_may_name_an_agent_of_the_same_request() -> None:
    box = Box()
    first, second = box.batch(
        spec("a"), spec("b", after=(AgentId("a"),), conditions=((AgentId("a"), Condition.FAILED),))
    )
    assert box.agent(second).spec.conditions == ((first, Condition.FAILED),)
    box.exit(first, 1)
    assert box.status(second) == ["running"]


def test_all_conditions_must_be_satisfied() -> None:
    box = Box()
    first, second = box.spawn("first"), box.spawn("other")
    dependent = behind(box, first, Condition.ANY, second)
    box.exit(first, 1)
    assert box.status(dependent) == ["queued"]
    box.exit(second, 1)
    assert box.agent(dependent).reason == f"{second} did not complete: failed"


def test_a_dependent_on_any_end_starts_after_its_blocker_is_skipped() -> None:
    box = Box()
    first = box.spawn("first")
    repair = behind(box, first, Condition.FAILED)
    report = behind(box, repair, Condition.ANY)
    box.exit(first)
    assert box.status(repair, report) == ["skipped", "running"]


def test_a_queued_dependent_waits_again_for_a_retried_blocker() -> None:
    box = Box()
    first, second = box.spawn("first"), box.spawn("other")
    dependent = behind(box, first, Condition.FAILED, second)
    box.exit(first, 1)
    box.retry(first)
    box.exit(second)
    assert box.status(first, dependent) == ["running", "queued"]
    box.exit(first)
    assert box.agent(dependent).reason == f"{first} did not fail: completed"


def test_a_dependent_ready_for_a_slot_waits_again_for_a_retried_blocker() -> None:
    box = Box(limit=1)
    first = box.spawn("first")
    busy = box.spawn("busy")
    dependent = behind(box, first, Condition.ANY)
    box.exit(first, 1)
    assert why(box.state, box.agent(dependent), box.now, box.state.agents.get).rule == "limit"
    box.retry(first)
    assert box.status(first, busy, dependent) == ["queued", "running", "queued"]
    assert why(box.state, box.agent(dependent), box.now, box.state.agents.get).rule == "after"
    box.exit(busy)
    assert box.status(first, dependent) == ["running", "queued"]
    box.exit(first)
    assert box.status(dependent) == ["running"]


def test_a_started_agent_that_is_queued_again_has_no_blockers() -> None:
    """Otherwise an agent that is retried and then waits for it would wait for itself."""
    box = Box()
    first = box.spawn("first")
    dependent = behind(box, first, Condition.ANY, retries=1)
    box.exit(first, 1)
    box.retry(first)
    box.wait(first, dependent)
    box.exit(dependent, 1)
    assert box.status(first, dependent) == ["waiting", "queued"]
    box.sleep(10.0)
    assert box.status(dependent) == ["running"]
    box.exit(dependent)
    assert box.status(first) == ["running"]


def test_a_retried_dependent_waits_again_for_its_retried_blocker() -> None:
    box = Box()
    first = box.spawn("first")
    dependent = behind(box, first, Condition.ANY)
    box.exit(first, 1)
    box.exit(dependent, 1)
    box.retry(first, dependent)
    assert box.status(first, dependent) == ["running", "queued"]


def test_a_retry_that_would_close_a_cycle_through_a_condition_is_refused() -> None:
    box = Box()
    waiter = box.spawn("waiter")
    first = box.spawn("first", after=(waiter,))
    box.cancel(first)
    dependent = behind(box, first, Condition.ANY)
    box.exit(dependent, 1)
    box.pause()
    box.retry(dependent)
    box.wait(waiter, dependent)
    assert box.status(waiter, dependent) == ["waiting", "queued"]
    box.retry(first)
    assert box.refusal() == "cycle"


@pytest.mark.parametrize(
    ("conditions", "sentence", "way_out"),
    [
        ((Condition.ANY,), "waits for agent-001 (running) to end", "wait for them to end, with any status"),
        (
            (Condition.FAILED,),
            "waits for agent-001 (running) to fail",
            "wait for them to fail; if one does not fail, agent-003 is skipped",
        ),
        (
            (Condition.ANY, Condition.COMPLETED),
            "after agent-002 (running); waits for agent-001 (running) to end",
            "wait for them to end as its conditions require; if one ends otherwise, agent-003 is skipped",
        ),
        (
            (Condition.COMPLETED,),
            "after agent-001 (running)",
            "wait for them to complete; if one does not complete, agent-003 is skipped",
        ),
    ],
)
def test_why_names_the_condition(conditions: tuple[Condition, ...], sentence: str, way_out: str) -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    pairs = tuple(zip((first, second), conditions, strict=False))
    unusual = tuple((blocker, condition) for blocker, condition in pairs if condition is not Condition.COMPLETED)
    dependent = box.spawn(after=tuple(blocker for blocker, _ in pairs), conditions=unusual)
    answer = why(box.state, box.agent(dependent), box.now, box.state.agents.get)
    assert (answer.rule, answer.sentence, answer.way_out) == ("after", sentence, way_out)


def test_why_of_a_skipped_agent_names_the_agents_to_retry() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    repair = behind(box, first, Condition.FAILED)
    box.cancel(first)
    box.exit(first, 143)
    answer = why(box.state, box.agent(repair), box.now, box.state.agents.get)
    assert answer.way_out == f"`orchctl retry {first} {repair}`"
    other = behind(box, second, Condition.FAILED)
    box.exit(second)
    answer = why(box.state, box.agent(other), box.now, box.state.agents.get)
    assert (
        answer.way_out
        == f"spawn it again without the condition: {second} completed, and completed agents cannot be retried"
    )


def test_why_proposes_no_retry_of_a_blocker_with_a_satisfied_condition() -> None:
    box = Box()
    first, second = box.batch(spec("a"), spec("b"))
    dependent = behind(box, first, Condition.FAILED, second)
    box.exit(first, 1)
    box.exit(second, 1)
    answer = why(box.state, box.agent(dependent), box.now, box.state.agents.get)
    assert answer.way_out == f"`orchctl retry {second} {dependent}`"
