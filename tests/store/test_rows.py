"""The rows that a turn writes, read back from the database."""

from __future__ import annotations

from pathlib import Path

from orchd.core.state import events
from orchd.core.state.agents import Agent, AgentId, Instant, Level, Outcome, Spec, agent_id
from orchd.core.state.runs import GroupPlan, Membership, RunPlan, RunStatus, run_id
from orchd.core.state.spending import Budget
from orchd.core.state.state import State
from orchd.core.turn import Turn
from orchd.store.database import Store

RUN = run_id(1)
MORE = "\udcff"  # a byte that is not UTF-8


def member(number: int, ancestors: tuple[AgentId, ...] = ()) -> events.AgentQueued:
    """A member of the run."""
    part = Membership(RUN, f"m{number}", (), True, 1.0, number)
    spec = Spec(("true",), "name", "/", "e", skill=f"skill-{MORE}", variables=(("A", MORE),), member=part)
    return events.AgentQueued(agent_id(number), spec, Level.COMPOSITE, ancestors)


def completed(turn: Turn, number: int) -> None:
    """An agent that ran."""
    new_id = agent_id(number)
    turn.record(events.AttemptAdmitted(new_id, 1))
    turn.record(events.AttemptStarted(new_id, 1, 7))
    turn.record(events.ProcessEnded(new_id, 1, Outcome(0)))
    turn.record(events.AgentCompleted(new_id))


def test_runs_members_and_skill_durations_round_trip(tmp_path: Path) -> None:
    store, state = Store(tmp_path / "db"), State()
    began = Turn(state, Instant(0.0, 100.0))
    began.record(events.RunBegan(RUN, RunPlan("run", (GroupPlan("", max_parallel=2),), "/"), Budget()))
    began.record(member(1))
    began.record(member(2))
    completed(began, 1)
    store.commit(state, 100.0, began.events)
    (run,) = store.unfinished_runs()
    assert (run.id, run.plan, run.began_at) == (RUN, state.runs[RUN].plan, 100.0)
    assert (run.members, run.ended, run.tallies) == (state.runs[RUN].members, state.runs[RUN].ended, run.tallies)
    assert run.tallies[""].unfinished == 1
    agent = store.agent(agent_id(2))
    assert isinstance(agent, Agent)
    assert agent.spec == state.agents[agent_id(2)].spec
    ended = Turn(state, Instant(10.0, 110.0))
    completed(ended, 2)
    ended.record(events.RunEnded(RUN, RunStatus.COMPLETED))
    store.commit(state, 110.0, ended.events)
    assert store.unfinished_runs() == []
    assert [run.status for run in store.runs(None, 5)] == [RunStatus.COMPLETED]
    assert store.runs(1, 5) == []
    assert store.run(run_id(2)) is None
    assert store.skills([f"skill-{MORE}", "other"]) == {f"skill-{MORE}": (0.0, 2)}
    store.close()


def test_the_newest_sample_of_a_skill_weighs_three_tenths(tmp_path: Path) -> None:
    store, state = Store(tmp_path / "db"), State()
    turn = Turn(state, Instant(0.0, 0.0))
    turn.record(events.RunBegan(RUN, RunPlan("run", (GroupPlan(""),), "/"), Budget()))
    for number, seconds in ((1, 10.0), (2, 20.0)):
        turn.at = Instant(0.0, 100.0)
        turn.record(member(number))
        turn.record(events.AttemptAdmitted(agent_id(number), 1))
        turn.record(events.AttemptStarted(agent_id(number), 1, 7))
        turn.record(events.ProcessEnded(agent_id(number), 1, Outcome(0)))
        turn.at = Instant(0.0, 100.0 + seconds)
        turn.record(events.AgentCompleted(agent_id(number)))
    store.commit(state, 100.0, turn.events)
    ((seconds, samples),) = store.skills([f"skill-{MORE}"]).values()
    assert (round(seconds, 6), samples) == (13.0, 2)
    store.close()


def test_the_events_of_an_agents_run_belong_to_its_tree(tmp_path: Path) -> None:
    store, state = Store(tmp_path / "db"), State()
    turn = Turn(state, Instant(0.0, 0.0))
    turn.record(events.AgentQueued(agent_id(1), Spec(("true",), "name", "/", "e"), Level.PM, ()))
    turn.record(events.AgentQueued(agent_id(2), Spec(("true",), "name", "/", "e"), Level.PM, ()))
    turn.record(events.RunBegan(RUN, RunPlan("run", (GroupPlan(""),), "/", ancestors=(agent_id(1),)), Budget()))
    turn.record(member(3, (agent_id(1),)))
    store.commit(state, 0.0, turn.events)
    assert [event.event for event in store.events(0, 10, 1)] == ["agent-queued", "run-began", "agent-queued"]
    assert [event.event for event in store.events(0, 10, 2)] == ["agent-queued"]
    assert [run.id for run in store.runs(None, 5, 1)] == [RUN]
    assert store.runs(None, 5, 2) == []
    store.close()
