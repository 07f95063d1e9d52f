"""Planted defects: for every promise of the core a way to break it, and the test that notices.

`python -m tests.core.mutants` plants each in a copy of the package and prints which test killed it.
"""

from __future__ import annotations

from tests.core.mutants_of_conditions import OF_CONDITIONS
from tests.core.mutants_of_pausing import OF_PAUSING
from tests.core.mutants_of_scopes import OF_SCOPES
from tests.core.mutants_of_slots import OF_SLOTS
from tests.core.planting import Mutant, core, is_killed, story

FORESTS = "tests/stateful/test_forests.py::test_random_forests_end_or_are_refused"
SEVEN = "tests/stateful/test_forests.py::test_seven_parents_with_three_children_with_two_each_all_end"

MUTANTS = (
    Mutant(
        "no more agents are at work than the limit",
        "handlers/schedule.py",
        "if state.is_paused or state.spawn_backoff_until > now or not has_slot(state):",
        "if state.is_paused or state.spawn_backoff_until > now:",
        core("handlers/schedule", "no_agent_is_admitted_while_the_limit_is_overdrawn"),
    ),
    Mutant(
        "no more agents are alive than there are resident slots",
        "handlers/schedule.py",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line) or why_blocked(state, line, now):",
        "if not has_room(state, line) or why_blocked(state, line, now):",
        core("handlers/schedule", "the_resident_limit_bounds_the_active_agents"),
    ),
    Mutant(
        "a waiting agent gives its slot back",
        "admission/slots.py",
        "len(state.living) - len(state.waiting)",
        "len(state.living)",
        story("01-one-slot-and-a-nested-wait"),
    ),
    Mutant(
        "a slot is held until the tree is gone",
        "state/agents.py",
        "Status.RUNNING, Status.STOPPING})",
        "Status.RUNNING})",
        story("16-a-timeout-with-grace-then-kill"),
    ),
    Mutant(
        "the end of the process is not the end of its tree",
        "handlers/processes.py",
        "    if given.is_tree_gone:\n",
        "    if event:\n",
        core("handlers/schedule", "a_slot_is_held_until_the_whole_process_tree_is_gone"),
    ),
    Mutant(
        "an agent that returns needs a slot",
        "handlers/returning.py",
        "or (is_free and has_room(state, line_of(agent)))",
        "or agent",
        core("handlers/schedule", "the_reply_of_a_wait_is_withheld_until_a_slot_is_free"),
    ),
    Mutant(
        "an agent that returns goes before a new one",
        "handlers/schedule.py",
        "may_go_first = back is None or state.is_new_next",
        "may_go_first = bool(state)",
        story("02-parents-return-before-new-ones"),
    ),
    Mutant(
        "nesting never deadlocks: admissions are safe",
        "handlers/schedule.py",
        "        if is_safe_with(state, line.claim):\n",
        "        if state:\n",
        f"{FORESTS}[1]",
    ),
    Mutant(
        "nesting never deadlocks: safe is exact",
        "admission/slots.py",
        "free + index >= claim",
        "free + index + 1 >= claim",
        f"{FORESTS}[2]",
    ),
    Mutant(
        "what is safe is not refused",
        "admission/slots.py",
        "free + index >= claim",
        "free + index > claim",
        f"{SEVEN}[3-resident=limit-declared]",
    ),
    Mutant(
        "a wait that could deadlock is refused at once",
        "handlers/wait.py",
        "    if not is_safe_promoted(state, needed):\n",
        "    if not needed and turn is None:\n",
        f"{SEVEN}[7-resident=limit-undeclared]",
    ),
    Mutant(
        "agents that wait for a waiting agent are promoted with it",
        "admission/wait_graph.py",
        "if claim > state.living[agent_id].claim}",
        "if claim > state.living[agent_id].claim and waiter is not None and agent_id == waiter.id}",
        f"{FORESTS}[3]",
    ),
    Mutant(
        "a claim includes what is behind queued agents",
        "admission/wait_graph.py",
        "            frontier.extend(state.unfinished(agent.blockers))\n",
        "            continue\n",
        core("admission/wait_graph", "a_claim_is_one_more_than_the_largest_claim_behind_its_targets"),
    ),
    Mutant(
        "a cycle of waits is refused",
        "handlers/wait.py",
        "    if (path := path_to(state, unfinished, agent.id)) is not None:\n",
        "    if (path := path_to(state, unfinished, agent.id)) is not None and path is None:\n",
        story("06-a-cycle-is-refused-with-its-path"),
    ),
    Mutant(
        "a retry never deadlocks",
        "handlers/control.py",
        "    promote(turn, needed)\n",
        "",
        core("handlers/control", "an_agent_that_waits_for_a_retried_agent_is_promoted"),
    ),
    Mutant(
        "a retry closes no cycle",
        "handlers/control.py",
        "    cycle = cycle_from(_revived(state, agents), ids)\n",
        "    cycle = cycle_from(state, ids)\n",
        story("23-trying-again-what-somebody-waits-for"),
    ),
    Mutant(
        "an agent that can never start is not queued again",
        "handlers/control.py",
        "        if agent.spec.nesting >= state.resident:\n",
        "        if agent.spec.nesting < 0:\n",
        core("handlers/control", "a_retry_with_a_nesting_that_can_never_fit_is_refused"),
    ),
    Mutant(
        "a retry keeps the order of a chain",
        "handlers/control.py",
        "    for agent_id in blockers_first({agent.id: agent.spec.after for agent in agents.values()}):\n",
        "    for agent_id in agents:\n",
        story("09-a-chain-is-skipped"),
    ),
    Mutant(
        "a completed agent does not run again",
        "handlers/control.py",
        "if agent.status not in OVER - {Status.COMPLETED}:",
        "if agent.status not in OVER:",
        core("handlers/control", "a_retry_with_a_running_or_completed_agent_is_refused_entirely"),
    ),
    Mutant(
        "a wait is answered only when it is true",
        "state/indexes.py",
        "return unfinished == 0 or (wait.is_any and unfinished < len(wait.targets))",
        "return unfinished == 0 or unfinished < len(wait.targets)",
        core("handlers/wait", "a_wait_is_answered_when_its_last_target_has_ended"),
    ),
    Mutant(
        "a waiting client of a stopped agent gets a reply",
        "handlers/schedule.py",
        "    refuse_waits(turn, agent)\n    turn.record(StopBegan",
        "    turn.record(StopBegan",
        story("18-cancel-while-waiting"),
    ),
    Mutant(
        "a failed parent's children are cancelled",
        "handlers/processes.py",
        '    cancel_children(turn, agent, f"its parent {agent.id} did not complete")\n',
        "",
        story("07-a-parent-fails"),
    ),
    Mutant(
        "a cancel reaches all descendants",
        "handlers/control.py",
        "    for agent in turn.state.unfinished(below):\n",
        "    for agent in turn.state.unfinished(below[:0]):\n",
        core("handlers/control", "cancelling_a_tree_cancels_the_children_of_a_completed_parent"),
    ),
    Mutant(
        "a cancelled parent's children are cancelled",
        "handlers/schedule.py",
        '    cancel_children(turn, agent, f"its parent {agent.id} was cancelled")\n',
        "",
        core("handlers/schedule", "everything_under_a_cancelled_agent_is_cancelled"),
    ),
    Mutant(
        "a completed parent's children keep running",
        "handlers/processes.py",
        "        turn.record(AgentCompleted(agent.id))\n        return\n",
        "        turn.record(AgentCompleted(agent.id))\n",
        story("08-a-parent-completes"),
    ),
    Mutant(
        "dependents of an agent that did not complete are skipped, and their dependents too",
        "handlers/schedule.py",
        "    while turn.ended:\n",
        "    if turn.ended:\n",
        story("09-a-chain-is-skipped"),
    ),
    Mutant(
        "no agent starts before its dependencies have completed",
        "state/indexes.py",
        "        if why_never(state, dependent) is not None:\n            continue\n",
        "",
        core("handlers/schedule", "direct_and_indirect_dependents_of_an_incomplete_agent_are_skipped"),
    ),
    Mutant(
        "an input about an older attempt is ignored",
        "turn.py",
        "current.attempt == attempt and agent in self.state.living",
        "agent in self.state.living",
        story("17-stale-news-is-ignored"),
    ),
    Mutant(
        "no attempt number is used twice",
        "handlers/admit.py",
        "AttemptAdmitted(agent.id, agent.attempt + 1)",
        "AttemptAdmitted(agent.id, max(agent.attempt, 1))",
        story("10-retry-with-backoff"),
    ),
    Mutant(
        "the number of retries is bounded",
        "handlers/processes.py",
        "    if agent.tries < agent.spec.retries and not _is_cut_short(turn.state, agent):\n",
        "    if agent.spec.retries and not _is_cut_short(turn.state, agent):\n",
        story("10-retry-with-backoff"),
    ),
    Mutant(
        "a retry waits longer each time",
        "handlers/backoff.py",
        "2.0 ** min(tries, 20)",
        "2.0",
        core("handlers/backoff", "with_one_seed_each_try_doubles_the_delay_up_to_a_maximum"),
    ),
    Mutant(
        "an attempt that never ran is queued again",
        "handlers/processes.py",
        """        return
    if agent.cause is StopReason.CANCELLED:
""",
        """        return
    if agent.pid:
""",
        story("13-a-gate-that-never-opened"),
    ),
    Mutant(
        "a pause stops admissions",
        "handlers/schedule.py",
        "if state.is_paused or state.spawn_backoff_until > now or not has_slot(state):",
        "if state.spawn_backoff_until > now or not has_slot(state):",
        story("11-pause"),
    ),
    Mutant(
        "after the machine failed to start an agent no other is tried for a while",
        "handlers/schedule.py",
        "if state.is_paused or state.spawn_backoff_until > now or not has_slot(state):",
        "if state.is_paused or not has_slot(state):",
        story("21-the-machine-refuses"),
    ),
    Mutant(
        "an idle daemon does not spin",
        "state/indexes.py",
        "        state.spawn_backoff_until = 0.0\n",
        "        pass\n",
        core("decide", "a_hold_is_a_deadline_only_once_and_only_with_a_queued_agent"),
    ),
    Mutant(
        "a draining daemon starts only agents that alive agents need",
        "handlers/schedule.py",
        "    must_be_needed = state.is_draining\n",
        "    must_be_needed = False\n",
        story("19-drain"),
    ),
    Mutant(
        "a draining daemon starts agents that alive agents need",
        "admission/wait_graph.py",
        "    return awaited.union(*(state.children.get(agent_id, ()) for agent_id in state.living))\n",
        "    return awaited\n",
        core("admission/wait_graph", "a_child_of_an_active_agent_and_the_target_of_a_wait_are_needed"),
    ),
    Mutant(
        "a restarted daemon completes the stops that had begun",
        "handlers/processes.py",
        "    else:\n        _end_tree(turn, agent)\n",
        "",
        core("handlers/processes", "a_restarted_daemon_continues_to_end_a_stopping_agent"),
    ),
    Mutant(
        "a grace period ends with SIGKILL",
        "handlers/processes.py",
        "                turn.do(Kill(agent.id, agent.attempt))\n",
        "",
        story("16-a-timeout-with-grace-then-kill"),
    ),
    Mutant(
        "a blocked agent may be silent",
        "handlers/processes.py",
        "if silence is None or last is None or agent.status is not Status.RUNNING or agent.is_paused:",
        "if silence is None or last is None:",
        core("handlers/processes", "the_silence_of_a_waiting_agent_counts_only_from_its_return"),
    ),
    Mutant(
        "no agent starves",
        "handlers/schedule.py",
        "            must_be_needed = True\n",
        "            pass\n",
        core("handlers/schedule", "a_long_queued_agent_holds_back_agents_that_no_agent_needs"),
    ),
    Mutant(
        "a batch is all or nothing",
        "handlers/spawn.py",
        "        check_nesting(state, given.specs)\n",
        "        check_nesting(state, given.specs[:1])\n",
        core("handlers/spawn", "a_batch_with_one_invalid_agent_creates_no_agents"),
    ),
    Mutant(
        "an agent that must start at once is refused if it cannot",
        "handlers/spawn.py",
        "        if given.must_start:\n",
        "        if given.must_start and not given.specs:\n",
        core("handlers/spawn", "no_queue_is_an_error_when_the_limit_is_reached"),
    ),
    Mutant(
        "runaway agents are bounded",
        "handlers/spawn.py",
        "    if children + count > guards.children:\n",
        "    if children > guards.children:\n",
        core("handlers/spawn", "only_unfinished_children_are_counted"),
    ),
    Mutant(
        "a lowered limit never keeps alive agents from ending",
        "handlers/control.py",
        "    if not is_safe(resident, claims(state)):\n",
        "    if resident < 1:\n",
        story("12-the-limit-is-lowered-and-raised"),
    ),
    Mutant(
        "an index equals a recount",
        "state/indexes.py",
        "    state.living.pop(agent.id, None)\n",
        "",
        core("state/indexes", "a_finished_agent_is_in_no_index"),
    ),
    Mutant(
        "an agent that uses too much memory is killed at once",
        "handlers/processes.py",
        "StopReason.MEMORY, MEMORY))\n    turn.record(KillBegan",
        "StopReason.MEMORY, MEMORY))\n        return\n    turn.record(KillBegan",
        core("handlers/processes", "an_agent_over_its_memory_limit_is_killed_at_once_and_fails"),
    ),
    Mutant(
        "a shim that the kernel killed for the agent's memory limit is explained",
        "state/apply_attempts.py",
        "agent.cause = StopReason.MEMORY if is_over_bound else StopReason.ENDED",
        "agent.cause = StopReason.ENDED",
        core("handlers/processes", "an_agent_killed_by_the_kernel_for_its_memory_limit_fails[None]"),
    ),
    *OF_CONDITIONS,
    *OF_PAUSING,
    *OF_SCOPES,
    *OF_SLOTS,
)

if __name__ == "__main__":
    for one in MUTANTS:
        print("killed  " if is_killed(one) else "SURVIVES", one.promise, "|", one.test, flush=True)  # noqa: T201
