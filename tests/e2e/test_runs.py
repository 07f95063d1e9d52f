"""Runs as a person sees them: what starts when, what a failure does, what is tried again, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.troupe import Map, Troupe, group, ids, reasons, statuses


@pytest.fixture
def troupe(fleet: Fleet) -> Troupe:
    """A fleet that performs runs."""
    return Troupe(fleet)


def test_a_member_starts_the_moment_its_own_dependencies_have_completed(troupe: Troupe) -> None:
    slow, quick = troupe.fleet.gate(), troupe.fleet.gate()
    run = troupe.begin(
        [
            troupe.member("slow", slow.script),
            troupe.member("quick", quick.script),
            troupe.member("next", after=["quick"]),
            troupe.member("last", quick.script, after=["next"]),
            troupe.member("held", after=["slow", "last"]),
        ]
    )
    troupe.started("slow", "quick")
    quick.let()
    troupe.started("last")  # a barrier behind `slow` and `quick` would still hold `next` back
    quick.let()
    troupe.fleet.ends(ids(troupe.show(run))["last"])
    assert statuses(troupe.show(run))["held"] == "queued"
    slow.let()
    assert set(statuses(troupe.ends(run)).values()) == {"completed"}
    assert troupe.parts.agents()[-1] == "held"


def test_a_nested_group_starts_and_is_over_by_itself_while_others_go_on(troupe: Troupe) -> None:
    slow, first, inner = troupe.fleet.gate(), troupe.fleet.gate(), troupe.fleet.gate()
    run = troupe.begin(
        [
            troupe.member("slow", slow.script),
            troupe.member("first", first.script),
            troupe.member("web/page", inner.script),
            troupe.member("web/form", after=["web/page"]),
            troupe.member("ship", after=["web"]),
            troupe.member("all", after=["ship", "slow"]),
        ],
        [group(), group("web", after=["first"])],
    )
    troupe.started("slow", "first")
    assert statuses(troupe.show(run))["web/page"] == "queued"
    first.let()
    troupe.started("web/page")
    assert "web/form" not in troupe.parts.agents()
    inner.let()
    troupe.started("ship")
    slow.let()
    ended_run = troupe.ends(run)
    assert (ended_run["status"], ended_run["reason"], ended_run["counts"]) == ("completed", None, {"completed": 6})
    order = [path for path in troupe.parts.agents() if path != "slow"]
    assert order == ["first", "web/page", "web/form", "ship", "all"]


def test_the_longest_way_goes_first(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    troupe.fleet.client.call("limit", {"limit": 1})
    troupe.fleet.spawn(gate.script)
    run = troupe.begin(
        [
            troupe.member("brief", tokens=10),
            troupe.member("long", tokens=50),
            troupe.member("head", tokens=20),
            troupe.member("tail", tokens=40, after=["head"]),
        ]
    )
    gate.let()
    assert {agent["path"]: agent["weight"] for agent in troupe.ends(run)["members"]}["head"] == 60
    assert troupe.parts.agents() == ["head", "long", "tail", "brief"]


def failing(troupe: Troupe, on_failure: str) -> tuple[Map, Any, Any]:
    """A run whose `bad` is let to fail while `busy` is at work, and `later` and `after` are to come; its gates."""
    fails, works = troupe.fleet.gate(), troupe.fleet.gate()
    run = troupe.begin(
        [
            troupe.member("bad", f"{fails.script}; exit 3"),
            troupe.member("busy", works.script),
            troupe.member("later", after=["busy"]),
            troupe.member("after", after=["bad"]),
        ],
        [group(on_failure=on_failure)],
    )
    troupe.started("bad", "busy")
    fails.let()
    return troupe.show(run), fails, works


def test_fail_fast_ends_what_works_skips_the_rest_and_says_for_whom(troupe: Troupe) -> None:
    failing(troupe, "fail-fast")
    ended_run = troupe.ends()
    why = "bad failed, and whole fails fast"
    assert (ended_run["status"], ended_run["reason"]) == ("failed", "bad (agent-001) failed: exit code 3")
    assert statuses(ended_run) == {"bad": "failed", "busy": "cancelled", "later": "skipped", "after": "skipped"}
    run_reasons = reasons(ended_run)
    assert (run_reasons["bad"], run_reasons["busy"], run_reasons["later"]) == ("exit code 3", why, why)
    assert run_reasons["after"] == "bad did not complete: failed"
    assert sorted(troupe.parts.agents()) == ["bad", "busy"]


def test_continue_on_error_runs_all_that_can(troupe: Troupe) -> None:
    _, _, works = failing(troupe, "continue")
    troupe.fleet.reaches("agent-004", "skipped")
    assert statuses(troupe.show())["busy"] == "running"
    works.let()
    ended_run = troupe.ends()
    assert statuses(ended_run) == {"bad": "failed", "busy": "completed", "later": "completed", "after": "skipped"}
    assert (ended_run["status"], ended_run["reason"]) == ("failed", "bad (agent-001) failed: exit code 3")


def test_a_member_is_tried_again_before_anything_fails_with_it(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    flaky = '[ "$ORCHD_ATTEMPT" = 2 ]'
    run = troupe.begin(
        [
            troupe.member("flaky", flaky, retries=1),
            troupe.member("next", "exit 4", retries=1, after=["flaky"]),
            troupe.member("busy", gate.script),
        ]
    )
    ended_run = troupe.ends(run)
    assert statuses(ended_run) == {"flaky": "completed", "next": "failed", "busy": "cancelled"}
    assert reasons(ended_run)["busy"] == "next failed, and whole fails fast"
    entries = [entry for entry in troupe.parts.entries() if entry[0] != "busy"]
    assert entries == [("flaky", 1), ("flaky", 2), ("next", 1), ("next", 2)]


def test_what_was_to_be_tried_again_is_not_once_its_group_has_failed(troupe: Troupe) -> None:
    fails, leaves, rest = troupe.fleet.gate(), troupe.fleet.gate(), troupe.fleet.gate()
    stays = f"(trap '' TERM; setsid sh -c \"{rest.script}\" &)"  # with it the attempt is not over yet
    run = troupe.begin(
        [
            troupe.member("bad", f"{fails.script}; exit 1"),
            troupe.member("again", f"{stays}; {leaves.script}; exit 2", retries=5, grace=60),
            troupe.member("soon", f"{leaves.script}; exit 2", retries=5),
        ]
    )
    troupe.started("bad", "again", "soon")
    troupe.fleet.client.call("pause")  # `soon` is not tried again before `bad` has failed
    leaves.let(2)
    again = ids(troupe.show(run))["again"]
    troupe.fleet.reaches(again, "stopping")
    troupe.fleet.reaches(ids(troupe.show(run))["soon"], "queued")
    fails.let()
    troupe.fleet.ends("agent-001")
    rest.let()
    troupe.fleet.client.call("resume")
    ended_run = troupe.ends(run)
    assert statuses(ended_run) == {"bad": "failed", "again": "failed", "soon": "cancelled"}
    assert reasons(ended_run) == {
        "bad": "exit code 1",
        "again": "exit code 2",
        "soon": "bad failed, and whole fails fast; its attempt 1 before: exit code 2",
    }
    soon = troupe.fleet.client.call("status", {"ids": [ids(ended_run)["soon"]]})["agents"][0]
    assert (soon["attempt"], soon["exit_code"]) == (1, 2)
    assert soon["started_at"] < soon["ended_at"]
    assert sorted(troupe.parts.entries()) == [("again", 1), ("bad", 1), ("soon", 1)]


def test_what_is_not_required_fails_nobody_and_what_comes_after_it_is_skipped(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    run = troupe.begin(
        [
            troupe.member("extra", "exit 5", required=False),
            troupe.member("polish", after=["extra"], required=False),
            troupe.member("shine", after=["polish"], required=False),
            troupe.member("main", gate.script),
            troupe.member("ship", after=["main"]),
        ]
    )
    troupe.fleet.reaches("agent-003", "skipped")
    gate.let()
    ended_run = troupe.ends(run)
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
def test_a_nested_group_that_fails_takes_the_whole_with_it_only_when_it_is_required(
    troupe: Troupe, *, required: bool
) -> None:
    gate, ready = troupe.fleet.gate(), troupe.fleet.gate()
    run = troupe.begin(
        [
            troupe.member("web/bad", f"{ready.script}; exit 1"),
            troupe.member("web/busy", "exec sleep 1000"),
            troupe.member("after", after=["web"], required=required),
            troupe.member("other", gate.script),
        ],
        [group(), group("web", required=required)],
    )
    troupe.started("web/bad", "web/busy", "other")
    ready.let()
    troupe.fleet.ends(ids(troupe.show(run))["after"])
    gate.let()
    ended_run = troupe.ends(run)
    assert reasons(ended_run)["web/busy"] == "web/bad failed, and web fails fast"
    if required:
        assert (ended_run["status"], ended_run["reason"]) == ("failed", "web/bad (agent-001) failed: exit code 1")
        assert (statuses(ended_run)["other"], statuses(ended_run)["after"]) == ("cancelled", "skipped")
    else:
        assert (ended_run["status"], statuses(ended_run)["other"]) == ("completed", "completed")
        assert reasons(ended_run)["after"] == "web did not complete: failed"


def test_what_comes_after_a_group_that_was_skipped_is_skipped_too(troupe: Troupe) -> None:
    run = troupe.begin(
        [
            troupe.member("extra", "exit 5", required=False),
            troupe.member("web/page"),
            troupe.member("web/form", after=["web/page"]),
            troupe.member("ship", after=["web"]),
        ],
        [group(), group("web", after=["extra"])],
    )
    ended_run = troupe.ends(run)
    assert statuses(ended_run) == {"extra": "failed", "web/page": "skipped", "web/form": "skipped", "ship": "skipped"}
    assert ended_run["status"] == "failed"
    assert reasons(ended_run)["ship"] == "web did not complete: skipped"
    assert troupe.parts.agents() == ["extra"]
