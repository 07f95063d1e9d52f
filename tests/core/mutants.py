"""Planted defects: for every promise of the core a way to break it, and the test that notices.

`python -m tests.core.mutants` plants each in a copy of the package and prints which test killed it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COPIED = ("orchd", "orchctl", "tests")


class Mutant(NamedTuple):
    """One defect: `old`, which occurs once in `file`, becomes `new`, and `test` fails."""

    promise: str
    file: str
    old: str
    new: str
    test: str


def core(module: str, function: str) -> str:
    """A test of one module."""
    return f"tests/core/test_{module}.py::test_{function}"


def story(name: str) -> str:
    """A transcript."""
    return f"tests/transcripts/test_transcripts.py::test_a_story_goes_as_it_is_told[{name}]"


FORESTS = "tests/stateful/test_forests.py::test_random_forests_end_or_are_told_that_they_could_not"
SEVEN = "tests/stateful/test_forests.py::test_seven_parents_with_three_children_with_two_each_all_end"

MUTANTS = (
    Mutant(
        "no more work than the limit says",
        "settle.py",
        "if not has_working_place(state) or not has_resident_place(state):",
        "if not has_resident_place(state):",
        core("settle", "nobody_is_admitted_while_the_limit_is_overdrawn"),
    ),
    Mutant(
        "no more live than there are resident places",
        "settle.py",
        "if not has_working_place(state) or not has_resident_place(state):",
        "if not has_working_place(state):",
        core("settle", "the_resident_places_bound_the_living"),
    ),
    Mutant(
        "a waiting agent gives its working place back",
        "model.py",
        "WORKING = frozenset({Status.STARTING,",
        "WORKING = frozenset({Status.WAITING, Status.STARTING,",
        story("01-one-place-and-a-nested-wait"),
    ),
    Mutant(
        "a place is held until the tree is gone",
        "model.py",
        "Status.RUNNING, Status.STOPPING})",
        "Status.RUNNING})",
        story("16-a-timeout-with-grace-then-kill"),
    ),
    Mutant(
        "the end of the process is not the end of its tree",
        "happen.py",
        "    if event.is_tree_gone:\n",
        "    if event:\n",
        core("settle", "a_place_is_kept_until_the_whole_tree_is_gone"),
    ),
    Mutant(
        "who returns needs a place",
        "settle.py",
        "if len(agent.waits) > 1 or (has_working_place(turn.state) and has_room(turn.state, line_of(agent))):",
        "if agent.waits:",
        core("settle", "the_end_of_a_wait_is_withheld_until_there_is_a_place"),
    ),
    Mutant(
        "who returns goes before who is new",
        "settle.py",
        "    _answer_waits(turn)\n    ripen(turn.state, turn.now)\n",
        "    ripen(turn.state, turn.now)\n",
        story("02-parents-return-before-new-ones"),
    ),
    Mutant(
        "nesting never deadlocks: admissions are safe",
        "settle.py",
        "        if is_safe_with(state, line.claim):\n",
        "        if state:\n",
        f"{FORESTS}[1]",
    ),
    Mutant(
        "nesting never deadlocks: safe is exact",
        "places.py",
        "free + index >= claim",
        "free + index + 1 >= claim",
        f"{FORESTS}[2]",
    ),
    Mutant(
        "what is safe is not refused",
        "places.py",
        "free + index >= claim",
        "free + index > claim",
        f"{SEVEN}[3-resident=limit-declared]",
    ),
    Mutant(
        "a wait that could deadlock is refused at once",
        "waiting.py",
        "    if not is_safe_promoted(turn.state, needed):\n",
        "    if not needed and turn is None:\n",
        f"{SEVEN}[7-resident=limit-undeclared]",
    ),
    Mutant(
        "those that wait for a waiter are promoted with it",
        "graph.py",
        "if claim > state.living[one].claim}",
        "if claim > state.living[one].claim and waiter is not None and one == waiter.id}",
        f"{FORESTS}[3]",
    ),
    Mutant(
        "a claim looks behind what is queued",
        "graph.py",
        "            frontier.extend(state.unfinished(agent.spec.after))\n",
        "            continue\n",
        core("graph", "a_claim_is_one_more_than_the_largest_below_also_behind_what_is_queued"),
    ),
    Mutant(
        "a cycle of waits is refused",
        "waiting.py",
        "    if (path := path_to(turn.state, unfinished, agent.id)) is not None:\n",
        "    if (path := path_to(turn.state, unfinished, agent.id)) is not None and path is None:\n",
        story("06-a-cycle-is-refused-with-its-path"),
    ),
    Mutant(
        "trying again never deadlocks",
        "steering.py",
        "    promote(turn, needed)\n",
        "",
        core("steering", "who_waits_for_what_is_tried_again_is_promoted"),
    ),
    Mutant(
        "trying again closes no cycle",
        "steering.py",
        "    return _cycle_through(_revived(state, agents), agents)\n",
        "    return None\n",
        story("23-trying-again-what-somebody-waits-for"),
    ),
    Mutant(
        "what could never start is not queued again",
        "steering.py",
        "        if agent.spec.nesting >= state.resident:\n",
        "        if agent.spec.nesting < 0:\n",
        core("steering", "what_could_never_start_is_not_queued_again"),
    ),
    Mutant(
        "trying again keeps the order of a chain",
        "steering.py",
        "    for one in blockers_first({agent.id: agent.spec.after for agent in agents.values()}):\n",
        "    for one in agents:\n",
        story("09-a-chain-is-skipped"),
    ),
    Mutant(
        "nothing that completed runs again",
        "steering.py",
        "if agent.status not in OVER - {Status.COMPLETED}:",
        "if agent.status not in OVER:",
        core("steering", "only_what_ended_badly_is_tried_again_and_all_or_none"),
    ),
    Mutant(
        "a wait is answered only when it is true",
        "settle.py",
        "return unfinished == 0 or (wait.is_any and unfinished < len(wait.targets))",
        "return unfinished == 0 or unfinished < len(wait.targets)",
        core("waiting", "a_wait_is_answered_when_the_last_has_ended"),
    ),
    Mutant(
        "a wait that timed out is answered",
        "settle.py",
        "                turn.answer(wait.request, *wait.targets, timed_out=not is_satisfied(turn.state, wait))\n",
        "",
        story("03-a-deadline-overdraws-the-limit"),
    ),
    Mutant(
        "a wait whose time is up is over, place or no place",
        "settle.py",
        "if wait.deadline is not None and wait.deadline <= turn.now:",
        "if wait.deadline is not None and wait.deadline <= turn.now and not is_satisfied(turn.state, wait):",
        core("decide", "a_withheld_end_of_a_wait_is_no_deadline_once_its_time_was_up"),
    ),
    Mutant(
        "a client of an agent that is stopped is told",
        "settle.py",
        "    refuse_waits(turn, agent)\n    turn.record(StopBegan",
        "    turn.record(StopBegan",
        story("18-cancel-while-waiting"),
    ),
    Mutant(
        "an agent whose client died is not blocked",
        "happen.py",
        "        end_wait(turn, agent, wait)\n",
        "        return\n",
        story("22-a-blocked-client-dies"),
    ),
    Mutant(
        "a failed parent's children are cancelled",
        "happen.py",
        '    cancel_children(turn, agent, f"its parent {agent.id} did not complete")\n',
        "",
        story("07-a-parent-fails"),
    ),
    Mutant(
        "cancelling reaches all that is below",
        "steering.py",
        "    for agent in turn.state.unfinished(below):\n",
        "    for agent in turn.state.unfinished(below[:0]):\n",
        core("steering", "cancelling_a_tree_reaches_what_a_completed_parent_left_behind"),
    ),
    Mutant(
        "a cancelled parent's children are cancelled",
        "settle.py",
        '    cancel_children(turn, agent, f"its parent {agent.id} was cancelled")\n',
        "",
        core("settle", "everything_under_a_cancelled_agent_is_cancelled"),
    ),
    Mutant(
        "a completed parent's children go on",
        "happen.py",
        "        turn.record(AgentCompleted(agent.id))\n        return\n",
        "        turn.record(AgentCompleted(agent.id))\n",
        story("08-a-parent-completes"),
    ),
    Mutant(
        "what comes after a bad end is skipped, and what comes after that",
        "settle.py",
        "    while turn.ended:\n",
        "    if turn.ended:\n",
        story("09-a-chain-is-skipped"),
    ),
    Mutant(
        "nothing starts before what it comes after has completed",
        "index.py",
        "        if why_never(state, dependent) is not None:\n            continue\n",
        "",
        core("settle", "what_comes_after_a_bad_end_is_skipped_and_what_comes_after_that"),
    ),
    Mutant(
        "news of an older attempt is stale",
        "turn.py",
        "found.attempt == attempt and agent in self.state.living",
        "agent in self.state.living",
        story("17-stale-news-is-ignored"),
    ),
    Mutant(
        "no attempt number is given out twice",
        "settle.py",
        "AttemptAdmitted(agent.id, agent.attempt + 1)",
        "AttemptAdmitted(agent.id, max(agent.attempt, 1))",
        story("10-retry-with-backoff"),
    ),
    Mutant(
        "retries have an end",
        "happen.py",
        "    if agent.tries < agent.spec.retries and not _is_cut_short(turn.state, agent):\n",
        "    if agent.spec.retries and not _is_cut_short(turn.state, agent):\n",
        story("10-retry-with-backoff"),
    ),
    Mutant(
        "a retry waits longer each time",
        "retry.py",
        "2.0 ** min(tries, 20)",
        "2.0",
        core("retry", "with_one_seed_each_try_waits_twice_as_long_up_to_the_most"),
    ),
    Mutant(
        "an attempt that never ran is queued again",
        "happen.py",
        """        return
    if agent.cause is Cause.CANCELLED:
