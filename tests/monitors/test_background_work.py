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
            lambda agent_id, _: self.frozen.append(agent_id),
            lambda: self.now,
        )

    def _load(self, agent_id: AgentId, attempt: int) -> tuple[float, float]:
        self.asked.append(agent_id)
        return self.cpu.get(agent_id, 0.0), self.delay.get(agent_id, 0.0)

    def waiter(self, number: int = 1) -> Agent:
        """An agent that waits."""
        waiting = agent("sh", number=number)
        waiting.status = Status.WAITING
        waiting.waits[RequestId("r")] = Wait(RequestId("r"), (AgentId("agent-009"),), False, None, 1, 0.0)
        self.state.waiting[waiting.id] = waiting
        return waiting

    def turn(self) -> list[AgentId]:
        """The agents that a turn of the loop, when the next look is due, finds at work."""
        due = self.parked.next_deadline()
        assert due is not None
        self.now = max(self.now, due)
        agent_ids = [event.agent for event in self.parked.look()]
        self.parked.next_deadline()
        return agent_ids

    def after(self, agent: Agent, *, cpu: float = 0.0, delay: float = 0.0) -> list[AgentId]:
        """The same, when the agent has used these shares of a CPU until then, and a little more."""
        due = self.parked.next_deadline()
        assert due is not None
        took = due - self.now
        self.cpu[agent.id] = self.cpu.get(agent.id, 0.0) + cpu * took + (SLACK + 0.001) * (cpu > 0)
        self.delay[agent.id] = self.delay.get(agent.id, 0.0) + delay * took
        return self.turn()


@pytest.fixture
def scene() -> Scene:
    """No agent waits yet."""
    return Scene()


def test_no_look_is_scheduled_while_no_agent_waits(scene: Scene) -> None:
    assert scene.parked.next_deadline() is None
    assert (scene.parked.look(), scene.asked) == ([], [])


def test_no_look_is_scheduled_with_a_lenient_limit(scene: Scene) -> None:
    scene.waiter()
    scene.parked.next_deadline()
    scene.state.is_strict = False
    assert scene.parked.next_deadline() is None
    assert scene.parked.look() == []


def test_an_idle_waiting_agent_is_inspected_less_and_less_often(scene: Scene) -> None:
    scene.waiter()
    pauses, last = [], scene.now
    for _ in range(7):
        assert scene.turn() == []
        pauses.append(scene.now - last)
        last = scene.now
    assert pauses == pytest.approx([FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST, LONGEST, LONGEST])


def test_a_waiting_agent_at_work_from_the_start_is_detected_in_a_second(scene: Scene) -> None:
    agent, began = scene.waiter(), scene.now
    assert scene.after(agent, cpu=1.0) == []
    assert scene.after(agent, cpu=1.0) == [agent.id]
    assert scene.now - began == pytest.approx(FIRST + AGAIN)


def test_a_waiting_agent_that_works_late_is_detected_in_three_seconds(scene: Scene) -> None:
    agent = scene.waiter()
    for _ in range(8):
        assert scene.turn() == []
    began = scene.now
    assert scene.after(agent, cpu=1.0) == []
    assert scene.after(agent, cpu=1.0) == [agent.id]
    assert scene.now - began == pytest.approx(LONGEST + AGAIN)


def test_a_single_cpu_burst_is_not_background_work(scene: Scene) -> None:
    agent = scene.waiter()
    assert scene.after(agent, cpu=1.0) == []
    assert scene.turn() == []
    assert scene.after(agent, cpu=1.0) == []


@pytest.mark.parametrize(("share", "is_work"), [(SHARE * 0.9, False), (SHARE * 1.1, True)])
def test_a_cpu_share_above_the_threshold_is_background_work(scene: Scene, share: float, *, is_work: bool) -> None:
    agent = scene.waiter()
    scene.turn()
    assert scene.after(agent, cpu=share) == []
    assert scene.after(agent, cpu=share) == ([agent.id] if is_work else [])


@pytest.mark.parametrize(("share", "is_work"), [(WANTED * 0.8, False), (0.95, True)])
def test_a_process_tree_that_waits_for_a_cpu_counts_as_working(scene: Scene, share: float, *, is_work: bool) -> None:
    agent = scene.waiter()
    for _ in range(5):
        scene.turn()
    assert scene.after(agent, delay=share) == []
    assert scene.after(agent, delay=share) == ([agent.id] if is_work else [])


def test_further_waits_do_not_hide_background_work(scene: Scene) -> None:
    waiting = scene.waiter()
    scene.turn()
    agent_ids: list[str] = []
    for number in range(8):
        waiting.waits[RequestId(f"s{number}")] = waiting.waits[RequestId("r")]
        agent_ids += scene.after(waiting, cpu=1.0)
    assert waiting.id in agent_ids


def test_cpu_time_of_an_earlier_attempt_does_not_count(scene: Scene) -> None:
    agent = scene.waiter()
    scene.after(agent, cpu=1.0)
    agent.attempt = 2
    scene.cpu[agent.id] += 100.0
    assert scene.turn() == []
    assert scene.turn() == []


def test_a_frozen_agent_that_uses_cpu_is_frozen_again(scene: Scene) -> None:
    agent = scene.waiter()
    scene.turn()
    agent.frozen = Frozen.BUSY
    for _ in range(8):
        assert scene.turn() == []
    assert scene.frozen == []
    assert scene.after(agent, cpu=1.0) == []
    assert scene.frozen == [agent.id]
    assert scene.turn() == []
    assert scene.frozen == [agent.id]


def test_cpu_time_used_before_a_thaw_does_not_count(scene: Scene) -> None:
    agent = scene.waiter()
    agent.frozen = Frozen.LENT
    scene.turn()
    agent.frozen = None
    scene.cpu[agent.id] = 100.0
    assert scene.turn() == []
    assert scene.turn() == []
    assert scene.frozen == []


def test_an_agent_that_no_longer_waits_is_not_inspected(scene: Scene) -> None:
    agent, _ = scene.waiter(1), scene.waiter(2)
    scene.turn()
    del scene.state.waiting[agent.id]
    scene.asked.clear()
    scene.turn()
    assert agent.id not in scene.asked
