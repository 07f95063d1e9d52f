"""`kill -9` of the daemon in any state of a run: it goes on where it was, and nothing of it is done twice."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import DEADLINE, until
from tests.e2e.crashing import STOP, TURN
from tests.e2e.fleet import STUBBORN, Fleet, Gate, is_alive, pids_in
from tests.e2e.run_fleet import Map, RunFleet, group, ids, reasons, statuses
from tests.e2e.test_crash import BRIEF, has_died, start_crashing
from tests.witness import Witness


def prepared(fleet: Fleet, point: str, armed: Path, config: str) -> RunFleet:
    """A run_fleet whose daemon dies at `point`."""
    fleet.instance.configure(config)
    start_crashing(fleet, point, armed)
    return RunFleet(fleet)


def two_ways(run_fleet: RunFleet, first: Gate, second: Gate) -> tuple[list[Map], list[Map]]:
    """`a` and behind it a group, beside `b`, and at last what comes after both."""
    members = [
        run_fleet.member("a", first.script),
        run_fleet.member("b", second.script),
        run_fleet.member("web/c"),
        run_fleet.member("web/d", after=["web/c"]),
        run_fleet.member("e", after=["web", "b"]),
    ]
    return members, [group(max_parallel=2), group("web", after=["a"], max_parallel=1)]


@pytest.mark.parametrize("point", TURN)
@pytest.mark.parametrize("action", ["begin", "succeed"])
def test_a_run_survives_a_daemon_crash_within_a_turn(resting: Fleet, tmp_path: Path, point: str, action: str) -> None:
    armed = tmp_path / "armed"
    run_fleet, first, second = prepared(resting, point, armed, "limit = 2\n"), resting.gate(), resting.gate()
    members, groups = two_ways(run_fleet, first, second)
    with closing(Witness(resting.instance.directory, limit=2, resident=28)) as witness:
        if action == "begin":
            armed.touch()
            run = run_fleet.begin(members, groups)  # asked again, with the same id, of whoever serves then
        else:
            run = run_fleet.begin(members, groups)
            run_fleet.started("a", "b")
            outside = resting.waiting(ids(run_fleet.show(run))["a"], ids(run_fleet.show(run))["b"], "--any")
            armed.touch()
        first.let()
        has_died(resting)
        second.let()
        ended_run = run_fleet.ends(run)
        assert action == "begin" or outside.wait(DEADLINE) == 0
    assert (run, ended_run["status"], ended_run["counts"]) == ("run-001", "completed", {"completed": 5})
    assert [path for path in run_fleet.parts.agents() if path != "b"] == ["a", "web/c", "web/d", "e"]
    assert run_fleet.parts.agents().count("b") == 1
    assert len(resting.show()) == 5
    assert witness.violations == []


@pytest.mark.parametrize("point", [*TURN, *STOP])
def test_fail_fast_completes_despite_a_daemon_crash(resting: Fleet, tmp_path: Path, point: str) -> None:
    armed, pids = tmp_path / "armed", tmp_path / "pids"
    run_fleet, fails = prepared(resting, point, armed, "grace = 0.3\nlimit = 2\n"), resting.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("bad", f"{fails.script}; exit 3"),
            run_fleet.member("busy", f"echo $$ >> {pids}; {STUBBORN}"),
            run_fleet.member("later", after=["busy"]),
        ]
    )
    until(lambda: pids_in(pids) and len(run_fleet.parts.agents()) == 2)
    other = resting.spawn("exit 4")  # starts in the turn in which the run fails
    outside = resting.waiting(ids(run_fleet.show(run))["bad"])
    armed.touch()
    fails.let()
    has_died(resting)
    ended_run = run_fleet.ends(run)
    why = "bad failed, and whole fails fast"
    assert (ended_run["status"], ended_run["reason"]) == ("failed", "bad (agent-001) failed: exit code 3")
    assert list(statuses(ended_run).values()) == ["failed", "cancelled", "skipped"]
    assert reasons(ended_run) == {"bad": "exit code 3", "busy": why, "later": why}
    assert sorted(run_fleet.parts.entries()) == [("bad", 1), ("busy", 1)]
    assert (resting.ends(other)[0]["exit_code"], resting.book.agents().count(other)) == (4, 1)
    assert outside.wait(DEADLINE) == 1
    assert not any(map(is_alive, pids_in(pids)))


def test_members_that_ended_without_a_daemon_are_counted_by_the_next(fleet: Fleet) -> None:
    run_fleet, gate, fails = RunFleet(fleet), fleet.gate(), fleet.gate()
    run = run_fleet.begin(
        [
            run_fleet.member("web/a", gate.script),
            run_fleet.member("web/b", gate.script),
            run_fleet.member("next", after=["web"]),
            run_fleet.member("extra", f"{fails.script}; exit 1", required=False),
            run_fleet.member("polish", after=["extra"], required=False),
        ],
        [group(), group("web")],
    )
    run_fleet.started("web/a", "web/b", "extra")
    shims = [agent["pid"] for agent in fleet.show() if agent["pid"]]
    fleet.instance.kill()
    gate.let(2)
    fails.let()
    until(lambda: not any(map(is_alive, shims)))
    fleet.instance.start()
    ended_run = run_fleet.ends(run)
    assert (ended_run["status"], ended_run["counts"]) == ("completed", {"completed": 3, "failed": 1, "skipped": 1})
    assert sorted(run_fleet.parts.entries()) == [("extra", 1), ("next", 1), ("web/a", 1), ("web/b", 1)]


def test_a_failed_run_can_be_retried_after_a_daemon_crash(fleet: Fleet) -> None:
    run_fleet, flag = RunFleet(fleet), fleet.directory / "flag"
    run = run_fleet.begin(
        [run_fleet.member("a"), run_fleet.member("web/b", f"[ -e {flag} ]"), run_fleet.member("c", after=["web"])],
        [group(), group("web", after=["a"])],
    )
    failed = run_fleet.ends(run)
    fleet.daemon_dies()
    assert run_fleet.show(run) == failed
    flag.touch()
    run_fleet.names_touched_by("retry", run)
    fleet.daemon_dies()
    assert run_fleet.ends(run)["status"] == "completed"
    assert run_fleet.parts.agents() == ["a", "web/b", "web/b", "c"]  # an attempt that never ran has a number too


def drawn(run_fleet: RunFleet, chance: random.Random, count: int, script: str) -> list[Map]:
    """Members in groups of ten, each after some of the earlier members of its group."""
    members = []
    for number in range(count):
        before = range(number - number % 10, number)
        after = [f"g{earlier // 10}/{earlier}" for earlier in before if chance.random() < 0.3]
        members.append(
            run_fleet.member(f"g{number // 10}/{number}", script, after=after, retries=chance.choice([0, 2]))
        )
    return members


def lives_through_deaths(fleet: Fleet, deaths: int, count: int) -> None:
    """Perform a run while the daemon is killed `deaths` times, each time while some members are under way."""
    run_fleet, chance, gate = RunFleet(fleet), random.Random(deaths), fleet.gate()
    fleet.client.call("limit", {"limit": 4})
    members = drawn(run_fleet, chance, count, f"{gate.script}; {BRIEF}")
    passed = 0
    after = {
        f"g{index}": [f"g{other}" for other in range(index) if chance.random() < 0.2] for index in range(count // 10)
    }
    groups = [group(max_parallel=3), *(group(path, after=earlier, max_parallel=2) for path, earlier in after.items())]
    with closing(Witness(fleet.instance.directory, limit=4, resident=28)) as witness:
        run = run_fleet.begin(members, groups)
        for number in range(deaths):
            if number % 8 == 0:  # whoever waits brings the daemon back, but not for ever
                fleet.waiting(*ids(run_fleet.show(run)).values())
            some = chance.randint(1, count // (deaths + 2))
            passed += some
            gate.let(some)
            entries = passed - chance.randrange(some)
            until(lambda entries=entries: len(run_fleet.parts.entries()) >= entries, what="progress")
            fleet.daemon_dies()
        gate.let(count - passed)
        assert run_fleet.ends(run)["counts"] == {"completed": count}
    assert witness.violations == []
    each_came_once_and_in_its_turn(run_fleet, members, after)


def each_came_once_and_in_its_turn(run_fleet: RunFleet, members: list[Map], after: dict[str, list[str]]) -> None:
    """`after` has the groups that each group comes after."""
    order = {path: place for place, path in enumerate(run_fleet.parts.agents())}
    assert sorted(run_fleet.parts.agents()) == sorted(member["path"] for member in members)
    for member in members:
        home = member["path"].partition("/")[0]
        inside = [path for other in after[home] for path in order if path.startswith(f"{other}/")]
        assert all(order[path] < order[member["path"]] for path in [*member["after"], *inside])


@pytest.mark.slow
def test_a_run_survives_six_daemon_crashes(fleet: Fleet) -> None:
    lives_through_deaths(fleet, 6, 100)


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_a_run_survives_forty_daemon_crashes(fleet: Fleet) -> None:
    lives_through_deaths(fleet, 40, 1000)
