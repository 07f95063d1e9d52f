"""Faults that random histories have found, each as short as it can be."""

from __future__ import annotations

from dataclasses import replace

from orchd.core import inputs
from orchd.core.decide import next_deadline
from orchd.core.state.agents import AgentId, Spec
from tests.stateful.world import DEPTH, World, new_world

A, B, C, D = (AgentId(f"agent-00{number}") for number in (1, 2, 3, 4))


def spec(name: str, *after: AgentId, nesting: int = 0) -> Spec:
    """An agent that only its name matters of."""
    return Spec(("true",), name, "/", "e", after=after, nesting=nesting)


def end(world: World, agent_id: AgentId) -> None:
    """Its process ends well."""
    world.exit(world.procs[agent_id, world.look(agent_id).attempt], 0, has_rest=False)


def status(world: World, *ids: AgentId) -> list[str]:
    """Where they stand."""
    return [world.look(agent_id).status.value for agent_id in ids]


def stalled_for_long(world: World) -> None:
    """The stall of now lasts as long as it may."""
    world.sleep(world.state.stall_after)


def test_a_wait_satisfied_in_time_does_not_time_out_before_a_late_reply() -> None:
    world = new_world(1, 4)
    world.spawn(None, spec("a"))
    world.spawn(A, spec("b"))
    world.spawn(None, spec("c"))
    world.wait(A, (B,), is_any=False, timeout=5.0)
    world.tell(inputs.SetLimit(world.request(), 2, None))
    world.tell(inputs.SetLimit(world.request(), 1, None))
    end(world, B)
    assert status(world, A, B, C) == ["waiting", "completed", "running"]
    assert next_deadline(world.state) is None
    world.sleep(6.0)
    end(world, C)  # the reply that comes now is looked at by the world
    assert status(world, A) == ["running"]
    world.finish()


def test_a_poller_lends_its_slot_to_an_agent_with_an_ended_wait() -> None:
    world = new_world(2, 8)
    world.spawn(None, spec("a"))
    world.spawn(A, spec("b"))
    world.pollers.add(A)
    world.spawn(B, spec("c"))
    world.wait(B, (C,), is_any=False, timeout=None)
    world.tell(inputs.SetLimit(world.request(), 1, 8))
    end(world, C)
    assert status(world, A, B) == ["running", "waiting"]
    stalled_for_long(world)
    assert status(world, A, B) == ["waiting", "running"]
    end(world, B)
    assert status(world, A) == ["running"]
    world.finish()


def test_a_stall_of_pollers_is_announced_although_a_slot_is_free() -> None:
    world = new_world(3, 3)
    world.spawn(None, spec("a"), spec("b"))
    world.spawn(A, spec("c"))
    world.wait(A, (C,), is_any=False, timeout=None)
    world.spawn(B, spec("d"))
    world.pollers.add(B)
    world.spawn(C, spec("e"))
    world.pollers.add(C)
    assert status(world, A, B, C, D) == ["waiting", "running", "running", "queued"]
    stalled_for_long(world)
    assert world.state.is_stall_announced
    world.finish()


def test_an_awaited_agent_starts_in_the_chain_reserve_when_no_agent_runs() -> None:
    world = new_world(1, DEPTH)
    world.spawn(None, spec("a"), spec("b"))
    world.wait(A, (B,), is_any=False, timeout=None)
    assert status(world, A, B) == ["waiting", "running"]
    world.finish()


def test_a_poller_lends_its_slot_into_the_chain_reserve_as_a_last_resort() -> None:
    world = new_world(1, DEPTH)
    world.spawn(None, spec("a"), spec("b"))
    world.spawn(A, spec("c", B))
    world.pollers.add(A)
    stalled_for_long(world)
    assert status(world, A, B) == ["waiting", "running"]
    world.finish()


