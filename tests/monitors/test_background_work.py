"""Agents that work beside their wait: who is looked at when, and what counts as work."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from orchd.core.state.agents import Agent, AgentId, Frozen, RequestId, Status, Wait
from orchd.core.state.state import State
from orchd.monitors.background_work import AGAIN, FIRST, LONGEST, SHARE, SLACK, WANTED, BackgroundWork
from tests.support.attempts import agent


@dataclass
class Scene:
    """Waiting agents, the CPU time that they use, and a clock."""

    state: State = field(default_factory=State)
    now: float = 100.0
    cpu: dict[AgentId, float] = field(default_factory=dict)
    delay: dict[AgentId, float] = field(default_factory=dict)
    asked: list[AgentId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.frozen: list[AgentId] = []
        self.parked = BackgroundWork(
            self.state,
            self._load,
            lambda one, _: self.frozen.append(one),
            lambda: self.now,
        )

    def _load(self, one: AgentId, attempt: int) -> tuple[float, float]:
        self.asked.append(one)
        return self.cpu.get(one, 0.0), self.delay.get(one, 0.0)

    def waiter(self, number: int = 1) -> Agent:
        """An agent that waits."""
        made = agent("sh", number=number)
        made.status = Status.WAITING
        made.waits[RequestId("r")] = Wait(RequestId("r"), (AgentId("agent-009"),), False, None, 1, 0.0)
        self.state.waiting[made.id] = made
        return made

    def turn(self) -> list[AgentId]:
        """The agents that a turn of the loop, when the next look is due, finds at work."""
        due = self.parked.next_deadline()
        assert due is not None
        self.now = max(self.now, due)
        found = [event.agent for event in self.parked.look()]
        self.parked.next_deadline()
        return found

    def after(self, one: Agent, *, cpu: float = 0.0, delay: float = 0.0) -> list[AgentId]:
        """The same, when the agent has used these shares of a CPU until then, and a little more."""
        due = self.parked.next_deadline()
        assert due is not None
        took = due - self.now
        self.cpu[one.id] = self.cpu.get(one.id, 0.0) + cpu * took + (SLACK + 0.001) * (cpu > 0)
        self.delay[one.id] = self.delay.get(one.id, 0.0) + delay * took
        return self.turn()


@pytest.fixture
def scene() -> Scene:
    """No agent waits yet."""
    return Scene()


def test_nothing_is_looked_at_while_no_agent_waits(scene: Scene) -> None:
    assert scene.parked.next_deadline() is None
    assert (scene.parked.look(), scene.asked) == ([], [])


def test_nothing_is_looked_at_where_the_limit_is_lenient(scene: Scene) -> None:
    scene.waiter()
    scene.parked.next_deadline()
    scene.state.is_strict = False
    assert scene.parked.next_deadline() is None
    assert scene.parked.look() == []


def test_an_agent_that_only_waits_is_looked_at_ever_less_often(scene: Scene) -> None:
    scene.waiter()
    pauses, last = [], scene.now
    for _ in range(7):
        assert scene.turn() == []
        pauses.append(scene.now - last)
        last = scene.now
    assert pauses == pytest.approx([FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST, LONGEST, LONGEST])


def test_an_agent_that_works_from_the_beginning_is_noticed_within_a_second(scene: Scene) -> None:
    one, began = scene.waiter(), scene.now
    assert scene.after(one, cpu=1.0) == []
    assert scene.after(one, cpu=1.0) == [one.id]
    assert scene.now - began == pytest.approx(FIRST + AGAIN)


def test_an_agent_that_begins_to_work_late_is_noticed_within_three_seconds(scene: Scene) -> None:
    one = scene.waiter()
    for _ in range(8):
        assert scene.turn() == []
    began = scene.now
    assert scene.after(one, cpu=1.0) == []
    assert scene.after(one, cpu=1.0) == [one.id]
    assert scene.now - began == pytest.approx(LONGEST + AGAIN)


def test_one_burst_is_no_work(scene: Scene) -> None:
    one = scene.waiter()
    assert scene.after(one, cpu=1.0) == []
    assert scene.turn() == []
    assert scene.after(one, cpu=1.0) == []


@pytest.mark.parametrize(("share", "is_work"), [(SHARE * 0.9, False), (SHARE * 1.1, True)])
def test_a_share_of_a_cpu_is_work(scene: Scene, share: float, *, is_work: bool) -> None:
    one = scene.waiter()
    scene.turn()
    assert scene.after(one, cpu=share) == []
    assert scene.after(one, cpu=share) == ([one.id] if is_work else [])


@pytest.mark.parametrize(("share", "is_work"), [(WANTED * 0.8, False), (0.95, True)])
def test_a_tree_that_waits_for_a_cpu_works(scene: Scene, share: float, *, is_work: bool) -> None:
    one = scene.waiter()
    for _ in range(5):
        scene.turn()
    assert scene.after(one, delay=share) == []
    assert scene.after(one, delay=share) == ([one.id] if is_work else [])


def test_waits_that_come_and_go_hide_no_work(scene: Scene) -> None:
    one = scene.waiter()
    scene.turn()
    seen: list[str] = []
    for number in range(8):
        one.waits[RequestId(f"s{number}")] = one.waits[RequestId("r")]
        seen += scene.after(one, cpu=1.0)
    assert one.id in seen


def test_what_an_earlier_attempt_used_does_not_count(scene: Scene) -> None:
    one = scene.waiter()
    scene.after(one, cpu=1.0)
    one.attempt = 2
    scene.cpu[one.id] += 100.0
    assert scene.turn() == []
    assert scene.turn() == []


def test_a_frozen_agent_that_was_woken_is_frozen_again(scene: Scene) -> None:
    one = scene.waiter()
    scene.turn()
    one.frozen = Frozen.BUSY
    for _ in range(8):
        assert scene.turn() == []
    assert scene.frozen == []
    assert scene.after(one, cpu=1.0) == []
    assert scene.frozen == [one.id]
    assert scene.turn() == []
    assert scene.frozen == [one.id]


def test_what_was_used_before_a_thaw_does_not_count(scene: Scene) -> None:
    one = scene.waiter()
    one.frozen = Frozen.LENT
    scene.turn()
    one.frozen = None
    scene.cpu[one.id] = 100.0
    assert scene.turn() == []
    assert scene.turn() == []
    assert scene.frozen == []


def test_an_agent_that_waits_no_more_is_forgotten(scene: Scene) -> None:
    one, _ = scene.waiter(1), scene.waiter(2)
    scene.turn()
    del scene.state.waiting[one.id]
    scene.asked.clear()
    scene.turn()
    assert one.id not in scene.asked
