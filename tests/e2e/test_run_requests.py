"""Runs as requests: what members find, what is refused, how many there may be, and runs begun from inside agents."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest

from orchd.protocol.errors import WireError
from tests.conftest import until
from tests.e2e.fleet import Fleet
from tests.e2e.troupe import Map, Troupe, group, ids, lines_of, reasons, statuses
from tests.witness import Witness


@pytest.fixture
def troupe(fleet: Fleet) -> Troupe:
    """A fleet that performs runs."""
    return Troupe(fleet)


def test_variables_are_found_at_every_attempt_and_under_every_daemon(troupe: Troupe) -> None:
    output_file = troupe.fleet.directory / "found"
    writes = f'echo "$ORCHD_ATTEMPT $ORCHD_RESULT $COLOUR $SHELL_OF" >> {output_file}'
    gate = troupe.fleet.gate()
    variables = {"ORCHD_RESULT": "/tmp/r.json", "COLOUR": "blue"}
    env = {"COLOUR": "red", "SHELL_OF": "first"}
    run = troupe.begin(
        [
            troupe.member("first", gate.script),
            troupe.member("own", f"{writes}; [ $ORCHD_ATTEMPT = 3 ]", after=["first"], variables=variables, env=env,
                          retries=1),
        ]
    )  # fmt: skip
    troupe.started("first")
    troupe.fleet.daemon_dies()
    gate.let()
    assert troupe.ends(run)["status"] == "failed"
    troupe.fleet.daemon_dies()
    retry = {"ids": [run], "env": {**troupe.fleet.instance.env, "SHELL_OF": "second", "COLOUR": "green"}}
    troupe.fleet.client.call("retry", retry)
    assert troupe.ends(run)["status"] == "completed"
    assert lines_of(output_file) == [
        [str(attempt), "/tmp/r.json", "blue", owner] for attempt, owner in ((1, "first"), (2, "first"))
    ] + [["3", "/tmp/r.json", "blue", "second"]]


def test_variables_cannot_make_a_member_somebody_else(troupe: Troupe) -> None:
    output_file = troupe.fleet.directory / "found"
    forged = {"ORCHD_AGENT": "agent-099", "ORCHD_ATTEMPT": "9", "ORCHD_HOME": "/nowhere"}
    run = troupe.begin([troupe.member("a", f"echo $ORCHD_AGENT $ORCHD_HOME > {output_file}", variables=forged)])
    assert troupe.ends(run)["status"] == "completed"
    assert lines_of(output_file) == [["agent-001", str(troupe.fleet.instance.directory)]]
    assert troupe.parts.entries() == [("a", 1)]


def wrong(troupe: Troupe) -> dict[str, tuple[list[Map], list[Map], str, str]]:
    """Requests that are refused: members, groups, the code and words of the message."""
    a, after_b = troupe.member("api"), troupe.member("b", after=["apy"])
    ring = [troupe.member(path, after=[other]) for path, other in (("a", "c"), ("b", "a"), ("c", "b"))]
    web = [troupe.member("web/x"), troupe.member("d", after=["web"])]
    into = [troupe.member("web/x"), troupe.member("d", after=["web/x"])]
    return {
        "ring": (ring, [group()], "cycle", "a -> c -> b -> a"),
        "itself": ([troupe.member("a", after=["a"])], [group()], "cycle", "a -> a"),
        "ring of groups": (web, [group(), group("web", after=["d"])], "cycle", "web/x -> d -> web/x"),
        "unknown": ([a, after_b], [group()], "bad-run", "'b' comes after 'apy'.*did you mean 'api'"),
        "of another group": (into, [group(), group("web")], "bad-run", "no node of its group"),
        "twice": ([a, a], [group()], "bad-run", "'api' names two nodes"),
        "group and member": ([a, troupe.member("api/x")], [group(), group("api")], "bad-run", "'api' names two nodes"),
        "empty group": ([a], [group(), group("web")], "bad-run", "the group 'web' has no members"),
        "no such group": ([troupe.member("web/x")], [group()], "bad-run", "'web/x' is in 'web', which is no group"),
        "no whole": ([troupe.member("web/x")], [group("web")], "bad-run", "must be the whole"),
        "no name": ([troupe.member("web/")], [group(), group("web")], "bad-run", "'web/' names nothing"),
        "after inside": ([troupe.member("a"), {**a, "agent": {**a["agent"], "after": ["a"]}}], [group()],
                         "bad-request", "beside `agent`"),
        "bound of none": ([a], [group(max_parallel=0)], "bad-request", "1 or more"),
        "nobody": ([], [group()], "bad-request", "1 to 10,000 members"),
    }  # fmt: skip


def test_what_makes_no_sense_is_refused_and_nothing_of_it_is_queued(troupe: Troupe) -> None:
    for name, (members, groups, code, words) in wrong(troupe).items():
        with pytest.raises(WireError, match=words) as refused:
            troupe.begin(members, groups)
        assert refused.value.code == code, name
    assert troupe.fleet.show() == []
    assert troupe.fleet.client.call("runs", {"all": True})["runs"] == []
    assert troupe.ends(troupe.begin([troupe.member("a")]))["id"] == "run-001"


def test_a_cycle_is_told_as_a_path_on_which_each_comes_after_the_next(troupe: Troupe) -> None:
    with pytest.raises(WireError) as refused:
        troupe.begin([troupe.member(path, after=[other]) for path, other in (("a", "c"), ("b", "a"), ("c", "b"))])
    path = refused.value.details["path"]
    assert path[0] == path[-1]
    assert set(pairwise(path)) == {("a", "c"), ("b", "a"), ("c", "b")}


@pytest.mark.parametrize("op", ["run-status", "cancel", "retry", "wait"])
@pytest.mark.parametrize("subject", ["run-002", "run-x", "run-0"])
def test_a_run_that_is_not_there_is_unknown(troupe: Troupe, op: str, subject: str) -> None:
    troupe.ends(troupe.begin([troupe.member("a")]))
    with pytest.raises(WireError) as refused:
        troupe.fleet.client.call(op, {"id": subject} if op == "run-status" else {"ids": [subject]})
    assert refused.value.code == ("unknown-run" if subject == "run-002" or op == "run-status" else "unknown-agent")


SHAPES = {
    "chain": lambda number: [str(number - 1)] if number else [],
    "fan": lambda number: [],
    "star": lambda number: (
        [] if number == 0 else ["0"] if number < 9_999 else [str(index) for index in range(1, 9_999)]
    ),
}


class Timed:
    """A client that notes how long each request takes."""

    def __init__(self, troupe: Troupe) -> None:
        self.client = troupe.fleet.client
        self.took: list[tuple[str, float]] = []

    def call(self, op: str, args: dict[str, Any]) -> Map:
        """As the client's own."""
        began = time.monotonic()
        result = self.client.call(op, args)
        self.took.append((op, round(time.monotonic() - began, 2)))
        return result

    def members(self) -> list[Map]:
        """All of them, page by page."""
        agents, more = [], 0
        while more is not None:
            page = self.call("run-status", {"id": "run-001", "skip": more})
            agents += page["agents"]
            more = page["more"]
        return agents

    def counts(self) -> Map:
        """Those of the only run, as it is listed."""
        (run,) = self.call("runs", {})["runs"]
        return dict(run["counts"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", ["star", *(pytest.param(kind, marks=pytest.mark.stress) for kind in ("chain", "fan"))]
)
def test_ten_thousand_members_are_taken_shown_and_cancelled(troupe: Troupe, shape: str) -> None:
    timed, args = Timed(troupe), {"ids": ["run-001"]}
    timed.client.call("pause")
    members = [
        {"path": str(number), "after": SHAPES[shape](number), "agent": {"command": ["/bin/true"]}}
        for number in range(10_000)
    ]
    begun = timed.call("run", troupe.request(members))
    assert (len(begun["agents"]), begun["run"]["counts"], timed.counts()) == (10_000, *[{"queued": 10_000}] * 2)
    assert len(timed.members()) == 10_000
    troupe.fleet.daemon_dies()
    assert timed.counts() == {"queued": 10_000}
    assert len(timed.call("cancel", args)["agents"]) == 10_000
    assert timed.counts() == {"cancelled": 10_000}
    assert troupe.show()["status"] == "cancelled"
    assert len(timed.call("retry", args)["agents"]) == 10_000
    assert timed.counts() == {"queued": 10_000}
    timed.call("cancel", args)
    print(shape, timed.took)  # noqa: T201 - shown when the test failed, or with -rP


def inside(troupe: Troupe, members: list[Map], groups: list[Map] | None = None, *, then: str = "true") -> str:
    """An agent that begins a run, waits for it, notes the answer and goes on with `then`."""
    output_file = troupe.fleet.directory / "said"
    begins = troupe.begins(members, groups or [])
    return troupe.fleet.spawn(
        f"{begins} > /dev/null || exit 90; orchctl wait --children >/dev/null 2>&1; echo $? >> {output_file}; {then}",
        nesting=2,
    )


def test_a_run_begun_by_an_agent_is_its_children_and_ends_at_limit_1(troupe: Troupe) -> None:
    fleet = troupe.fleet
    fleet.client.call("limit", {"limit": 1})
    below = f"orchctl spawn -- sh -c '{fleet.book.script}' >/dev/null; orchctl wait --children >/dev/null"
    members = [
        troupe.member("a", below, nesting=1),
        troupe.member("web/b"),
        troupe.member("web/c", below, after=["web/b"], nesting=1),
        troupe.member("d", after=["a", "web"]),
    ]
    with closing(Witness(fleet.instance.directory, limit=1, resident=28)) as witness:
        parent = inside(troupe, members, [group(max_parallel=1), group("web")])
        agents = {agent["name"]: agent for agent in fleet.all_end()}
        assert {agent["status"] for agent in agents.values()} == {"completed"}
    assert witness.violations == []
    assert sorted(troupe.parts.agents()) == ["a", "d", "web/b", "web/c"]
    assert {(agents[path]["level"], agents[path]["parent"], agents[path]["depth"]) for path in ("a", "d", "web/c")} == {
        ("composite", parent, 1)
    }
    assert sorted(fleet.agent(parent)["children"]) == sorted(ids(troupe.show()).values())
    assert troupe.show()["parent"] == parent
    assert lines_of(fleet.directory / "said") == [["0"]]


def test_a_run_begun_by_an_agent_counts_in_the_limit(troupe: Troupe) -> None:
    gate, fleet = troupe.fleet.gate(), troupe.fleet
    fleet.client.call("limit", {"limit": 2})
    with closing(Witness(fleet.instance.directory, limit=2, resident=28)) as witness:
        parent = inside(troupe, [troupe.member(str(number), gate.script) for number in range(6)])
        fleet.reaches(parent, "waiting")
        until(lambda: len(troupe.parts.entries()) == 2, what="two members")
        for _ in range(6):
            witness.next_window()
            assert fleet.client.call("limit")["working"] <= 2
            gate.let()
        fleet.all_end()
    assert (witness.violations, witness.peak_working) == ([], 2)
    assert troupe.show()["status"] == "completed"


def test_a_run_is_cancelled_with_the_agent_that_began_it(troupe: Troupe) -> None:
    gate = troupe.fleet.gate()
    parent = inside(troupe, [troupe.member("a", gate.script), troupe.member("b", after=["a"])])
    troupe.started("a")
    troupe.fleet.reaches(parent, "waiting")
    troupe.asked("cancel", parent)
    ended_run = troupe.ends()
    assert (ended_run["status"], statuses(ended_run)) == ("cancelled", {"a": "cancelled", "b": "cancelled"})
    assert reasons(ended_run)["a"] == f"its parent {parent} was cancelled"
    assert troupe.fleet.ends(parent)[0]["status"] == "cancelled"
    assert troupe.parts.agents() == ["a"]


def test_an_agent_survives_the_failure_of_its_run_and_is_told(troupe: Troupe) -> None:
    parent = inside(troupe, [troupe.member("a", "exit 3"), troupe.member("b", after=["a"])])
    (agent,) = troupe.fleet.ends(parent)
    assert agent["status"] == "completed"
    assert lines_of(troupe.fleet.directory / "said") == [["1"]]
    assert statuses(troupe.show()) == {"a": "failed", "b": "skipped"}
