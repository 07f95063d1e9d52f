"""What keeps agents from starting though there are slots: rate limits and budgets."""

from __future__ import annotations

import pytest

from orchd.core import inputs
from orchd.core.admission.reasons import reason
from orchd.core.decide import next_deadline
from orchd.core.effects import Refuse
from orchd.core.handlers.backoff import HOLD_SECONDS
from orchd.core.handlers.processes import LONGEST_HOLD
from orchd.core.inputs import Scope
from orchd.core.state.agents import AgentId, Outcome, Report, RequestId
from orchd.core.state.events import AttemptDeferred, RunnerLimited
from orchd.core.state.runs import GroupPlan, RunPlan, run_id
from orchd.core.state.sessions import session_id
from orchd.core.state.spending import Budget, Spent
from tests.core.box import WALL, Box, spec

HERE = Scope("/here")
EVEN = {"a": 1.0, "b": 1.0}


def limited(box: Box, agent_id: AgentId, seconds: float, code: int = 75) -> None:
    """The attempt ends: its service wants no more for so long."""
    report = Report("too often", limited_until=WALL + box.now + seconds)
    box.tell(inputs.Exited(agent_id, box.agent(agent_id).attempt, Outcome(code, report=report), is_tree_gone=True))


def spends(box: Box, agent_id: AgentId, tokens: int = 0, cost: float = 0.0, code: int = 0) -> None:
    """The attempt ends, and its runner says what it cost."""
    report = Report(spent=Spent(input_tokens=tokens, cost_usd=cost))
    box.tell(inputs.Exited(agent_id, box.agent(agent_id).attempt, Outcome(code, report=report), is_tree_gone=True))


def two(box: Box, **fields: object) -> tuple[AgentId, AgentId]:
    """One at work and one in line, at a limit of one."""
    first, second = box.batch(spec("a", **fields), spec("b", **fields), scope=HERE)
    assert box.status(first, second) == ["running", "queued"]
    return first, second


def test_a_rate_limited_agent_is_queued_again_without_a_counted_try() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="claude", retries=0)
    limited(box, first, 60.0)
    assert box.status(first, second) == ["queued", "queued"]
    assert (box.agent(first).tries, box.agent(first).attempt) == (0, 1)
    assert {RunnerLimited, AttemptDeferred} <= set(map(type, box.turn.events))
    assert "claude is rate-limited for another 60 s" in (reason(box.state, box.agent(second), box.now) or "")


def test_queued_agents_start_when_the_rate_limit_expires() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="claude")
    limited(box, first, 60.0)
    assert next_deadline(box.state) == box.now + 60.0
    box.now += 59.0
    box.tell(inputs.Tick())
    assert box.status(first, second) == ["queued", "queued"]
    box.now += 1.0
    box.tell(inputs.Tick())
    assert box.status(first, second) == ["running", "queued"]
    assert box.agent(first).attempt == 2
    assert box.state.holds == {}


def test_other_runners_and_commands_start_during_a_rate_limit() -> None:
    box = Box(limit=1)
    first, _ = two(box, runner="claude")
    other, command = box.batch(spec("x", runner="codex"), spec("y"), scope=HERE)
    limited(box, first, 60.0)
    assert box.status(other) == ["running"]
    box.exit(other)
    assert box.status(command) == ["running"]


def test_a_running_agent_continues_when_its_runner_is_rate_limited() -> None:
    box = Box(limit=2)
    first, second = box.batch(spec("a", runner="claude"), spec("b", runner="claude"), scope=HERE)
    limited(box, first, 60.0)
    assert box.status(first, second) == ["queued", "running"]


def test_the_latest_of_several_rate_limit_ends_counts() -> None:
    box = Box(limit=3)
    first, second, third = box.batch(*(spec(name, runner="claude") for name in "abc"), scope=HERE)
    limited(box, first, 60.0)
    limited(box, second, 30.0)
    assert next_deadline(box.state) == box.now + 60.0
    limited(box, third, 90.0)
    assert next_deadline(box.state) == box.now + 90.0


@pytest.mark.parametrize(("reported", "hold"), [(-500.0, HOLD_SECONDS), (1e12, LONGEST_HOLD)])
def test_an_implausible_rate_limit_time_is_clamped(reported: float, hold: float) -> None:
    box = Box(limit=1)
    first, _ = two(box, runner="claude")
    limited(box, first, reported)
    assert next_deadline(box.state) == pytest.approx(box.now + hold)


