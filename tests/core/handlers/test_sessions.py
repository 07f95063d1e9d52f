"""Which session agents belong to, and what a person does with sessions."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.effects import Answer
from orchd.core.inputs import Scope
from orchd.core.state.agents import SIMULATED, Outcome, Report
from orchd.core.state.events import SessionClosed, SessionOpened
from orchd.core.state.runs import GroupPlan, RunPlan, run_id
from orchd.core.state.sessions import SessionId, session_id
from orchd.core.state.spending import Budget, Spent
from tests.core.box import Box, spec

HERE, THERE = Scope("/here"), Scope("/there")
NONE = Budget()
EVEN = {"a": 1.0}
FIRST, SECOND = session_id(1), session_id(2)


def opened(box: Box, scope: Scope = HERE, name: str | None = None, budget: Budget = NONE) -> SessionId:
    """A new session."""
    turn = box.tell(inputs.OpenSession(box.request(), scope, name, budget))
    (answer,) = (effect for effect in turn.effects if isinstance(effect, Answer))
    return SessionId(answer.subject or "")


def sessions(box: Box, *ids: str) -> list[str | None]:
    """Where agents belong."""
    return [agent.spec.session for agent in box.state.agents.values() if not ids or agent.id in ids]


def test_agents_of_a_directory_share_the_session_that_the_first_opened() -> None:
    box = Box()
    box.batch(spec("a", tokens=10), spec("b", tokens=5), scope=HERE)
    assert [type(event) for event in box.turn.events[:1]] == [SessionOpened]
    box.batch(spec("c"), scope=HERE)
    box.batch(spec("d"), scope=THERE)
    assert sessions(box) == [FIRST, FIRST, FIRST, SECOND]
    session = box.state.sessions[FIRST]
    assert (session.directory, session.agents, session.expected) == ("/here", 3, 15)


def test_children_belong_to_the_session_of_their_parent_in_any_directory() -> None:
    box = Box()
    (parent,) = box.batch(spec("parent"), scope=HERE)
    box.batch(spec("child"), caller=parent, scope=THERE)
    assert sessions(box) == [FIRST, FIRST]
    assert list(box.state.sessions) == [FIRST]


def test_a_refused_request_opens_no_session() -> None:
    box = Box()
    assert box.batch(spec("a", nesting=99), scope=HERE) == ()
    assert box.state.sessions == {}


def test_members_of_a_run_belong_to_the_session_of_its_caller() -> None:
    box = Box()
    plan, parts = RunPlan("run", (GroupPlan(""),), "/"), (inputs.Part("a", spec("a")),)
    box.tell(inputs.BeginRun(box.request(), None, plan, parts, durations=EVEN, scope=HERE, budget=Budget(tokens=9)))
    assert sessions(box) == [FIRST]
    run = box.state.runs[run_id(1)]
    assert (run.plan.session, run.budget) == (FIRST, Budget(tokens=9))


def test_a_new_session_closes_the_open_session_of_its_directory() -> None:
    box = Box()
    box.batch(spec("a"), scope=HERE)
    assert opened(box, name="second", budget=Budget(cost_usd=1.0)) == SECOND
    assert box.state.sessions[FIRST].closed_at is not None
    assert (box.state.sessions[SECOND].name, box.state.sessions[SECOND].budget.cost_usd) == ("second", 1.0)
    assert opened(box, THERE) == session_id(3)
    assert box.state.sessions[SECOND].closed_at is None
    box.batch(spec("b"), scope=HERE)
    assert sessions(box) == [FIRST, SECOND]


def test_an_agent_spawned_after_a_session_closed_belongs_to_a_new_session() -> None:
    box = Box()
    box.batch(spec("a"), scope=HERE)
    box.tell(inputs.CloseSession(box.request(), FIRST))
    assert SessionClosed in map(type, box.turn.events)
    box.tell(inputs.CloseSession(box.request(), FIRST))
    assert box.turn.events == []
    box.batch(spec("b"), scope=HERE)
    assert sessions(box) == [FIRST, SECOND]


def test_a_budget_is_changed_for_a_session_or_for_a_run() -> None:
    box = Box()
    plan, parts = RunPlan("run", (GroupPlan(""),), "/"), (inputs.Part("a", spec("a")),)
    box.tell(inputs.BeginRun(box.request(), None, plan, parts, durations=EVEN, scope=HERE))
    box.tell(inputs.SetBudget(box.request(), run_id(1), Budget(tokens=1)))
    box.tell(inputs.SetBudget(box.request(), FIRST, Budget(tokens=2)))
    assert (box.state.runs[run_id(1)].budget.tokens, box.state.sessions[FIRST].budget.tokens) == (1, 2)


def test_simulated_spending_is_charged_to_no_budget() -> None:
    box = Box()
    plan, parts = RunPlan("run", (GroupPlan(""),), "/"), (inputs.Part("a", spec("a")),)
    box.tell(inputs.BeginRun(box.request(), None, plan, parts, durations=EVEN, scope=HERE, budget=Budget(tokens=9)))
    (agent_id,) = box.answered()
    report = Report(spent=Spent(10, 5, cost_usd=2.0), cost_source=SIMULATED)
    box.tell(inputs.Exited(agent_id, 1, Outcome(0, report=report), is_tree_gone=True))
    assert box.agent(agent_id).spent == report.spent
    assert (box.state.sessions[FIRST].spent, box.state.runs[run_id(1)].spent) == (Spent(), Spent())
