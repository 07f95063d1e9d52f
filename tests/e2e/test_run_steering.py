"""Runs that a person steers: cancelled, or gone on with by trying again what did not complete."""

from __future__ import annotations

import pytest

from orchd.protocol.errors import WireError
from tests.e2e.fleet import Fleet
from tests.e2e.run_fleet import RunFleet, group, ids, reasons, statuses


@pytest.fixture
def run_fleet(fleet: Fleet) -> RunFleet:
    """A fleet that performs runs."""
    return RunFleet(fleet)


def test_a_retried_run_repeats_no_completed_member(run_fleet: RunFleet) -> None:
    flag = run_fleet.fleet.directory / "flag"
    run = run_fleet.begin(
        [
            run_fleet.member("done"),
            run_fleet.member("web/bad", f"[ -e {flag} ]"),
            run_fleet.member("web/next", after=["web/bad"]),
            run_fleet.member("last", after=["web"]),
        ],
        [group(), group("web", after=["done"])],
    )
    assert run_fleet.ends(run)["status"] == "failed"
    assert run_fleet.show(run)["counts"] == {"completed": 1, "failed": 1, "skipped": 2}
    flag.touch()
    assert run_fleet.names_touched_by("retry", run) == ["web/bad", "web/next", "last"]
    ended_run = run_fleet.ends(run)
    assert (ended_run["status"], ended_run["reason"], ended_run["counts"]) == ("completed", None, {"completed": 4})
    assert run_fleet.parts.entries() == [("done", 1), ("web/bad", 1), ("web/bad", 2), ("web/next", 1), ("last", 1)]
    with pytest.raises(WireError) as refused:
        run_fleet.names_touched_by("retry", run)
    assert refused.value.code == "cannot-retry"


def test_a_cancelled_run_ends_with_all_its_members_and_can_be_retried(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    members = [
        run_fleet.member("a"),
        run_fleet.member("b", gate.script, after=["a"]),
        run_fleet.member("c", after=["b"]),
    ]
    run = run_fleet.begin(members)
    other = run_fleet.fleet.spawn(gate.script)
    run_fleet.started("b")
    assert run_fleet.names_touched_by("cancel", run) == ["b", "c"]
    ended_run = run_fleet.ends(run)
    assert statuses(ended_run) == {"a": "completed", "b": "cancelled", "c": "cancelled"}
    assert (ended_run["status"], ended_run["reason"]) == ("cancelled", "c (agent-003) cancelled: cancelled")
    assert run_fleet.fleet.agent(other)["status"] == "running"
    gate.let(3)
    run_fleet.names_touched_by("retry", run)
    assert run_fleet.ends(run)["status"] == "completed"
    assert run_fleet.parts.entries() == [("a", 1), ("b", 1), ("b", 2), ("c", 1)]
    run_fleet.fleet.ends(other)


def test_a_retried_member_that_completes_stops_no_other_retried_member(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    run = run_fleet.begin([run_fleet.member(path, gate.script) for path in ("a", "b", "c")])
    run_fleet.started("a", "b", "c")
    run_fleet.names_touched_by("cancel", run)
    run_fleet.ends(run)
    run_fleet.names_touched_by("retry", "agent-001", "agent-002")
    gate.let()
    run_fleet.fleet.client.wait(ids=["agent-001", "agent-002"], is_any=True)
    assert sorted(statuses(run_fleet.show(run)).values()) == ["cancelled", "completed", "running"]
    gate.let()
    ended_run = run_fleet.ends(run)
    assert statuses(ended_run) == {"a": "completed", "b": "completed", "c": "cancelled"}
    assert (ended_run["status"], ended_run["reason"]) == ("cancelled", "c (agent-003) cancelled: cancelled")


def test_a_cancelled_member_counts_as_failed(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    run = run_fleet.begin(
        [run_fleet.member("a", gate.script), run_fleet.member("b", gate.script), run_fleet.member("c")]
    )
    run_fleet.started("a", "b", "c")
    run_fleet.names_touched_by("cancel", ids(run_fleet.show(run))["a"])
    ended_run = run_fleet.ends(run)
    assert statuses(ended_run) == {"a": "cancelled", "b": "cancelled", "c": "completed"}
    assert reasons(ended_run) == {"a": "cancelled", "b": "a failed, and whole fails fast"}
    assert (ended_run["status"], ended_run["reason"]) == ("cancelled", "a (agent-001) cancelled: cancelled")