def test_resume_starts_a_rate_limited_agent_at_once() -> None:
    box = Box(limit=1)
    first, _ = two(box, runner="claude")
    limited(box, first, 3600.0)
    box.tell(inputs.Resume(box.request()))
    assert box.status(first) == ["running"]


def turned_away_until_it_fails(box: Box, agent_id: AgentId, seconds: float) -> int:
    """The number of times that an agent waits for its service, which rejects it for `seconds` each time."""
    for waits in range(100):
        limited(box, agent_id, seconds)
        if box.agent(agent_id).is_over:
            return waits
        box.now += seconds
        box.tell(inputs.Tick())
        assert box.status(agent_id) == ["running"]
    raise AssertionError("it is tried without end")


def test_an_agent_rate_limited_too_often_fails_with_the_service_message() -> None:
    box = Box(limit=1)
    box.state.rate_limit_waits = 3
    (first,) = box.batch(spec("a", runner="claude", retries=5), scope=HERE)
    assert turned_away_until_it_fails(box, first, 60.0) == 3
    assert box.status(first) == ["failed"]
    message = "claude was rate-limited, and it has already waited 3 times (`rate_limit_waits`): too often"
    assert box.agent(first).reason == message


def test_an_agent_rate_limited_too_long_fails_with_the_service_message() -> None:
    box = Box(limit=1)
    box.state.rate_limit_time = 130.0
    (first,) = box.batch(spec("a", runner="claude", retries=5), scope=HERE)
    assert turned_away_until_it_fails(box, first, 60.0) == 2
    message = "claude was rate-limited, and it would wait 180 s in total, more than `rate_limit_time`: too often"
    assert box.agent(first).reason == message


def test_without_allowed_waits_a_rate_limit_fails_and_holds_the_runner() -> None:
    box = Box(limit=1)
    box.state.rate_limit_waits = 0
    first, second = two(box, runner="claude")
    limited(box, first, 60.0)
    assert box.status(first, second) == ["failed", "queued"]


def test_a_manual_retry_resets_the_rate_limit_waits() -> None:
    box = Box(limit=1)
    box.state.rate_limit_waits, box.state.rate_limit_time = 2, 1000.0
    (first,) = box.batch(spec("a", runner="claude"), scope=HERE)
    assert turned_away_until_it_fails(box, first, 400.0) == 2
    box.now += 400.0
    box.tell(inputs.Retry(box.request(), (first,), ("digest",)))
    assert turned_away_until_it_fails(box, first, 400.0) == 2


def test_the_service_message_is_shown_from_the_first_rate_limit() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="claude")
    limited(box, first, 60.0)
    for agent_id in (first, second):
        assert (reason(box.state, box.agent(agent_id), box.now) or "").endswith(". The service reported: too often")


def test_a_completed_or_cancelled_agent_ignores_a_rate_limit_report() -> None:
    box = Box(limit=2)
    first, second = box.batch(spec("a", runner="claude"), spec("b", runner="claude"), scope=HERE)
    limited(box, first, 60.0, code=0)
    box.tell(inputs.Cancel(box.request(), (second,)))
    limited(box, second, 60.0)
    assert box.status(first, second) == ["completed", "cancelled"]


def test_the_children_of_a_rate_limited_attempt_are_cancelled() -> None:
    box = Box(limit=3)
    (first,) = box.batch(spec("a", runner="claude", nesting=1), scope=HERE)
    child = box.spawn("child", caller=first)
    limited(box, first, 60.0)
    assert box.status(first, child) == ["queued", "stopping"]


def test_no_queue_refuses_an_agent_of_a_rate_limited_runner() -> None:
    box = Box(limit=2)
    (first,) = box.batch(spec("a", runner="claude"), scope=HERE)
    limited(box, first, 60.0)
    assert box.batch(spec("b", runner="claude"), scope=HERE, must_start=True) == ()
    (refusal,) = (effect for effect in box.turn.effects if isinstance(effect, Refuse))
    assert refusal.code == "would-queue"
    assert "rate-limited" in refusal.message


def test_a_session_with_a_spent_budget_starts_no_agent_and_reports_why() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="mock")
    box.tell(inputs.SetBudget(box.request(), session_id(1), Budget(tokens=100)))
    spends(box, first, tokens=100)
    assert box.status(first, second) == ["completed", "queued"]
    assert "session-001 is used up: 100 of 100 tokens" in (reason(box.state, box.agent(second), box.now) or "")
    (other,) = box.batch(spec("x"), scope=Scope("/there"))
    assert box.status(other) == ["running"]
    box.exit(other)
    box.tell(inputs.SetBudget(box.request(), session_id(1), Budget(tokens=101)))
    assert box.status(second) == ["running"]


