"""Runs as requests: what members find, what is refused, how many there may be, and runs begun from inside agents."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest

from orchd.protocol.errors import WireError
from tests.conftest import until
from tests.e2e.fleet import Fleet
from tests.e2e.run_fleet import Map, RunFleet, group, ids, lines_of, reasons, statuses
from tests.witness import Witness


@pytest.fixture
def run_fleet(fleet: Fleet) -> RunFleet:
    """A fleet that performs runs."""
    return RunFleet(fleet)


def test_member_variables_survive_retries_and_daemon_crashes(run_fleet: RunFleet) -> None:
    output_file = run_fleet.fleet.directory / "found"
    writes = f'echo "$ORCHD_ATTEMPT $ORCHD_RESULT $COLOUR $SHELL_OF" >> {output_file}'
    gate = run_fleet.fleet.gate()
    variables = {"ORCHD_RESULT": "/tmp/r.json", "COLOUR": "blue"}
    env = {"COLOUR": "red", "SHELL_OF": "first"}
    run = run_fleet.begin(
        [
            run_fleet.member("first", gate.script),
            run_fleet.member("own", f"{writes}; [ $ORCHD_ATTEMPT = 3 ]", after=["first"], variables=variables, env=env,
                          retries=1),
        ]
    )  # fmt: skip
    run_fleet.started("first")
    run_fleet.fleet.daemon_dies()
    gate.let()
    assert run_fleet.ends(run)["status"] == "failed"
    run_fleet.fleet.daemon_dies()
    retry = {"ids": [run], "env": {**run_fleet.fleet.instance.env, "SHELL_OF": "second", "COLOUR": "green"}}
    run_fleet.fleet.client.call("retry", retry)
    assert run_fleet.ends(run)["status"] == "completed"
    assert lines_of(output_file) == [
        [str(attempt), "/tmp/r.json", "blue", owner] for attempt, owner in ((1, "first"), (2, "first"))
    ] + [["3", "/tmp/r.json", "blue", "second"]]


def test_variables_cannot_change_the_identity_of_a_member(run_fleet: RunFleet) -> None:
    output_file = run_fleet.fleet.directory / "found"
    forged = {"ORCHD_AGENT": "agent-099", "ORCHD_ATTEMPT": "9", "ORCHD_HOME": "/nowhere"}
    run = run_fleet.begin([run_fleet.member("a", f"echo $ORCHD_AGENT $ORCHD_HOME > {output_file}", variables=forged)])
    assert run_fleet.ends(run)["status"] == "completed"
    assert lines_of(output_file) == [["agent-001", str(run_fleet.fleet.instance.directory)]]
    assert run_fleet.parts.entries() == [("a", 1)]


def wrong(run_fleet: RunFleet) -> dict[str, tuple[list[Map], list[Map], str, str]]:
    """Requests that are refused: members, groups, the code and words of the message."""
    a, after_b = run_fleet.member("api"), run_fleet.member("b", after=["apy"])
    ring = [run_fleet.member(path, after=[other]) for path, other in (("a", "c"), ("b", "a"), ("c", "b"))]
    web = [run_fleet.member("web/x"), run_fleet.member("d", after=["web"])]
    into = [run_fleet.member("web/x"), run_fleet.member("d", after=["web/x"])]
    return {
        "ring": (ring, [group()], "cycle", "a -> c -> b -> a"),
        "itself": ([run_fleet.member("a", after=["a"])], [group()], "cycle", "a -> a"),
        "ring of groups": (web, [group(), group("web", after=["d"])], "cycle", "web/x -> d -> web/x"),
        "unknown": ([a, after_b], [group()], "bad-run", "'b' comes after 'apy'.*did you mean 'api'"),
        "of another group": (into, [group(), group("web")], "bad-run", "not a node of its group"),
        "twice": ([a, a], [group()], "bad-run", "the path 'api' is used twice"),
        "group and member": ([a, run_fleet.member("api/x")], [group(), group("api")],
                             "bad-run", "the path 'api' is used twice"),
        "empty group": ([a], [group(), group("web")], "bad-run", "the group 'web' has no members"),
        "no such group": ([run_fleet.member("web/x")], [group()], "bad-run", "'web/x' is in 'web', which is not "),
        "no whole": ([run_fleet.member("web/x")], [group("web")], "bad-run", "must be the run itself"),
        "no name": ([run_fleet.member("web/")], [group(), group("web")], "bad-run", "the path 'web/' is empty"),
        "after inside": ([run_fleet.member("a"), {**a, "agent": {**a["agent"], "after": ["a"]}}], [group()],
                         "bad-request", "beside `agent`"),
        "bound of none": ([a], [group(max_parallel=0)], "bad-request", "1 or more"),
        "nobody": ([], [group()], "bad-request", "1 to 10,000 members"),
    }  # fmt: skip


def test_an_invalid_run_is_refused_and_none_of_its_members_is_queued(run_fleet: RunFleet) -> None:
    for name, (members, groups, code, words) in wrong(run_fleet).items():
        with pytest.raises(WireError, match=words) as refused:
            run_fleet.begin(members, groups)
        assert refused.value.code == code, name
    assert run_fleet.fleet.show() == []
    assert run_fleet.fleet.client.call("runs", {"all": True})["runs"] == []
    assert run_fleet.ends(run_fleet.begin([run_fleet.member("a")]))["id"] == "run-001"


def test_a_cycle_is_reported_as_a_path_of_dependencies(run_fleet: RunFleet) -> None:
    with pytest.raises(WireError) as refused:
        run_fleet.begin([run_fleet.member(path, after=[other]) for path, other in (("a", "c"), ("b", "a"), ("c", "b"))])
    path: Any = refused.value.details["path"]
    assert path[0] == path[-1]
    assert set(pairwise(path)) == {("a", "c"), ("b", "a"), ("c", "b")}


@pytest.mark.parametrize("op", ["run-status", "cancel", "retry", "wait"])
@pytest.mark.parametrize("subject", ["run-002", "run-x", "run-0"])
def test_a_request_for_an_unknown_run_is_refused(run_fleet: RunFleet, op: str, subject: str) -> None:
    run_fleet.ends(run_fleet.begin([run_fleet.member("a")]))
    with pytest.raises(WireError) as refused:
        run_fleet.fleet.client.call(op, {"id": subject} if op == "run-status" else {"ids": [subject]})
    assert refused.value.code == ("unknown-run" if subject == "run-002" or op == "run-status" else "unknown-agent")


SHAPES: dict[str, Callable[[int], list[str]]] = {
    "chain": lambda number: [str(number - 1)] if number else [],
    "fan": lambda number: [],
    "star": lambda number: (
        [] if number == 0 else ["0"] if number < 9_999 else [str(index) for index in range(1, 9_999)]
    ),
}


class Timed:
    """A client that notes how long each request takes."""

    def __init__(self, run_fleet: RunFleet) -> None:
        self.client = run_fleet.fleet.client
        self.took: list[tuple[str, float]] = []

    def call(self, op: str, args: dict[str, Any]) -> Map:
        """As the client's own."""
        began = time.monotonic()
        result = self.client.call(op, args)
        self.took.append((op, round(time.monotonic() - began, 2)))
        return result

    def members(self) -> list[Map]:
        """All members, page by page."""
        agents: list[Map] = []
        more: int | None = 0
        while more is not None:
            page = self.call("run-status", {"id": "run-001", "skip": more})
            agents += page["agents"]
            more = page["more"]
        return agents

    def counts(self) -> Map:
        """The counts of the only run, as it is listed."""
        (run,) = self.call("runs", {})["runs"]
        return dict(run["counts"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", ["star", *(pytest.param(kind, marks=pytest.mark.stress) for kind in ("chain", "fan"))]
)
def test_a_run_of_ten_thousand_members_is_accepted_shown_and_cancelled(run_fleet: RunFleet, shape: str) -> None:
    timed, args = Timed(run_fleet), {"ids": ["run-001"]}
    timed.client.call("pause")
    members = [
        {"path": str(number), "after": SHAPES[shape](number), "agent": {"command": ["/bin/true"]}}
        for number in range(10_000)
    ]
    begun = timed.call("run", run_fleet.request(members))
    assert (len(begun["agents"]), begun["run"]["counts"], timed.counts()) == (10_000, *[{"queued": 10_000}] * 2)
    assert len(timed.members()) == 10_000
    run_fleet.fleet.daemon_dies()
    assert timed.counts() == {"queued": 10_000}
    assert len(timed.call("cancel", args)["agents"]) == 10_000
    assert timed.counts() == {"cancelled": 10_000}
    assert run_fleet.show()["status"] == "cancelled"
    assert len(timed.call("retry", args)["agents"]) == 10_000
    assert timed.counts() == {"queued": 10_000}
    timed.call("cancel", args)
    print(shape, timed.took)  # noqa: T201 - shown when the test failed, or with -rP


def inside(run_fleet: RunFleet, members: list[Map], groups: list[Map] | None = None, *, then: str = "true") -> str:
    """An agent that begins a run, waits for it, notes the answer and goes on with `then`."""
    output_file = run_fleet.fleet.directory / "said"
    begins = run_fleet.begin_command(members, groups or [])
    return run_fleet.fleet.spawn(
        f"{begins} > /dev/null || exit 90; orchctl wait --children >/dev/null 2>&1; echo $? >> {output_file}; {then}",
        nesting=2,
    )


def test_members_of_a_run_are_children_of_its_agent_and_end_at_limit_1(run_fleet: RunFleet) -> None:
    fleet = run_fleet.fleet
    fleet.client.call("limit", {"limit": 1})
    below = f"orchctl spawn -- sh -c '{fleet.book.script}' >/dev/null; orchctl wait --children >/dev/null"
    members = [
        run_fleet.member("a", below, nesting=1),
        run_fleet.member("web/b"),
        run_fleet.member("web/c", below, after=["web/b"], nesting=1),
        run_fleet.member("d", after=["a", "web"]),
    ]
    with closing(Witness(fleet.instance.directory, limit=1, resident=28)) as witness:
        parent = inside(run_fleet, members, [group(max_parallel=1), group("web")])
        agents = {agent["name"]: agent for agent in fleet.all_end()}
        assert {agent["status"] for agent in agents.values()} == {"completed"}
    assert witness.violations == []
    assert sorted(run_fleet.parts.agents()) == ["a", "d", "web/b", "web/c"]
    assert {(agents[path]["level"], agents[path]["parent"], agents[path]["depth"]) for path in ("a", "d", "web/c")} == {
        ("composite", parent, 1)
    }
    assert sorted(fleet.agent(parent)["children"]) == sorted(ids(run_fleet.show()).values())
    assert run_fleet.show()["parent"] == parent
    assert lines_of(fleet.directory / "said") == [["0"]]


def test_a_run_started_by_an_agent_counts_in_the_limit(run_fleet: RunFleet) -> None:
    gate, fleet = run_fleet.fleet.gate(), run_fleet.fleet
    fleet.client.call("limit", {"limit": 2})
    with closing(Witness(fleet.instance.directory, limit=2, resident=28)) as witness:
        parent = inside(run_fleet, [run_fleet.member(str(number), gate.script) for number in range(6)])
        fleet.reaches(parent, "waiting")
        until(lambda: len(run_fleet.parts.entries()) == 2, what="two members")
        for _ in range(6):
            witness.next_window()
            assert fleet.client.call("limit")["working"] <= 2
            gate.let()
        fleet.all_end()
    assert (witness.violations, witness.peak_working) == ([], 2)
    assert run_fleet.show()["status"] == "completed"


def test_a_run_is_cancelled_with_the_agent_that_started_it(run_fleet: RunFleet) -> None:
    gate = run_fleet.fleet.gate()
    parent = inside(run_fleet, [run_fleet.member("a", gate.script), run_fleet.member("b", after=["a"])])
    run_fleet.started("a")
    run_fleet.fleet.reaches(parent, "waiting")
    run_fleet.names_touched_by("cancel", parent)
    ended_run = run_fleet.ends()
    assert (ended_run["status"], statuses(ended_run)) == ("cancelled", {"a": "cancelled", "b": "cancelled"})
    assert reasons(ended_run)["a"] == f"its parent {parent} was cancelled"
    assert run_fleet.fleet.ends(parent)[0]["status"] == "cancelled"
    assert run_fleet.parts.agents() == ["a"]


def test_an_agent_gets_exit_code_1_for_its_failed_run_and_completes(run_fleet: RunFleet) -> None:
    parent = inside(run_fleet, [run_fleet.member("a", "exit 3"), run_fleet.member("b", after=["a"])])
    (agent,) = run_fleet.fleet.ends(parent)
    assert agent["status"] == "completed"
    assert lines_of(run_fleet.fleet.directory / "said") == [["1"]]
    assert statuses(run_fleet.show()) == {"a": "failed", "b": "skipped"}