def test_a_no_queue_spawn_is_refused_when_only_the_chain_reserve_is_free() -> None:
    world = new_world(2, DEPTH + 1)
    world.spawn(None, spec("a"))
    world.spawn(A, spec("b"))
    world.wait(A, (B,), is_any=False, timeout=None)
    world.spawn(None, spec("c"), must_start=True)
    assert world.refusals == ["would-queue"]
    world.finish()


def test_a_lent_slot_is_not_passed_on_above_a_lowered_limit() -> None:
    world = new_world(2, 8)
    world.spawn(None, spec("a"), spec("b"))
    world.spawn(A, spec("c"))
    world.spawn(B, spec("d"))
    world.pollers |= {A, B}
    world.tell(inputs.SetLimit(world.request(), 1, 8))
    stalled_for_long(world)
    assert sorted(status(world, A, B, C, D)) == ["queued", "queued", "running", "waiting"]
    stalled_for_long(world)
    assert status(world, A, B) == ["waiting", "waiting"]
    assert sorted(status(world, C, D)) == ["queued", "running"]
    world.finish()


def test_an_agent_that_lent_its_slot_and_never_ran_is_queued_again() -> None:
    world = new_world(1, DEPTH)
    world.state.stall_after = 0.0
    world.spawn(None, spec("a"))
    world.spawn(A, replace(spec("b"), priority=-1))
    world.tell(inputs.Cancel(world.request(), (A,)))
    while world.procs:
        world.exit(next(iter(world.procs.values())), 143, has_rest=False)
    world.crash = "after"  # A is admitted, and lends its slot to B
    world.retry((A, B))
    assert world.look(A).attempt > 1
    world.finish()


def test_a_parent_that_waits_in_pieces_does_not_block_its_children() -> None:
    world = new_world(3, 12)
    world.spawn(None, spec("a"), spec("b"), spec("c"))
    world.tell(inputs.SetLimit(world.request(), 1, 12))
    world.spawn(A, spec("d"))
    for parent in (A, B):
        world.wait(parent, (D,), is_any=False, timeout=5.0)
    world.sleep(5.0)
    end(world, C)
    assert status(world, A, B, D) == ["running", "waiting", "queued"]
    world.wait(A, (D,), is_any=False, timeout=5.0)
    assert status(world, A, B, D) == ["waiting", "waiting", "running"]
    world.finish()


def test_the_time_of_a_withheld_reply_does_not_count_toward_a_timeout() -> None:
    world = new_world(2, 8)
    world.spawn(None, replace(spec("a"), timeout=20.0), spec("b"))
    world.spawn(A, spec("c"))
    world.wait(A, (C,), is_any=False, timeout=5.0)
    world.tell(inputs.SetLimit(world.request(), 1, 8))
    world.sleep(5.0)
    world.sleep(100.0)
    assert status(world, A, B, C) == ["waiting", "running", "running"]
    end(world, C)
    end(world, B)
    world.sleep(14.0)
    assert status(world, A) == ["running"]
    world.sleep(1.0)
    assert status(world, A) == ["stopping"]
    world.finish()


def test_an_agent_with_a_withheld_reply_waits_again_for_a_retried_target() -> None:
    world = new_world(2, 8)
    world.spawn(None, replace(spec("a"), timeout=20.0), spec("b"))
    world.spawn(A, spec("c"))
    world.wait(A, (C,), is_any=False, timeout=None)
    world.tell(inputs.SetLimit(world.request(), 1, 8))
    world.exit(world.procs[C, 1], 1, has_rest=False)
    world.retry((C,))
    assert status(world, A, B, C) == ["waiting", "running", "queued"]
    world.sleep(20.0)  # it waits, and not only for a slot: this time counts
    assert status(world, A) == ["stopping"]
    world.finish()


def test_the_chain_reserve_is_used_when_no_agent_runs() -> None:
    world = new_world(1, 4)
    world.spawn(None, spec("a"), spec("b"))
    assert status(world, A, B) == ["running", "queued"]
    world.wait(A, (B,), is_any=False, timeout=None)
    assert status(world, A, B) == ["waiting", "running"]
    end(world, B)
    end(world, A)
    world.finish()
