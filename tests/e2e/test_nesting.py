"""No nesting deadlocks: parents wait for children that wait for children, in fewer slots than there are agents."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from orchd.protocol.errors import WireError
from tests.e2e.fleet import Fleet

PLACES = [(7, 28), (7, 7), (3, 12), (3, 3), (1, 4), (1, 1)]


def forest_of(fleet: Fleet, widths: list[int], claims: list[int]) -> dict[str, object]:
    """An agent that spawns `widths[0]` others of the rest of `widths`, waits for them and notes the answer."""
    if not widths:
        return fleet.spec("exit 0", nesting=claims[0])
    below = fleet.directory / f"below-{len(widths)}.jsonl"
    below.write_text("\n".join(json.dumps(forest_of(fleet, widths[1:], claims[1:])) for _ in range(widths[0])))
    answers = fleet.directory / "answers"
    waits = f'said=$(orchctl wait --children 2>&1 >/dev/null); echo "$? ${{said%%:*}}" >> {answers}'
    return fleet.spec(f"orchctl spawn --batch {below} >/dev/null && {waits}", nesting=claims[0])


def answers_of(fleet: Fleet) -> Counter[str]:
    """Exit code and error code of each wait."""
    return Counter((fleet.directory / "answers").read_text().splitlines())


def run(fleet: Fleet, widths: list[int], *, declared: bool) -> tuple[Counter[str], int]:
    """Run a forest to its end; the answers to its waits, and the number of agents."""
    claims = [len(widths) - 1 - depth if declared else 0 for depth in range(len(widths))]
    fleet.batch([forest_of(fleet, widths[1:], claims) for _ in range(widths[0])])
    agents = fleet.all_end()
    assert {(agent["status"], agent["exit_code"]) for agent in agents} == {("completed", 0)}
    assert sorted(fleet.book.entries()) == sorted((agent["id"], 1) for agent in agents)
    return answers_of(fleet), len(agents)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize(("limit", "resident"), PLACES)
def test_nested_agents_end_or_are_refused_with_any_number_of_slots(
    fleet: Fleet, limit: int, resident: int, *, declared: bool
) -> None:
    fleet.client.call("limit", {"limit": limit, "resident": resident})
    if declared and resident <= 2:
        with pytest.raises(WireError) as refused:
            run(fleet, [3, 2, 1], declared=True)
        assert refused.value.code == "nesting-too-large"
        return
    answers, count = run(fleet, [3, 2, 1], declared=declared)
    assert count == 3 + 6 + 6
    assert answers.total() == 3 + 6
    assert set(answers) <= {"0 "} if declared else {"0 ", "1 would-deadlock"}
    if resident == 1:
        assert set(answers) == {"1 would-deadlock"}


@pytest.mark.slow
def test_seven_parents_with_nested_children_finish_with_three_slots(fleet: Fleet) -> None:
    fleet.client.call("limit", {"limit": 3, "resident": 3})
    answers, count = run(fleet, [7, 3, 2], declared=True)
    assert (count, answers) == (7 + 21 + 42, {"0 ": 28})


@pytest.mark.stress
@pytest.mark.timeout(300)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize(("limit", "resident"), PLACES[:-1])
def test_seven_parents_finish_with_any_number_of_slots(
    fleet: Fleet, limit: int, resident: int, *, declared: bool
) -> None:
    fleet.client.call("limit", {"limit": limit, "resident": resident})
    answers, count = run(fleet, [7, 3, 2], declared=declared)
    assert count == 7 + 21 + 42
    assert answers.total() == 28
    assert set(answers) <= {"0 "} if declared else {"0 ", "1 would-deadlock"}


def test_a_wait_that_would_deadlock_is_refused_at_once_with_a_hint(fleet: Fleet) -> None:
    fleet.client.call("limit", {"limit": 1, "resident": 1})
    answer_path = fleet.directory / "told"
    agent_id = fleet.spawn(
        f"orchctl spawn -- true >/dev/null; orchctl wait --children --json > {answer_path}; echo $? >> {answer_path}"
    )
    fleet.started(agent_id)
    assert {agent["status"] for agent in fleet.all_end()} == {"completed"}
    answer, code = answer_path.read_text().splitlines()
    error = json.loads(answer)["error"]
    assert (error["code"], code) == ("would-deadlock", "1")
    assert error["details"]["resident"] == 1
    assert "--resident" in error["message"]


def test_a_child_waiting_for_its_waiting_parent_is_refused_with_the_path(fleet: Fleet) -> None:
    gate, answer_path = fleet.gate(), fleet.directory / "told"
    child = f"{gate.script}; orchctl wait agent-001 --json > {answer_path}; echo $? >> {answer_path}"
    parent = fleet.spawn(f"orchctl spawn --nesting 1 -- sh -c '{child}' >/dev/null; orchctl wait --children", nesting=2)
    fleet.reaches(parent, "waiting")
    gate.let()
    fleet.all_end()
    answer, code = answer_path.read_text().splitlines()
    error = json.loads(answer)["error"]
    assert (error["code"], code) == ("cycle", "1")
    assert error["details"]["path"] == ["agent-002", "agent-001", "agent-002"]
    assert "agent-002 -> agent-001 -> agent-002" in error["message"]


def test_a_cycle_of_waiting_siblings_is_refused_with_its_path(fleet: Fleet) -> None:
    gate, answer_path = fleet.gate(), fleet.directory / "told"
    last = f"{gate.script}; orchctl wait agent-002 --json > {answer_path}"
    lines = [
        fleet.spec("orchctl wait agent-003"),
        fleet.spec("orchctl wait agent-004"),
        fleet.spec(last),
    ]
    batch = fleet.directory / "ring.jsonl"
    batch.write_text("\n".join(json.dumps(line) for line in lines))
    fleet.spawn(f"orchctl spawn --batch {batch} >/dev/null; orchctl wait --children")
    fleet.started("agent-002", "agent-003", "agent-004")
    fleet.reaches("agent-002", "waiting")
    fleet.reaches("agent-003", "waiting")
    gate.let()
    fleet.all_end()
    error = json.loads(answer_path.read_text())["error"]
    assert error["code"] == "cycle"
    assert error["details"]["path"] == ["agent-004", "agent-002", "agent-003", "agent-004"]


def test_a_cycle_of_dependencies_is_refused_with_its_path(fleet: Fleet) -> None:
    ring = [fleet.spec("true", name=name, after=[after]) for name, after in (("a", "b"), ("b", "c"), ("c", "a"))]
    with pytest.raises(WireError) as refused:
        fleet.batch(ring)
    assert refused.value.code == "cycle"
    path: Any = refused.value.details["path"]
    assert path[0] == path[-1]
    assert set(path) == {"a", "b", "c"}
    assert fleet.show() == []


def test_a_waiting_parent_releases_its_slot_to_its_child_and_regains_it(fleet: Fleet) -> None:
    gate, back = fleet.gate(), fleet.gate()
    fleet.client.call("limit", {"limit": 1})
    parent = fleet.spawn(f"orchctl spawn -- sh -c '{gate.script}' >/dev/null; orchctl wait --children; {back.script}")
    assert fleet.reaches(parent, "waiting")["reason"] == "waits for agent-002"
    fleet.reaches("agent-002", "running")
    other = fleet.spawn("true", priority=100)
    assert fleet.client.call("limit")["working"] == 1
    gate.let()
    # it returns before anybody new is admitted, whatever that one's priority
    assert fleet.reaches(parent, "running")["reason"] is None
    assert fleet.agent(other)["status"] == "queued"
    back.let()
    assert {agent["status"] for agent in fleet.ends()} == {"completed"}
