"""Planted defects of what holds for runs, sessions and runners."""

from __future__ import annotations

from tests.core.planting import Mutant, core

OF_SCOPES = (
    Mutant(
        "maxParallel holds",
        "handlers/schedule.py",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line) or why_blocked(state, line, now):",
        "if not has_resident_slot(state, line.depth) or why_blocked(state, line, now):",
        core("handlers/run", "max_parallel_bounds_the_working_members_but_no_other_agent"),
    ),
    Mutant(
        "a held agent does not start",
        "handlers/schedule.py",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line) or why_blocked(state, line, now):",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line):",
        core("admission/blocking", "a_rate_limited_agent_is_queued_again_without_a_counted_try"),
    ),
    Mutant(
        "a rate-limited agent has not failed",
        "handlers/processes.py",
        "    elif (limited := _rate_limit_of(agent)) is not None and not _is_cut_short(turn.state, agent):\n"
        "        _defer(turn, agent, *limited)\n",
        "",
        core("admission/blocking", "a_rate_limited_agent_is_queued_again_without_a_counted_try"),
    ),
    Mutant(
        "of two rate limits the later counts",
        "handlers/processes.py",
        "    if known is None or known.wall < until:\n",
        "    if True:\n",
        core("admission/blocking", "the_latest_of_several_rate_limit_ends_counts"),
    ),
    Mutant(
        "an agent waits for its service only so often",
        "handlers/processes.py",
        "    if agent.rate_limits >= turn.state.rate_limit_waits:\n",
        "    if False:\n",
        core("admission/blocking", "an_agent_rate_limited_too_often_fails_with_the_service_message"),
    ),
    Mutant(
        "an agent waits for its service only so long",
        "handlers/processes.py",
        "    elif until - since > turn.state.rate_limit_time:\n",
        "    elif False:\n",
        core("admission/blocking", "an_agent_rate_limited_too_long_fails_with_the_service_message"),
    ),
    Mutant(
        "the time of all waits counts, not only of the last",
        "state/apply_attempts.py",
        "    agent.limited_since = at.wall if agent.limited_since is None else agent.limited_since\n",
        "    agent.limited_since = at.wall\n",
        core("admission/blocking", "an_agent_rate_limited_too_long_fails_with_the_service_message"),
    ),
    Mutant(
        "the cost of an attempt counts for its session",
        "state/apply_attempts.py",
        "                state.sessions[session].spent = report.spent.plus(state.sessions[session].spent)\n",
        "                pass\n",
        core("admission/blocking", "a_session_with_a_spent_budget_starts_no_agent_and_reports_why"),
    ),
    Mutant(
        "the cost of an attempt counts for its run",
        "state/apply_attempts.py",
        "                state.runs[member.run].spent = report.spent.plus(state.runs[member.run].spent)\n",
        "                pass\n",
        core("admission/blocking", "a_run_has_a_budget_of_its_own"),
    ),
    Mutant(
        "an agent's children belong to its session",
        "handlers/sessions.py",
        "    if parent is not None:\n        return parent.spec.session\n",
        "",
        core("handlers/sessions", "children_belong_to_the_session_of_their_parent_in_any_directory"),
    ),
    Mutant(
        "a nested group counts as one",
        "admission/slots.py",
        "        if group in busy:\n            return True\n",
        "",
        core("handlers/run", "a_nested_group_counts_as_one_member_of_its_parent_group"),
    ),
    Mutant(
        "a failure under fail-fast ends the other members",
        "handlers/schedule.py",
        "            _cut_short(turn, run, group)\n",
        "            pass\n",
        core("handlers/run", "fail_fast_stops_running_members_and_skips_the_rest"),
    ),
    Mutant(
        "an optional member fails no group",
        "state/runs.py",
        "self.failed += step * (is_required and how ",
        "self.failed += step * (how ",
        core("handlers/run", "a_failed_optional_member_fails_no_run_and_skips_its_dependents"),
    ),
    Mutant(
        "a run in which something required was skipped has failed",
        "state/runs.py",
        "if self.failed or self.missing else",
        "if self.failed else",
        core("handlers/run", "a_run_with_a_skipped_required_member_fails_and_stops_no_other"),
    ),
    Mutant(
        "what ran is not skipped",
        "handlers/schedule.py",
        "if agent.status is Status.QUEUED and (agent.tries or agent.rate_limits):",
        "if agent.status is Status.QUEUED and agent.attempt > 99:",
        core("handlers/run", "a_member_awaiting_its_retry_is_cancelled_with_its_group"),
    ),
    Mutant(
        "the longest path goes first",
        "state/indexes.py",
        "weight=member.weight",
        "weight=0.0",
        core("handlers/run", "the_longest_path_starts_first_whatever_the_order_of_members"),
    ),
    Mutant(
        "a run ends with its last member",
        "handlers/schedule.py",
        "    if not run.is_over:\n        turn.record(_ending_of(run))\n",
        "",
        core("handlers/run", "continue_on_error_runs_all_members_that_can_run"),
    ),
    Mutant(
        "a retry of a member resumes its run",
        "handlers/control.py",
        "            turn.record(RunResumed(member.run))\n",
        "            pass\n",
        core("handlers/run", "a_retried_run_continues_without_repeating_completed_members"),
    ),
)
