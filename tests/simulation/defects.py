"""Planted defects of the rules for agents that return, are frozen, or lend their slot, for a simulation to catch."""

from __future__ import annotations

from tests.core.planting import Mutant

BY_SIMULATION = "tests/simulation/test_simulation.py::test_a_defect_of_a_rule_for_slots_is_caught"


def _defect(promise: str, file: str, old: str, new: str, test: str = BY_SIMULATION) -> Mutant:
    return Mutant(promise, file, old, new, test)


def _history(name: str) -> str:
    """A short history: so rare that a simulation does not come to it within so few steps."""
    return f"tests/stateful/test_found.py::test_{name}"


DEFECTS = (
    _defect(
        "an agent whose wait expired works only in a slot",
        "handlers/returning.py",
        "may_overdraw = not state.is_strict and (",
        "may_overdraw = (",
    ),
    _defect(
        "an agent whose client was killed works only in a slot",
        "handlers/returning.py",
        "    elif _may_work(turn.state, agent):\n",
        "    elif agent is not None:\n",
    ),
    _defect(
        "an agent that works beside its wait takes a slot",
        "handlers/returning.py",
        "    if _may_work(turn.state, agent):\n",
        "    if agent is not None:\n",
    ),
    _defect(
        "what is frozen is really frozen",
        "handlers/returning.py",
        "    turn.do(Freeze(agent.id, agent.attempt))\n",
        "",
    ),
    _defect(
        "what is thawed runs in event",
        "handlers/returning.py",
        "        turn.do(Thaw(agent.id, agent.attempt))\n",
        "",
    ),
    _defect(
        "a wait that came true in time has not timed out",
        "handlers/returning.py",
        "            if is_late and not is_over(turn.state, wait):\n",
        "            if is_late and not wait.is_expired:\n",
        _history("a_wait_satisfied_in_time_does_not_time_out_before_a_late_reply"),
    ),
    _defect(
        "a new daemon freezes what the old one was to freeze",
        "handlers/processes.py",
        "        turn.do((Freeze if agent.has_frozen_tree else Thaw)(agent.id, agent.attempt))\n",
        "        turn.do(Thaw(agent.id, agent.attempt))\n",
    ),
    _defect(
        "time for which only a slot is missing counts for no timeout",
        "state/apply_waits.py",
        "        agent.started += at.mono - agent.held_since\n",
        "        pass\n",
        _history("the_time_of_a_withheld_reply_does_not_count_toward_a_timeout"),
    ),
    _defect(
        "no time-out passes while only a slot is missing",
        "handlers/processes.py",
        "None if timeout is None or started is None or agent.held_since is not None else",
        "None if timeout is None or started is None else",
    ),
    _defect(
        "a parent that waits in pieces does not keep its children out",
        "state/apply_waits.py",
        "    state.is_new_next = agent.waits.pop(event.request).is_expired\n",
        "    del agent.waits[event.request]\n",
        _history("a_parent_that_waits_in_pieces_does_not_block_its_children"),
    ),
    _defect(
        "an agent that returns goes before a new one",
        "handlers/schedule.py",
        "may_go_first = back is None or state.is_new_next",
        "may_go_first = True",
    ),
    _defect(
        "what is awaited again is waited for again",
        "handlers/control.py",
        "            turn.record(WaitReopened(waiter.id))\n",
        "            pass\n",
        _history("an_agent_with_a_withheld_reply_waits_again_for_a_retried_target"),
    ),
    _defect(
        "an agent leaves room for a chain below it",
        "admission/slots.py",
        "    return state.resident - below\n",
        "    return state.resident\n",
    ),
    _defect(
        "the room of a chain is used when nothing is at work",
        "handlers/schedule.py",
        "    if best is None and may_use_reserve and not working(state):\n",
        "    if best is None and now < 0:\n",
        _history("the_chain_reserve_is_used_when_no_agent_runs"),
    ),
    _defect(
        "a slot is lent to an agent whose wait is over",
        "handlers/stalls.py",
        "        elif is_returning(state, other):\n            yield other\n",
        "",
        _history("a_poller_lends_its_slot_to_an_agent_with_an_ended_wait"),
    ),
    _defect(
        "a slot is lent only when a stall has lasted",
        "handlers/stalls.py",
        "    if turn.now < state.stalled_since + state.stall_after:\n",
        "    if turn.now < state.stalled_since:\n",
    ),
    _defect(
        "over a lowered limit a lent slot is not given on",
        "handlers/stalls.py",
        "    if has_slot(state):\n        (admit",
        "    if state:\n        (admit",
    ),
    _defect(
        "a stall that cannot be broken is announced",
        "handlers/stalls.py",
        "        turn.record(StallBegan(tuple(agent.id for agent in at_work(state)), NO_ROOM))\n",
        "        return\n",
    ),
    _defect(
        "an agent that stands still in a lent slot is announced",
        "handlers/stalls.py",
        "    if state.standing and not state.is_stall_announced:\n",
        "    if not state.standing and not state.stall_after:\n",
    ),
    _defect(
        "the announcement of one that stands still ends",
        "handlers/stalls.py",
        "    elif state.is_stall_announced and not state.standing:\n",
        "    elif not state.stall_after:\n",
    ),
    _defect(
        "a lender runs on when its borrower has ended",
        "state/indexes.py",
        "    return agent.lent_to is None or not any(state.unfinished([agent.lent_to]))\n",
        "    return agent.lent_to is None\n",
    ),
    _defect(
        "an agent that lent its slot and never ran is queued again",
        "state/transitions.py",
        "    (S.WAITING, AttemptVoided): S.QUEUED,\n",
        "",
        _history("an_agent_that_lent_its_slot_and_never_ran_is_queued_again"),
    ),
)
