"""Agents in a lent slot: who is looked at when, and what counts as progress."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from orchd.core.inputs import StoodStill
from orchd.core.state.agents import Agent, AgentId, Frozen, RequestId, Status, Wait, agent_id, number_of
from orchd.core.state.state import State
from orchd.monitors.lent_slots import LONGEST, LOOKS, SLACK, LentSlots
from tests.support.attempts import agent

AFTER = 30.0


@dataclass
class Scene:
    """A lender, the agent in its slot, what this uses and puts out, and a clock."""

    state: State = field(default_factory=lambda: State(stall_after=AFTER))
    now: float = 100.0
    load: tuple[float, float] = (0.0, 0.0)
    heard: float = 0.0  # when it put something out last

    def __post_init__(self) -> None:
        self.borrowers = LentSlots(self.state, lambda *_: self.load, lambda *_: self.now - self.heard, lambda: self.now)

    def lend(self) -> Agent:
        """The borrower."""
        lender, borrower = agent("sh", number=1), agent("sh", number=2)
        lender.status, lender.frozen, lender.lent_to = Status.WAITING, Frozen.LENT, borrower.id
        borrower.status = Status.RUNNING
        self.state.waiting[lender.id] = self.state.living[lender.id] = lender
        self.state.living[borrower.id] = borrower
        return borrower

    def look(self) -> list[StoodStill]:
        """The reports of the next look."""
        due = self.borrowers.next_deadline()
        assert due is not None
        assert self.now < due <= self.now + LONGEST
        self.now = due
        return self.borrowers.look()

    def looks(self, seconds: float) -> list[StoodStill]:
        """The reports of the looks in this time."""
        until, reports = self.now + seconds, list[StoodStill]()
        while self.now < until:
            reports += self.look()
        return reports


@pytest.fixture
def scene() -> Scene:
    """No slot is lent yet."""
    return Scene()


def test_no_look_is_scheduled_while_no_slot_is_lent(scene: Scene) -> None:
    assert scene.borrowers.next_deadline() is None
    assert scene.borrowers.look() == []
    scene.lend()
    assert scene.borrowers.next_deadline() == scene.now + AFTER / LOOKS
    assert scene.borrowers.look() == []
    scene.state.waiting.clear()
    assert scene.borrowers.next_deadline() is None


def test_a_borrower_without_cpu_time_or_output_is_reported_once(scene: Scene) -> None:
    borrower = scene.lend()
    scene.look()
    assert scene.looks(AFTER - 1.0) == [StoodStill(frozenset({(borrower.id, borrower.attempt)}))]
    assert scene.looks(3 * AFTER) == []


@pytest.mark.parametrize("how", ["cpu", "waiting for a cpu", "output"])
def test_progress_by_cpu_time_or_output_resets_the_stall_report(scene: Scene, how: str) -> None:
    scene.lend()
    scene.look()
    for _ in range(3 * LOOKS):
        if how == "output":
            scene.heard = scene.now
        else:
            more = SLACK + 0.001
            scene.load = (scene.load[0] + more * (how == "cpu"), scene.load[1] + more * (how != "cpu"))
        assert scene.look() == []
    assert len(scene.looks(AFTER + 1.0)) == 1
    scene.load, scene.heard = (scene.load[0] + 1.0, scene.load[1]), scene.now
    assert scene.look() == [StoodStill(frozenset())]


def test_a_waiting_borrower_is_not_reported(scene: Scene) -> None:
    scene.lend().status = Status.WAITING
    assert scene.looks(3 * AFTER) == []


def test_the_stall_time_restarts_with_each_attempt(scene: Scene) -> None:
    borrower = scene.lend()
    scene.looks(AFTER)
    borrower.attempt += 1
    assert scene.looks(AFTER - 1.0) == []
    assert scene.looks(AFTER / LOOKS) == [StoodStill(frozenset({(AgentId("agent-002"), borrower.attempt)}))]


class Returning(Scene):
    """An agent whose wait has timed out and two at work, at limit 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.loads = dict.fromkeys((1, 2, 3), 0.0)
        self.borrowers = LentSlots(
            self.state,
            lambda agent_id, _: (self.loads[number_of(agent_id)], 0.0),
            lambda *_: self.now,
            lambda: self.now,
        )
        self.state.limit = 2
        for number in (1, 2, 3):
            agent_at_work = self.state.living[agent_id(number)] = agent("sh", number=number)
            agent_at_work.status = Status.RUNNING
        first = self.state.living[agent_id(1)]
        first.status = Status.WAITING
        request = RequestId("w")
        first.waits[request] = Wait(request, (agent_id(2),), False, 1.0, 1, 1.0, is_expired=True)
        self.state.waiting[first.id] = self.state.due[first.id] = first


def test_a_stall_is_reported_only_if_all_running_agents_stand_still() -> None:
    scene = Returning()
    reports: list[StoodStill] = []
    for _ in range(3 * LOOKS):
        scene.loads[3] += 1.0
        reports += scene.look()
    assert reports == []
    assert scene.looks(2 * AFTER) == [StoodStill(frozenset({(agent_id(number), 1) for number in (2, 3)}))]
    scene.loads[2] += 1.0
    assert scene.look() == [StoodStill(frozenset())]
    scene.state.limit = 3
    assert scene.borrowers.next_deadline() is None
