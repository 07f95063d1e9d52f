"""Planted defects of what holds for runs, sessions and runners."""

from __future__ import annotations

from tests.core.planting import Mutant, core

OF_SCOPES = (
    Mutant(
        "maxParallel holds",
        "handlers/schedule.py",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line) or why_blocked(state, line, now):",
        "if not has_resident_slot(state, line.depth) or why_blocked(state, line, now):",
        core("handlers/run", "max_parallel_bounds_the_members_of_a_group_that_work_and_holds_up_no_other_agent"),
    ),
    Mutant(
        "a held agent does not start",
        "handlers/schedule.py",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line) or why_blocked(state, line, now):",
        "if not has_resident_slot(state, line.depth) or not has_room(state, line):",
        core("admission/blocking", "one_that_was_turned_away_is_queued_again_and_loses_nothing"),
    ),
    Mutant(
        "a rate-limited agent has not failed",
        "handlers/processes.py",
        "    elif (limited := _rate_limit_of(agent)) is not None and not _is_cut_short(turn.state, agent):\n"
        "        _defer(turn, agent, *limited)\n",
        "",
        core("admission/blocking", "one_that_was_turned_away_is_queued_again_and_loses_nothing"),
    ),
    Mutant(
        "of two rate limits the later counts",
        "handlers/processes.py",
        "    if known is None or known.wall < until:\n",
        "    if True:\n",
        core("admission/blocking", "of_two_times_the_later_one_counts"),
    ),
    Mutant(
        "an agent waits for its service only so often",
        "handlers/processes.py",
        "    if agent.rate_limits >= turn.state.rate_limit_waits:\n",
        "    if False:\n",
        core("admission/blocking", "one_that_is_turned_away_too_often_fails_in_the_words_of_its_service"),
    ),
    Mutant(
        "an agent waits for its service only so long",
        "handlers/processes.py",
        "    elif until - since > turn.state.rate_limit_time:\n",
        "    elif False:\n",
        core("admission/blocking", "one_that_is_turned_away_for_too_long_fails_in_the_words_of_its_service"),
    ),
    Mutant(
        "the time of all waits counts, not only of the last",
        "state/apply_attempts.py",
        "    agent.limited_since = at.wall if agent.limited_since is None else agent.limited_since\n",
        "    agent.limited_since = at.wall\n",
        core("admission/blocking", "one_that_is_turned_away_for_too_long_fails_in_the_words_of_its_service"),
    ),
    Mutant(
        "the cost of an attempt counts for its session",
        "state/apply_attempts.py",
        "                state.sessions[session].spent = report.spent.plus(state.sessions[session].spent)\n",
        "                pass\n",
        core("admission/blocking", "a_session_that_has_spent_its_budget_starts_nothing_more_and_says_so"),
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
        core("handlers/sessions", "an_agents_own_belong_to_its_session_wherever_it_spawns_them"),
    ),
    Mutant(
        "a nested group counts as one",
        "admission/slots.py",
        "        if group in busy:\n            return True\n",
        "",
        core("handlers/run", "a_nested_group_counts_as_one_in_the_group_around_it"),
    ),
    Mutant(
        "a failure under fail-fast ends the other members",
        "handlers/schedule.py",
        "            _cut_short(turn, run, group)\n",
        "            pass\n",
        core("handlers/run", "fail_fast_ends_what_runs_and_skips_the_rest"),
    ),
    Mutant(
        "an optional member fails no group",
        "state/runs.py",
        "self.failed += step * (is_required and how ",
        "self.failed += step * (how ",
        core("handlers/run", "what_is_optional_fails_nothing_and_what_comes_after_it_is_skipped"),
    ),
    Mutant(
        "a run in which something required was skipped has failed",
        "state/runs.py",
        "if self.failed or self.missing else",
        "if self.failed else",
        core("handlers/run", "a_run_in_which_something_required_was_skipped_has_failed_and_ends_nothing_else"),
    ),
    Mutant(
        "what ran is not skipped",
        "handlers/schedule.py",
        "if agent.status is Status.QUEUED and (agent.tries or agent.rate_limits):",
        "if agent.status is Status.QUEUED and agent.attempt > 99:",
        core("handlers/run", "what_ran_and_was_to_be_tried_again_is_cancelled_with_its_group_and_not_skipped"),
    ),
    Mutant(
        "the longest path goes first",
        "state/indexes.py",
        "weight=member.weight",
        "weight=0.0",
        core("handlers/run", "the_longest_way_to_the_end_starts_first_whatever_the_order_in_the_list"),
    ),
    Mutant(
        "a run ends with its last member",
        "handlers/schedule.py",
        "    if not run.is_over:\n        turn.record(_ending_of(run))\n",
        "",
        core("handlers/run", "continue_on_error_runs_all_that_can"),
    ),
    Mutant(
        "a retry of a member resumes its run",
        "handlers/control.py",
        "            turn.record(RunResumed(member.run))\n",
        "            pass\n",
        core("handlers/run", "a_retry_goes_on_where_it_was"),
    ),
)
