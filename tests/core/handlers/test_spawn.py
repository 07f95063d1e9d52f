"""The one way in: all of a request or none of it, and every refusal by its code."""

from __future__ import annotations

import pytest

from orchd.core import inputs
from orchd.core.effects import Answer, Launch, Refuse, Release
from orchd.core.state import events
from orchd.core.state.agents import AgentId, Level, Status, agent_id
from orchd.core.state.ready_queue import AGING_SECONDS
from tests.core.box import Box, names, spec


def after(*labels: str) -> tuple[AgentId, ...]:
    """Names or ids that an agent comes after."""
    return tuple(AgentId(label) for label in labels)


def test_an_agent_that_fits_starts_in_the_turn_of_its_request() -> None:
    box = Box()
    agent_id = box.spawn()
    assert box.status(agent_id) == ["running"]
    assert names(box.turn.events) == ["AgentQueued", "AttemptAdmitted", "AttemptStarted"]
    assert names(box.turn.effects) == ["Answer", "Release"]


def test_an_agent_that_does_not_fit_is_queued_and_not_refused() -> None:
    box = Box(limit=1)
    first, second = box.batch(spec("a"), spec("b"))
    assert box.status(first, second) == ["running", "queued"]
    assert box.refusal() is None


def test_roots_have_level_pm_and_descendants_record_their_ancestors() -> None:
    box = Box()
    root = box.spawn()
    child = box.spawn(caller=root)
    grandchild = box.spawn(caller=child)
    assert [box.agent(agent_id).level for agent_id in (root, child)] == [Level.PM, Level.SUB_SKILL]
    assert box.agent(grandchild).ancestors == (root, child)


def test_ids_are_answered_in_the_order_of_the_request() -> None:
    box = Box()
    agents = box.batch(spec("last", after=after("first")), spec("first"))
    assert agents == (agent_id(1), agent_id(2))
    assert [event.agent for event in box.events(events.AgentQueued)] == [agent_id(2), agent_id(1)]
    assert box.status(*agents) == ["queued", "running"]
    assert box.agent(agents[0]).spec.after == (agent_id(2),)


def test_an_empty_batch_creates_no_agents() -> None:
    box = Box()
    assert box.batch() == ()
    assert names(box.turn.effects) == ["Answer"]


def test_batch_names_precede_ids_and_repeated_blockers_count_once() -> None:
    box = Box(limit=1)
    box.spawn()
    later, same = box.batch(spec("x", after=after("agent-001", "agent-001", "y")), spec("y"))
    assert box.agent(later).spec.after == (agent_id(1), same)
    (tricky, _) = box.batch(spec("x", after=after("agent-001")), spec("agent-001"))
    assert box.agent(tricky).spec.after == (agent_id(5),)


def test_an_agent_after_a_completed_blocker_starts_at_once() -> None:
    box = Box()
    agent_id = box.spawn()
    box.exit(agent_id)
    assert box.status(box.spawn(after=(agent_id,))) == ["running"]


def test_an_agent_after_a_failed_blocker_is_skipped_with_its_dependents() -> None:
    box = Box()
    agent_id = box.spawn()
    box.exit(agent_id, 1)
    agents = box.batch(spec("a", after=(agent_id,)), spec("b", after=after("a")), spec("c"))
    assert box.status(*agents) == ["skipped", "skipped", "running"]
    assert box.agent(agents[1]).reason == f"{agents[0]} did not complete: skipped"


REFUSED = {
    "cycle": [spec("a", after=after("b")), spec("b", after=after("a"))],
    "ambiguous": [spec("a"), spec("a"), spec("b", after=after("a"))],
    "unknown-agent": [spec("a"), spec("b", after=after("agent-077"))],
    "nesting-too-large": [spec("a"), spec("b", nesting=4)],
}


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_a_batch_with_one_invalid_agent_creates_no_agents(code: str) -> None:
    box = Box(resident=4)
    assert box.batch(*REFUSED[code]) == ()
    assert box.refusal() == code
    assert box.turn.events == []
    assert box.state.last_number == 0


def test_a_cycle_is_refused_with_its_path() -> None:
    box = Box()
    box.batch(*REFUSED["cycle"])
    (refusal,) = box.done(Refuse)
    assert refusal.details["path"] in (["a", "b", "a"], ["b", "a", "b"])
    assert " -> ".join(refusal.details["path"]) in refusal.message


def test_an_agent_after_itself_is_a_cycle() -> None:
    box = Box()
    box.batch(spec("a", after=after("a")))
    assert box.refusal() == "cycle"


def test_nesting_that_just_fits_is_accepted() -> None:
    box = Box(resident=4)
    assert box.status(box.spawn(nesting=3)) == ["running"]


def test_the_deepest_level_may_not_spawn() -> None:
    box = Box(depth=2)
    child = box.spawn(caller=box.spawn())
    box.batch(spec(), caller=child)
    assert box.refusal() == "too-deep"


def test_only_unfinished_children_are_counted() -> None:
    box = Box(children=2)
    parent = box.spawn()
    first, _ = box.batch(spec("a"), spec("b"), caller=parent)
    box.batch(spec(), caller=parent)
    assert box.refusal() == "too-many-children"
    box.exit(first)
    box.spawn(caller=parent)
    assert len(box.state.children[parent]) == 2


def test_a_spawn_beyond_the_agent_count_of_a_tree_is_refused() -> None:
    box = Box(agents=10)
    parent = box.spawn()
    assert box.batch(spec(), caller=parent, kin=9)
    box.batch(spec(), caller=parent, kin=10)
    assert box.refusal() == "too-many-agents"


def test_guards_do_not_limit_a_caller_outside_any_agent() -> None:
    box = Box(limit=1, children=1, agents=1, depth=1)
    assert len(box.batch(*(spec(f"n{number}") for number in range(5)))) == 5