""",
        """        return
    if agent.pid:
""",
        story("13-a-gate-that-never-opened"),
    ),
    Mutant(
        "a pause stops admissions",
        "settle.py",
        "if state.is_paused or state.held_until > now:",
        "if state.held_until > now:",
        story("11-pause"),
    ),
    Mutant(
        "when the machine refuses nobody is tried for a while",
        "settle.py",
        "if state.is_paused or state.held_until > now:",
        "if state.is_paused:",
        story("21-the-machine-refuses"),
    ),
    Mutant(
        "an idle daemon does not spin",
        "index.py",
        "        state.held_until = 0.0\n",
        "        pass\n",
        core("decide", "a_hold_is_due_only_while_somebody_is_queued_and_only_once"),
    ),
    Mutant(
        "a daemon on its way out starts only what the living need",
        "settle.py",
        "    must_be_needed = state.is_draining\n",
        "    must_be_needed = False\n",
        story("19-drain"),
    ),
    Mutant(
        "a daemon on its way out starts what the living need",
        "graph.py",
        "    return awaited.union(*(state.children.get(one, ()) for one in state.living))\n",
        "    return awaited\n",
        core("graph", "a_child_of_something_living_is_needed_and_so_is_what_somebody_waits_for"),
    ),
    Mutant(
        "a restarted daemon ends what was being ended",
        "happen.py",
        "    else:\n        _end_tree(turn, agent)\n",
        "",
        core("happen", "after_a_restart_what_was_being_ended_is_ended_further"),
    ),
    Mutant(
        "grace ends with a kill",
        "happen.py",
        "                turn.do(Kill(agent.id, agent.attempt))\n",
        "",
        story("16-a-timeout-with-grace-then-kill"),
    ),
    Mutant(
        "who is blocked may be silent",
        "happen.py",
        "if silence is None or last is None or agent.status is not Status.RUNNING:",
        "if silence is None or last is None:",
        core("happen", "who_is_blocked_may_be_silent_and_begins_to_be_when_it_returns"),
    ),
    Mutant(
        "nobody starves",
        "settle.py",
        "            must_be_needed = True\n",
        "            pass\n",
        core("settle", "who_has_waited_long_holds_back_what_nobody_needs"),
    ),
    Mutant(
        "a batch is all or nothing",
        "spawning.py",
        "        check_nesting(state, event.specs)\n",
        "        check_nesting(state, event.specs[:1])\n",
        core("spawning", "a_batch_with_one_wrong_agent_makes_none"),
    ),
    Mutant(
        "who must start at once is told when it cannot",
        "spawning.py",
        "        if event.must_start:\n",
        "        if event.must_start and not event.specs:\n",
        core("spawning", "no_queue_is_an_error_when_the_limit_is_reached"),
    ),
    Mutant(
        "a runaway has an end",
        "spawning.py",
        "    if children + count > guards.children:\n",
        "    if children > guards.children:\n",
        core("spawning", "only_unfinished_children_are_counted"),
    ),
    Mutant(
        "a lowered limit never makes what lives unable to end",
        "steering.py",
        "    if not is_safe(resident, claims(state)):\n",
        "    if resident < 1:\n",
        story("12-the-limit-is-lowered-and-raised"),
    ),
    Mutant(
        "an index is what would be counted",
        "index.py",
        "    state.living.pop(agent.id, None)\n",
        "",
        core("index", "what_is_over_is_in_no_index"),
    ),
    Mutant(
        "maxParallel holds",
        "settle.py",
        "        if not has_room(state, line) or why_held(state, line, now) is not None:\n",
        "        if why_held(state, line, now) is not None:\n",
        core("running", "max_parallel_bounds_those_of_a_group_that_work_and_holds_up_nobody_else"),
    ),
    Mutant(
        "what is held back does not start",
        "settle.py",
        "        if not has_room(state, line) or why_held(state, line, now) is not None:\n",
        "        if not has_room(state, line):\n",
        core("holds", "one_that_was_turned_away_is_queued_again_and_loses_nothing"),
    ),
    Mutant(
        "an agent that was turned away has not failed",
        "happen.py",
        "    elif (limited := _turned_away(agent)) is not None and not _is_cut_short(turn.state, agent):\n"
        "        _defer(turn, agent, *limited)\n",
        "",
        core("holds", "one_that_was_turned_away_is_queued_again_and_loses_nothing"),
    ),
    Mutant(
        "of two rate limits the later counts",
        "happen.py",
        "    if held is None or held.wall < until:\n",
        "    if True:\n",
        core("holds", "of_two_times_the_later_one_counts"),
    ),
    Mutant(
        "what an attempt cost counts for its session",
        "apply.py",
        "        state.sessions[session].spent = spent.plus(state.sessions[session].spent)\n",
        "        pass\n",
        core("holds", "a_session_that_has_spent_its_budget_starts_nothing_more_and_says_so"),
    ),
    Mutant(
        "what an attempt cost counts for its run",
        "apply.py",
        "        state.runs[member.run].spent = spent.plus(state.runs[member.run].spent)\n",
        "        pass\n",
        core("holds", "a_run_has_a_budget_of_its_own"),
    ),
    Mutant(
        "an agents own belong to its session",
        "scoping.py",
        "    if parent is not None:\n        return parent.spec.session\n",
        "",
        core("scoping", "an_agents_own_belong_to_its_session_wherever_it_spawns_them"),
    ),
    Mutant(
        "a nested group counts as one",
        "places.py",
        "        if group in busy:\n            return True\n",
        "",
        core("running", "a_nested_group_counts_as_one_in_the_group_around_it"),
    ),
    Mutant(
        "a failure fails fast",
        "settle.py",
        "            _cut_short(turn, run, group)\n",
        "            pass\n",
        core("running", "fail_fast_ends_what_runs_and_skips_the_rest"),
    ),
    Mutant(
        "what is optional fails nobody",
        "runs.py",
        "tally.failed += is_failed\n",
        "tally.failed += ending.is_failure\n",
        core("running", "what_is_optional_fails_nothing_and_what_comes_after_it_is_skipped"),
    ),
    Mutant(
        "the longest way goes first",
        "index.py",
        "weight=member.weight",
        "weight=0.0",
        core("running", "the_longest_way_to_the_end_starts_first_whatever_the_order_in_the_list"),
    ),
    Mutant(
        "a run ends with its last member",
        "settle.py",
        "    if not run.is_over:\n        turn.record(_ending_of(run))\n",
        "",
        core("running", "continue_on_error_runs_all_that_can"),
    ),
    Mutant(
        "a retry goes on where it was",
        "steering.py",
        "        turn.record(RunResumed(member.run))\n",
        "        pass\n",
        core("running", "a_retry_goes_on_where_it_was"),
    ),
)


def copy_to(directory: Path) -> None:
    """The packages and their tests, as they are."""
    for name in COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(ROOT / "pyproject.toml", directory)


def plant(mutant: Mutant, directory: Path) -> None:
    """Break the copy."""
    path = directory / "orchd" / "core" / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} has changed: {mutant.old!r}"
    path.write_text(text.replace(mutant.old, mutant.new))


def run(directory: Path, tests: Iterable[str]) -> int:
    """pytest's exit code for `tests` against the copy: 0 when all pass, 1 when one fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1", "ORCHD_PROFILE": "default"}
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, check=False, timeout=1800)
    return done.returncode


def is_killed(mutant: Mutant) -> bool:
    """Whether its test fails."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        copy_to(directory)
        plant(mutant, directory)
        return run(directory, [mutant.test]) == 1


if __name__ == "__main__":
    for one in MUTANTS:
        print("killed  " if is_killed(one) else "SURVIVES", one.promise, "|", one.test, flush=True)  # noqa: T201
