"""Runs as a person sees them: the order of starts, failures, retries and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.run_fleet import Map, RunFleet, group, ids, reasons, statuses


@pytest.fixture
def run_fleet(fleet: Fleet) -> RunFleet:
    """A fleet that performs runs."""
    return RunFleet(fleet)


def test_a_member_starts_the_moment_its_own_dependencies_have_completed(run_fleet: RunFleet) -> None:
    slow, quick = run_fleet.fleet.gate(), run_fleet.fleet.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("slow", slow.script),
            run_fleet.member("quick", quick.script),
            run_fleet.member("next", after=["quick"]),
            run_fleet.member("last", quick.script, after=["next"]),
            run_fleet.member("held", after=["slow", "last"]),
        ]
    )
    run_fleet.started("slow", "quick")
    quick.let()
    run_fleet.started("last")  # a barrier behind `slow` and `quick` would still hold `next` back
    quick.let()
    run_fleet.fleet.ends(ids(run_fleet.show(run))["last"])
    assert statuses(run_fleet.show(run))["held"] == "queued"
    slow.let()
    assert set(statuses(run_fleet.ends(run)).values()) == {"completed"}
    assert run_fleet.parts.agents()[-1] == "held"


def test_a_nested_group_starts_and_ends_independently_of_other_members(run_fleet: RunFleet) -> None:
    slow, first, inner = run_fleet.fleet.gate(), run_fleet.fleet.gate(), run_fleet.fleet.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("slow", slow.script),
            run_fleet.member("first", first.script),
            run_fleet.member("web/page", inner.script),
            run_fleet.member("web/form", after=["web/page"]),
            run_fleet.member("ship", after=["web"]),
            run_fleet.member("all", after=["ship", "slow"]),
        ],
        [group(), group("web", after=["first"])],
    )
    run_fleet.started("slow", "first")
    assert statuses(run_fleet.show(run))["web/page"] == "queued"
    first.let()
    run_fleet.started("web/page")
    assert "web/form" not in run_fleet.parts.agents()
    inner.let()
    run_fleet.started("ship")
    slow.let()
    ended_run = run_fleet.ends(run)
    assert (ended_run["status"], ended_run["reason"], ended_run["counts"]) == ("completed", None, {"completed": 6})
    order = [path for path in run_fleet.parts.agents() if path != "slow"]
    assert order == ["first", "web/page", "web/form", "ship", "all"]


def test_the_member_with_the_longest_remaining_path_starts_first(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    run_fleet.fleet.client.call("limit", {"limit": 1})
    run_fleet.fleet.spawn(gate.script)
    run = run_fleet.begin(
        [
            run_fleet.member("brief", tokens=10),
            run_fleet.member("long", tokens=50),
            run_fleet.member("head", tokens=20),
            run_fleet.member("tail", tokens=40, after=["head"]),
        ]
    )
    gate.let()
    assert {agent["path"]: agent["weight"] for agent in run_fleet.ends(run)["members"]}["head"] == 60
    assert run_fleet.parts.agents() == ["head", "long", "tail", "brief"]


def failing(run_fleet: RunFleet, on_failure: str) -> tuple[Map, Any, Any]:
    """A run whose `bad` is let to fail while `busy` is at work, and `later` and `after` are to come; its gates."""
    fails, works = run_fleet.fleet.gate(), run_fleet.fleet.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("bad", f"{fails.script}; exit 3"),
            run_fleet.member("busy", works.script),
            run_fleet.member("later", after=["busy"]),
            run_fleet.member("after", after=["bad"]),
        ],
        [group(on_failure=on_failure)],
    )
    run_fleet.started("bad", "busy")
    fails.let()
    return run_fleet.show(run), fails, works


def test_fail_fast_cancels_running_members_and_skips_queued_members(run_fleet: RunFleet) -> None:
    failing(run_fleet, "fail-fast")
    ended_run = run_fleet.ends()
    why = "bad failed, and whole fails fast"
    assert (ended_run["status"], ended_run["reason"]) == ("failed", "bad (agent-001) failed: exit code 3")
    assert statuses(ended_run) == {"bad": "failed", "busy": "cancelled", "later": "skipped", "after": "skipped"}
    run_reasons = reasons(ended_run)
    assert (run_reasons["bad"], run_reasons["busy"], run_reasons["later"]) == ("exit code 3", why, why)
    assert run_reasons["after"] == "bad did not complete: failed"
    assert sorted(run_fleet.parts.agents()) == ["bad", "busy"]


def test_continue_on_error_runs_every_member_that_can_run(run_fleet: RunFleet) -> None:
    _, _, works = failing(run_fleet, "continue")
    run_fleet.fleet.reaches("agent-004", "skipped")
    assert statuses(run_fleet.show())["busy"] == "running"
    works.let()
    ended_run = run_fleet.ends()
    assert statuses(ended_run) == {"bad": "failed", "busy": "completed", "later": "completed", "after": "skipped"}
    assert (ended_run["status"], ended_run["reason"]) == ("failed", "bad (agent-001) failed: exit code 3")


def test_a_member_uses_its_retries_before_its_run_fails(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    flaky = '[ "$ORCHD_ATTEMPT" = 2 ]'
    run = run_fleet.begin(
        [
            run_fleet.member("flaky", flaky, retries=1),
            run_fleet.member("next", "exit 4", retries=1, after=["flaky"]),
            run_fleet.member("busy", gate.script),
        ]
    )
    ended_run = run_fleet.ends(run)
    assert statuses(ended_run) == {"flaky": "completed", "next": "failed", "busy": "cancelled"}
    assert reasons(ended_run)["busy"] == "next failed, and whole fails fast"
    entries = [entry for entry in run_fleet.parts.entries() if entry[0] != "busy"]
    assert entries == [("flaky", 1), ("flaky", 2), ("next", 1), ("next", 2)]


def test_a_member_is_not_retried_after_its_group_failed(run_fleet: RunFleet) -> None:
    fails, leaves, rest = run_fleet.fleet.gate(), run_fleet.fleet.gate(), run_fleet.fleet.gate()
    stays = f"(trap '' TERM; setsid sh -c \"{rest.script}\" &)"  # with it the attempt is not over yet
    run = run_fleet.begin(
        [
            run_fleet.member("bad", f"{fails.script}; exit 1"),
            run_fleet.member("again", f"{stays}; {leaves.script}; exit 2", retries=5, grace=60),
            run_fleet.member("soon", f"{leaves.script}; exit 2", retries=5),
        ]
    )
    run_fleet.started("bad", "again", "soon")
    run_fleet.fleet.client.call("pause")  # `soon` is not tried again before `bad` has failed
    leaves.let(2)
    again = ids(run_fleet.show(run))["again"]
    run_fleet.fleet.reaches(again, "stopping")
    run_fleet.fleet.reaches(ids(run_fleet.show(run))["soon"], "queued")
    fails.let()
    run_fleet.fleet.ends("agent-001")
    rest.let()
    run_fleet.fleet.client.call("resume")
    ended_run = run_fleet.ends(run)
    assert statuses(ended_run) == {"bad": "failed", "again": "failed", "soon": "cancelled"}
    assert reasons(ended_run) == {
        "bad": "exit code 1",
        "again": "exit code 2",
        "soon": "bad failed, and whole fails fast; its attempt 1 ended before: exit code 2",
    }
    soon = run_fleet.fleet.client.call("status", {"ids": [ids(ended_run)["soon"]]})["agents"][0]
    assert (soon["attempt"], soon["exit_code"]) == (1, 2)
    assert soon["started_at"] < soon["ended_at"]
    assert sorted(run_fleet.parts.entries()) == [("again", 1), ("bad", 1), ("soon", 1)]


def test_an_optional_member_fails_no_group_but_its_dependents_are_skipped(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("extra", "exit 5", required=False),
            run_fleet.member("polish", after=["extra"], required=False),
            run_fleet.member("shine", after=["polish"], required=False),
            run_fleet.member("main", gate.script),
            run_fleet.member("ship", after=["main"]),
        ]
    )
    run_fleet.fleet.reaches("agent-003", "skipped")
    gate.let()
    ended_run = run_fleet.ends(run)
    assert (ended_run["status"], ended_run["reason"], ended_run["counts"]) == (
        "completed",
        None,
        {"failed": 1, "skipped": 2, "completed": 2},
    )
    assert reasons(ended_run) == {
        "extra": "exit code 5",
        "polish": "extra did not complete: failed",
        "shine": "polish did not complete: skipped",
    }


@pytest.mark.parametrize("required", [False, True])
def test_a_failed_nested_group_fails_its_run_only_if_required(run_fleet: RunFleet, *, required: bool) -> None:
    gate, ready = run_fleet.fleet.gate(), run_fleet.fleet.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("web/bad", f"{ready.script}; exit 1"),
            run_fleet.member("web/busy", "exec sleep 1000"),
            run_fleet.member("after", after=["web"], required=required),
            run_fleet.member("other", gate.script),
        ],
        [group(), group("web", required=required)],
    )
    run_fleet.started("web/bad", "web/busy", "other")
    ready.let()
    run_fleet.fleet.ends(ids(run_fleet.show(run))["after"])
    gate.let()
    ended_run = run_fleet.ends(run)
    assert reasons(ended_run)["web/busy"] == "web/bad failed, and web fails fast"
    if required:
        assert (ended_run["status"], ended_run["reason"]) == ("failed", "web/bad (agent-001) failed: exit code 1")
        assert (statuses(ended_run)["other"], statuses(ended_run)["after"]) == ("cancelled", "skipped")
    else:
        assert (ended_run["status"], statuses(ended_run)["other"]) == ("completed", "completed")
        assert reasons(ended_run)["after"] == "web did not complete: failed"


def test_dependents_of_a_skipped_group_are_skipped(run_fleet: RunFleet) -> None:
    run = run_fleet.begin(
        [
            run_fleet.member("extra", "exit 5", required=False),
            run_fleet.member("web/page"),
            run_fleet.member("web/form", after=["web/page"]),
            run_fleet.member("ship", after=["web"]),
        ],
        [group(), group("web", after=["extra"])],
    )
    ended_run = run_fleet.ends(run)
    assert statuses(ended_run) == {"extra": "failed", "web/page": "skipped", "web/form": "skipped", "ship": "skipped"}
    assert ended_run["status"] == "failed"
    assert reasons(ended_run)["ship"] == "web did not complete: skipped"
    assert run_fleet.parts.agents() == ["extra"]
