"""Runs that a person steers: cancelled, or gone on with by trying again what did not complete."""

from __future__ import annotations

import pytest

from orchd.protocol.errors import WireError
from tests.e2e.fleet import Fleet
from tests.e2e.troupe import Troupe, group, ids, reasons, statuses


@pytest.fixture
def troupe(fleet: Fleet) -> Troupe:
    """A fleet that performs runs."""
    return Troupe(fleet)


def test_a_retried_run_goes_on_and_does_nothing_twice(troupe: Troupe) -> None:
    flag = troupe.fleet.directory / "flag"
    run = troupe.begin(
        [
            troupe.member("done"),
            troupe.member("web/bad", f"[ -e {flag} ]"),
            troupe.member("web/next", after=["web/bad"]),
            troupe.member("last", after=["web"]),
        ],
        [group(), group("web", after=["done"])],
    )
    assert troupe.ends(run)["status"] == "failed"
    assert troupe.show(run)["counts"] == {"completed": 1, "failed": 1, "skipped": 2}
    flag.touch()
    assert troupe.asked("retry", run) == ["web/bad", "web/next", "last"]
    ended_run = troupe.ends(run)
    assert (ended_run["status"], ended_run["reason"], ended_run["counts"]) == ("completed", None, {"completed": 4})
    assert troupe.parts.entries() == [("done", 1), ("web/bad", 1), ("web/bad", 2), ("web/next", 1), ("last", 1)]
    with pytest.raises(WireError) as refused:
        troupe.asked("retry", run)
    assert refused.value.code == "cannot-retry"


def test_a_cancelled_run_ends_with_all_its_members_and_may_be_gone_on_with(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    members = [troupe.member("a"), troupe.member("b", gate.script, after=["a"]), troupe.member("c", after=["b"])]
    run = troupe.begin(members)
    other = troupe.fleet.spawn(gate.script)
    troupe.started("b")
    assert troupe.asked("cancel", run) == ["b", "c"]
    ended_run = troupe.ends(run)
    assert statuses(ended_run) == {"a": "completed", "b": "cancelled", "c": "cancelled"}
    assert (ended_run["status"], ended_run["reason"]) == ("cancelled", "c (agent-003) cancelled: cancelled")
    assert troupe.fleet.agent(other)["status"] == "running"
    gate.let(3)
    troupe.asked("retry", run)
    assert troupe.ends(run)["status"] == "completed"
    assert troupe.parts.entries() == [("a", 1), ("b", 1), ("b", 2), ("c", 1)]
    troupe.fleet.ends(other)


def test_one_that_is_tried_again_and_completes_ends_no_other_that_is(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    run = troupe.begin([troupe.member(path, gate.script) for path in ("a", "b", "c")])
    troupe.started("a", "b", "c")
    troupe.asked("cancel", run)
    troupe.ends(run)
    troupe.asked("retry", "agent-001", "agent-002")
    gate.let()
    troupe.fleet.client.wait(ids=["agent-001", "agent-002"], is_any=True)
    assert sorted(statuses(troupe.show(run)).values()) == ["cancelled", "completed", "running"]
    gate.let()
    ended_run = troupe.ends(run)
    assert statuses(ended_run) == {"a": "completed", "b": "completed", "c": "cancelled"}
    assert (ended_run["status"], ended_run["reason"]) == ("cancelled", "c (agent-003) cancelled: cancelled")


def test_the_cancelling_of_one_member_is_its_failure(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    run = troupe.begin([troupe.member("a", gate.script), troupe.member("b", gate.script), troupe.member("c")])
    troupe.started("a", "b", "c")
    troupe.asked("cancel", ids(troupe.show(run))["a"])
    ended_run = troupe.ends(run)
    assert statuses(ended_run) == {"a": "cancelled", "b": "cancelled", "c": "completed"}
    assert reasons(ended_run) == {"a": "cancelled", "b": "a failed, and whole fails fast"}
    assert (ended_run["status"], ended_run["reason"]) == ("cancelled", "a (agent-001) cancelled: cancelled")