@pytest.mark.parametrize("end", ["stopping", "over"])
def test_a_stopping_or_finished_agent_cannot_spawn(end: str) -> None:
    box = Box()
    parent = box.spawn()
    if end == "stopping":
        box.cancel(parent)
    else:
        box.exit(parent)
    box.batch(spec(), caller=parent)
    assert box.refusal() == "stopping"


@pytest.mark.parametrize("is_inside", [False, True])
def test_a_draining_daemon_refuses_new_agents(is_inside: bool) -> None:
    box = Box()
    parent = box.spawn()
    box.drain()
    box.batch(spec(), caller=parent if is_inside else None)
    assert box.refusal() == "stopping"


def test_a_waiting_agent_may_spawn() -> None:
    box = Box()
    parent = box.spawn()
    box.wait(parent, box.spawn(caller=parent))
    assert box.status(parent, box.spawn(caller=parent)) == ["waiting", "running"]


def test_no_queue_agents_start_when_all_of_them_fit() -> None:
    box = Box(limit=2)
    assert box.status(*box.batch(spec("a"), spec("b"), must_start=True)) == ["running", "running"]


def asked_at_once(box: Box, *specs: object, **fields: object) -> str | None:
    """The code with which a request that must not be queued is refused."""
    box.tell(inputs.SpawnAgents(box.request(), None, specs or (spec(**fields),), must_start=True))  # type: ignore[arg-type]
    return box.refusal()


def test_no_queue_is_an_error_when_the_limit_is_reached() -> None:
    box = Box(limit=1)
    assert asked_at_once(box, spec("a"), spec("b")) == "would-queue"
    box.spawn()
    assert asked_at_once(box) == "would-queue"


def test_a_refusal_of_no_queue_counts_agents_as_status_does() -> None:
    box = Box(limit=1)
    box.tell(inputs.SpawnAgents(box.request(), None, (spec("a"), spec("b")), must_start=True))
    (refusal,) = box.replies().values()
    assert isinstance(refusal, Refuse)
    counts = f"0 of 1 slots are in use, 0 of {box.state.resident} agents are alive"
    assert refusal.message == f"cannot start 2 agents now: {counts}; omit --no-queue to queue them"
    box.spawn()
    box.tell(inputs.SpawnAgents(box.request(), None, (spec("a"),), must_start=True))
    (refusal,) = box.replies().values()
    assert isinstance(refusal, Refuse)
    assert refusal.message.startswith("cannot start 1 agent now: 1 of 1 slots are in use, 1 of ")
    assert refusal.message.endswith(" agents are alive; omit --no-queue to queue it")


def test_a_refusal_of_no_queue_counts_the_slots_that_are_kept_free() -> None:
    box = Box(limit=1, resident=3)
    kept = box.state.guards.depth - 1
    parent = box.spawn(nesting=1)
    box.wait(parent, box.spawn(caller=parent))
    box.tell(inputs.SpawnAgents(box.request(), None, (spec("c"),), must_start=True))
    (refusal,) = box.replies().values()
    assert isinstance(refusal, Refuse)
    assert f", 2 of 3 agents are alive and {kept} slots are kept free for agents below;" in refusal.message


def test_no_queue_is_an_error_when_the_resident_slots_are_taken() -> None:
    box = Box(limit=2, resident=3)
    parents = box.batch(spec("a", nesting=1), spec("b", nesting=1))
    children = [box.spawn(caller=parent) for parent in parents]
    box.wait(parents[0], children[0])
    box.wait(parents[1], children[1])
    assert box.status(*parents, *children) == ["waiting", "waiting", "running", "queued"]
    assert asked_at_once(box) == "would-queue"


def test_no_queue_is_an_error_where_the_agent_could_deadlock() -> None:
    box = Box(resident=2)
    box.spawn(nesting=1)
    assert asked_at_once(box, nesting=1) == "would-queue"


def test_no_queue_is_an_error_while_paused_or_held_or_blocked() -> None:
    box = Box()
    running = box.spawn()
    assert asked_at_once(box, after=(running,)) == "would-queue"
    assert asked_at_once(box, spec("a"), spec("b", after=after("a"))) == "would-queue"
    box.pause()
    assert asked_at_once(box) == "would-queue"
    box.resume()
    box.broken[agent_id(2)] = ("no pids", True)
    box.spawn()
    assert asked_at_once(box) == "would-queue"
    box.sleep(1.0)
    assert asked_at_once(box) is None


def test_no_queue_is_an_error_while_another_agent_has_waited_too_long() -> None:
    box = Box(limit=3, resident=3)
    box.spawn(nesting=2)
    old = box.spawn(nesting=2)
    assert asked_at_once(box, nesting=1) is None
    box.exit(agent_id(3))
    box.sleep(AGING_SECONDS + 1)
    assert box.status(old) == ["queued"]
    assert asked_at_once(box, nesting=1) == "would-queue"
    assert asked_at_once(box) is None


def test_a_spawned_agent_is_launched_then_answered_then_released() -> None:
    box = Box()
    box.spawn()
    assert [type(effect) for effect in box.turn.effects] == [Answer, Release]
    assert not [effect for effect in box.turn.effects if isinstance(effect, Launch)]


def test_a_child_records_the_attempt_of_its_parent() -> None:
    box = Box()
    parent = box.spawn(retries=1)
    box.exit(parent, 1)
    box.sleep(10.0)
    child = box.spawn(caller=parent)
    assert (box.agent(parent).attempt, box.agent(child).parent_attempt) == (2, 2)
    assert box.agent(parent).parent_attempt == 0
    assert box.are(Status.RUNNING) == {parent, child}