def test_the_cost_of_every_attempt_counts_against_the_budget() -> None:
    box = Box(limit=1)
    first, second = two(box, runner="mock", retries=1)
    box.tell(inputs.SetBudget(box.request(), session_id(1), Budget(cost_usd=1.0)))
    spends(box, first, cost=0.5, code=1)
    assert box.status(second) == ["running"]
    spends(box, second, cost=0.5)
    box.now += 1000.0
    box.tell(inputs.Tick())
    assert box.status(first, second) == ["queued", "completed"]
    assert box.agent(first).spent == Spent(cost_usd=0.5)


def test_a_run_has_a_budget_of_its_own() -> None:
    box = Box(limit=1)
    parts = tuple(inputs.Part(name, spec(name, runner="mock")) for name in "ab")
    begin = inputs.BeginRun(
        box.request(),
        None,
        RunPlan("r", (GroupPlan(""),), "/"),
        parts,
        durations=EVEN,
        scope=HERE,
        budget=Budget(tokens=10),
    )
    box.tell(begin)
    first, second = box.state.agents
    (other,) = box.batch(spec("x"), scope=HERE)
    spends(box, first, tokens=50)
    assert box.status(second, other) == ["queued", "running"]
    assert "run-001 is used up: 50 of 10 tokens" in (reason(box.state, box.agent(second), box.now) or "")
    assert box.state.runs[run_id(1)].spent.tokens == box.state.sessions[session_id(1)].spent.tokens == 50


def test_disk_pressure_holds_agents_until_free_space_exceeds_the_floor() -> None:
    box = Box(limit=2)
    box.tell(inputs.DiskSpaceChanged(99, 100))
    (agent_id,) = box.batch(spec("a"), scope=HERE)
    assert box.status(agent_id) == ["queued"]
    assert "low disk space" in (reason(box.state, box.agent(agent_id), box.now) or "")
    box.tell(inputs.DiskSpaceChanged(98, 100))
    assert box.status(agent_id) == ["queued"]
    box.tell(inputs.DiskSpaceChanged(105, 100))
    assert box.status(agent_id) == ["queued"], "at the brink"
    box.tell(inputs.DiskSpaceChanged(106, 100))
    assert box.status(agent_id) == ["running"]


def test_resume_does_not_lift_disk_pressure() -> None:
    box = Box(limit=2)
    box.tell(inputs.DiskSpaceChanged(99, 100))
    (agent_id,) = box.batch(spec("a"), scope=HERE)
    box.tell(inputs.Resume(RequestId("r")))
    assert box.status(agent_id) == ["queued"]


def session_of_cli(box: Box, agent_id: AgentId, session: str | None, code: int = 75) -> None:
    """The attempt ends, turned away or not, in a session of its CLI."""
    until = WALL + box.now + 1.0 if code == 75 else None
    report = Report("no", session_id=session, limited_until=until)
    box.tell(inputs.Exited(agent_id, box.agent(agent_id).attempt, Outcome(code, report=report), is_tree_gone=True))


def test_a_cli_session_resumes_after_a_rate_limit_but_not_after_a_failure() -> None:
    box = Box(limit=1)
    (first,) = box.batch(spec("a", runner="claude", retries=1), scope=HERE)
    for session, resumed in (("s-1", "s-1"), (None, "s-1"), ("s-2", "s-2")):
        session_of_cli(box, first, session)
        box.now += 2.0
        box.tell(inputs.Tick())
        assert (box.status(first), box.agent(first).resumes) == (["running"], resumed)
    session_of_cli(box, first, "s-3", code=1)
    assert (box.status(first), box.agent(first).resumes) == (["queued"], None)


@pytest.mark.parametrize(("is_resumed", "resumed"), [(True, "s-1"), (False, None)])
def test_a_retry_resumes_the_cli_session_only_on_request(is_resumed: bool, resumed: str | None) -> None:
    box = Box(limit=1)
    (first,) = box.batch(spec("a", runner="claude"), scope=HERE)
    session_of_cli(box, first, "s-1", code=1)
    box.tell(inputs.Retry(box.request(), (first,), ("digest",), is_resumed=is_resumed))
    assert box.agent(first).resumes == resumed
