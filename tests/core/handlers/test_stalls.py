"""Stalls: agents that only poll hold all slots, and one of them lends its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchd.core import inputs
from orchd.core.admission.reasons import reason, why_queued
from orchd.core.decide import next_deadline
from orchd.core.effects import Freeze, Thaw
from orchd.core.handlers.stalls import is_stalled
from orchd.core.state import events
from orchd.core.state.agents import AgentId, Frozen
from tests.core.box import Box, spec


def pollers(box: Box, count: int = 2) -> list[tuple[AgentId, AgentId]]:
    """Parents that hold all slots, each with a queued child."""
    parents = box.batch(*(spec(f"p{number}") for number in range(count)))
    return [(parent, box.spawn("child", caller=parent)) for parent in parents]


def test_the_agent_that_has_been_quiet_longest_lends_its_slot_and_gets_it_back() -> None:
    box = Box(limit=2)
    (loud, _), (quiet, child) = pollers(box)
    box.quiet = {loud: 1.0, quiet: 20.0}
    assert next_deadline(box.state) == box.now + 30.0
    box.sleep(29.9)
    assert box.agent(child).status.value == "queued"
    box.sleep(0.1)
    assert (box.status(child), box.agent(quiet).frozen, box.agent(quiet).lent_to) == (["running"], Frozen.LENT, child)
    assert Freeze(quiet, 1) in box.turn.effects
    box.exit(child)
    assert (box.status(quiet), box.done(Thaw)) == (["running"], [Thaw(quiet, 1)])


def test_there_is_no_stall_while_one_agent_at_work_depends_on_no_queued_agent() -> None:
    box = Box(limit=2)
    ((_, child),) = pollers(box, 1)
    box.exit(child)
    parent, other = agent_of(box, 0), box.spawn("other")
    second = box.spawn("second", caller=parent)
    box.sleep(60.0)
    assert (box.status(second), is_stalled(box.state, box.now)) == (["queued"], False)
    box.exit(other)
    assert box.status(second) == ["running"]


def agent_of(box: Box, index: int) -> AgentId:
    """The agent that was spawned as number `index`."""
    return sorted(box.state.agents)[index]


def test_the_stall_delay_restarts_after_a_stall_ends_by_itself() -> None:
    box = Box(limit=1)
    ((parent, child),) = pollers(box, 1)
    box.sleep(20.0)
    box.cancel(child)
    assert box.state.stalled_since is None
    again = box.spawn("again", caller=parent)
    box.sleep(29.0)
    assert box.status(again) == ["queued"]
    box.sleep(1.0)
    assert box.status(again) == ["running"]


def test_a_slot_is_lent_to_the_blocker_of_a_child() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    first = box.spawn("first")
    box.spawn("child", caller=parent, after=(first,))
    box.sleep(30.0)
    assert box.agent(parent).lent_to == first
    assert box.status(first) == ["running"]


def test_no_slot_is_lent_during_a_pause_or_disk_pressure() -> None:
    box = Box(limit=1)
    ((_, child),) = pollers(box, 1)
    box.pause()
    box.sleep(60.0)
    assert (box.status(child), box.state.stalled_since) == (["queued"], None)
    box.resume()
    box.tell(inputs.DiskSpaceChanged(0, 1))
    box.sleep(60.0)
    assert box.status(child) == ["queued"]


def test_a_stall_that_cannot_be_broken_is_announced_once_until_it_ends() -> None:
    box = Box(limit=1, resident=1)
    ((parent, child),) = pollers(box, 1)
    box.sleep(30.0)
    (began,) = box.events(events.StallBegan)
    assert began.agents == (parent,)
    assert next_deadline(box.state) is None
    box.sleep(30.0)
    assert box.turn.events == []
    box.cancel(child)
    assert box.events(events.StallEnded)


def test_no_slot_is_lent_where_no_resident_slot_is_left() -> None:
    box = Box(limit=2, resident=2)
    pairs = pollers(box)
    box.sleep(30.0)
    assert len(box.events(events.StallBegan)) == 1
    assert box.status(*(child for _, child in pairs)) == ["queued", "queued"]


def test_a_lender_continues_in_a_free_slot_that_no_other_agent_can_take() -> None:
    box = Box(limit=1)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent, retries=1)
    box.sleep(30.0)
    box.limit(limit=2)
    assert (box.status(parent, child), box.agent(parent).lent_to) == (["running", "running"], None)
    box.limit(limit=1)
    box.exit(child, 1)
    assert box.status(parent, child) == ["running", "queued"]
    box.sleep(1.6)
    box.sleep(30.0)
    assert (box.status(parent, child), box.agent(parent).lent_to) == (["waiting", "running"], child)
    box.exit(child)
    assert box.status(parent) == ["running"]


def test_a_slot_goes_to_a_new_agent_before_it_goes_to_a_lender() -> None:
    box = Box(limit=1)
    ((parent, child),) = pollers(box, 1)
    other = box.spawn("other", priority=-9)
    box.sleep(30.0)
    box.limit(limit=2)
    assert box.status(parent, child, other) == ["waiting", "running", "running"]


def borrowing(box: Box) -> tuple[AgentId, AgentId]:
    """An agent that lent its slot, and the one that runs in it."""
    ((parent, child),) = pollers(box, 1)
    box.sleep(30.0)
    return parent, child


def returning(box: Box) -> tuple[AgentId, AgentId]:
    """An agent whose wait has timed out, so that it only waits for a slot, and the agent that has the slot."""
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent)
    box.wait(parent, child, timeout=1.0)
    box.sleep(1.0)
    return parent, child


def stands_still(box: Box, *ids: AgentId) -> None:
    """These make no progress."""
    box.tell(inputs.StoodStill(frozenset((agent_id, box.agent(agent_id).attempt) for agent_id in ids)))


def test_a_stuck_borrower_is_announced_once_until_it_makes_progress() -> None:
    box = Box(limit=1)
    parent, child = borrowing(box)
    stands_still(box, child)
    (began,) = box.events(events.StallBegan)
    assert (began.agents, "raise the limit by one with `orchctl limit`" in began.reason) == ((child,), True)
    assert f"the slot lent by {parent}" in (reason(box.state, box.agent(child), box.now) or "")
    stands_still(box, child)
    assert box.turn.events == []
    stands_still(box)
    assert box.events(events.StallEnded)
    assert reason(box.state, box.agent(child), box.now) is None


def test_an_announced_stall_ends_in_the_turn_in_which_it_is_broken() -> None:
    box = Box(limit=3, resident=3)
    parent, other = box.spawn("parent"), box.spawn("other")
    child = box.spawn("child", caller=parent)
    request = box.wait(child, box.spawn("below", caller=parent))
    box.spawn("below", caller=other)
    box.limit(limit=2)
    box.sleep(30.0)
    assert box.events(events.StallBegan)
    box.tell(inputs.CallerGone(child, request))
    assert (box.agent(parent).lent_to, box.status(child)) == (child, ["running"])
    assert len(box.events(events.StallEnded)) == 1


def test_the_end_of_a_stuck_agent_ends_the_stall() -> None:
    box = Box(limit=1)
    _, child = borrowing(box)
    stands_still(box, child)
    box.exit(child)
    assert box.events(events.StallEnded)


@pytest.mark.parametrize("lend", [borrowing, returning])
def test_the_return_of_the_lender_ends_the_stall(lend: Callable[[Box], tuple[AgentId, AgentId]]) -> None:
    box = Box(limit=1)
    parent, child = lend(box)
    stands_still(box, child)
    box.limit(limit=2)
    assert (box.status(parent, child), len(box.events(events.StallEnded))) == (["running", "running"], 1)


def test_a_stale_attempt_and_a_lender_are_not_announced_as_stuck() -> None:
    box = Box(limit=1)
    parent, child = borrowing(box)
    box.tell(inputs.StoodStill(frozenset({(child, 7), (parent, 1)})))
    assert (box.turn.events, box.state.standing) == ([], frozenset())


def test_a_stuck_borrower_lends_its_slot_to_its_own_child() -> None:
    """What stands still has spawned an agent that only a slot is missing for: its own slot is lent on."""
    box = Box(limit=1)
    _, child = borrowing(box)
    stands_still(box, child)
    below = box.spawn("below", caller=child)
    assert box.events(events.StallEnded)
    box.sleep(30.0)
    assert (box.status(below), box.agent(child).lent_to) == (["running"], below)


def test_a_lender_counts_as_waiting_for_its_borrower() -> None:
    box = Box(limit=1)
    ((parent, child),) = pollers(box, 1)
    box.sleep(30.0)
    box.wait(child, parent)
    assert box.refusal() == "cycle"


def test_an_agent_leaves_room_for_a_chain_of_agents_below_it() -> None:
    box = Box(limit=1, resident=4, depth=3)
    first, second, third = box.batch(*(spec(f"top{number}", priority=9) for number in range(3)))
    kid = box.spawn("kid", caller=first)
    box.wait(first, kid)
    box.wait(second, kid)
    assert box.status(first, second, third, kid) == ["waiting", "waiting", "queued", "running"]
    box.limit(limit=2)
    assert box.status(third) == ["queued"]
    sentence = why_queued(box.state, box.agent(third), box.now).sentence
    assert sentence == "3 of 4 resident slots are in use; 2 are reserved for child agents"


def test_agents_stuck_while_another_awaits_a_slot_are_announced_as_a_stall() -> None:
    box = Box(limit=1)
    parent, child = returning(box)
    assert box.status(parent, child) == ["waiting", "running"]
    stands_still(box, child)
    (began,) = box.events(events.StallBegan)
    assert (began.agents, "raise the limit by one with `orchctl limit`" in began.reason) == ((child,), True)
    sentence = reason(box.state, box.agent(child), box.now) or ""
    assert sentence == f"no progress while {parent} waits for a slot: it may need a lock or pipe of {parent}"
    stands_still(box)
    assert box.events(events.StallEnded)


def test_a_lender_reports_the_borrower_of_its_slot() -> None:
    box = Box(limit=1)
    parent, child = borrowing(box)
    sentence = f"lent its slot to {child}, which it depends on; `orchctl wait` releases a slot without delay"
    assert reason(box.state, box.agent(parent), box.now) == sentence


def test_slots_lent_above_the_limit_reduce_the_number_of_working_agents() -> None:
    box = Box(limit=2)
    (first, child), (second, other) = pollers(box)
    box.limit(limit=1)
    box.sleep(30.0)
    assert box.status(first, second, child, other) == ["waiting", "running", "queued", "queued"]
    assert (box.agent(first).lent_to, box.state.stalled_since) == (child, box.now)
    box.sleep(30.0)
    assert box.status(first, second, child, other) == ["waiting", "waiting", "queued", "running"]


def test_a_slot_reserved_for_chains_goes_to_a_needed_agent_without_lending() -> None:
    box = Box(limit=2, resident=4, depth=3)
    first, second = box.batch(spec("first"), spec("second"))
    kid = box.spawn("kid", caller=first)
    box.wait(second, kid)
    needed = box.spawn("needed", caller=first)
    box.wait(kid, needed)
    assert box.status(first, second, kid, needed) == ["running", "waiting", "waiting", "queued"]
    box.sleep(30.0)
    assert box.status(first, second, kid, needed) == ["running", "waiting", "waiting", "running"]
    assert box.done(Freeze) == []


def test_no_slot_is_lent_where_the_active_agents_could_deadlock() -> None:
    box = Box(limit=1, resident=3)
    parent = box.spawn("parent")
    child = box.spawn("child", caller=parent, nesting=2)
    box.sleep(30.0)
    (began,) = box.events(events.StallBegan)
    assert (began.agents, box.status(parent, child)) == ((parent,), ["running", "queued"])
