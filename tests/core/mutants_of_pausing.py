"""Planted defects of pausing and resuming agents."""

from __future__ import annotations

from tests.core.planting import Mutant


def _test(function: str) -> str:
    return f"tests/core/handlers/test_pausing.py::test_{function}"


OF_PAUSING = (
    Mutant(
        "a paused agent does not return",
        "admission/without_slot.py",
        "    if agent.status is not Status.WAITING or agent.is_paused:\n",
        "    if agent.status is not Status.WAITING:\n",
        _test("a_frozen_agent_that_is_paused_does_not_return_before_it_is_resumed"),
    ),
    Mutant(
        "a paused queued agent does not start",
        "state/indexes.py",
        "    if agent.is_paused:\n        return\n",
        "",
        _test("a_queued_agent_is_held_until_it_is_resumed"),
    ),
    Mutant(
        "paused time counts for no time-out",
        "state/apply_waits.py",
        "    if agent.started is not None and agent.held_since is None:\n",
        "    if agent.started is None and agent.held_since is None:\n",
        _test("paused_time_counts_for_no_time_out"),
    ),
    Mutant(
        "a paused agent keeps its slot",
        "handlers/pausing.py",
        "if given.is_slot_released and agent.status is Status.RUNNING:",
        "if agent.status is Status.RUNNING:",
        _test("a_running_agent_is_frozen_and_keeps_its_slot"),
    ),
    Mutant(
        "what is paused is really frozen",
        "handlers/pausing.py",
        "                turn.do(Freeze(agent.id, agent.attempt))\n",
        "                pass\n",
        _test("a_running_agent_is_frozen_and_keeps_its_slot"),
    ),
    Mutant(
        "an agent without a slot is not thawed when it is resumed",
        "handlers/pausing.py",
        "if agent.status is not Status.QUEUED and agent.frozen is None:",
        "if agent.status is not Status.QUEUED:",
        _test("a_paused_agent_releases_its_slot_on_request_and_resumes_in_a_slot"),
    ),
    Mutant(
        "the next daemon freezes what was paused",
        "handlers/processes.py",
        "Freeze if agent.has_frozen_tree else Thaw",
        "Freeze if agent.frozen else Thaw",
        _test("the_next_daemon_freezes_a_paused_agent_again"),
    ),
    Mutant(
        "a request on its way thaws no paused agent",
        "handlers/wait.py",
        "if agent.frozen is not None and not agent.is_paused:",
        "if agent.frozen is not None or agent.is_paused:",
        _test("a_wait_request_in_flight_leaves_a_paused_agent_frozen"),
    ),
    Mutant(
        "a paused agent is no part of a stall",
        "handlers/stalls.py",
        "if agent.status in WORKING and not agent.is_paused)",
        "if agent.status in WORKING)",
        _test("a_paused_agent_that_depends_on_no_other_hides_no_stall"),
    ),
    Mutant(
        "a held agent is no reason to lend a slot",
        "handlers/stalls.py",
        "is_held = other.is_paused or is_delayed or ",
        "is_held = is_delayed or ",
        _test("a_held_agent_is_no_reason_to_lend_a_slot"),
    ),
)
