"""Full explanations of the state of an agent or run: the rule, the blockers, and what would change it.

`reasons` has the sentence that every list shows; this is for questions about one agent or run, and may cost more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import NamedTuple

from orchd.core.admission.blocking import Rule
from orchd.core.admission.reasons import awaited, position, reason, slots_of_paused, why_queued
from orchd.core.admission.slots import claims, has_slot, smallest_safe_resident, working
from orchd.core.admission.wait_graph import waits_for
from orchd.core.admission.without_slot import kept_waiting_by
from orchd.core.state.agents import WORKING, Agent, AgentId, Condition, State, Status, StopReason, agent_id
from orchd.core.state.indexes import line_of, ticket_of, unsatisfied
from orchd.core.state.runs import Run, RunStatus

Finder = Callable[[AgentId], Agent | None]
MOST = 100  # blockers that are named; more would not be read


class Verdict(NamedTuple):
    """An explanation. `blocked_by` counts all blockers, of which `blockers` names the first."""

    rule: str
    sentence: str | None
    blockers: tuple[AgentId, ...] = ()
    blocked_by: int = 0
    way_out: str | None = None


def why(state: State, agent: Agent, now: float, find: Finder) -> Verdict:
    """Explain why `agent` is queued, waits, is being stopped, or how it ended. `find` also knows agents that have
    finished."""
    sentence = reason(state, agent, now)
    if agent.is_over:
        return Verdict(_ending(agent), sentence, way_out=_again(agent, find))
    if agent.status is Status.QUEUED:
        return _of_queued(state, agent, now)
    if agent.is_paused:
        return Verdict(Rule.HELD.value, sentence, way_out=f"`orchctl resume {agent.id}`")
    if agent.status is Status.WAITING:
        return _of_waiting(state, agent, sentence)
    if agent.status is Status.STOPPING:
        left = None if agent.kill_at is None else max(0.0, agent.kill_at - now)
        way_out = "it is being killed" if left is None else f"what does not end by itself is killed in {left:.0f} s"
        return Verdict("stopping", sentence, way_out=way_out)
    if agent.id in state.standing and (other := kept_waiting_by(state, agent.id)) is not None:
        way_out = f"`orchctl limit {working(state) + 1}`, which lets both go on, or `orchctl cancel {agent.id}`"
        return Verdict("standing-still", sentence, (other.id,), 1, way_out)
    return Verdict("working", sentence or "it holds a slot and works")


def _again(agent: Agent, find: Finder) -> str | None:
    """Return how the agent is retried. A skipped agent would be skipped again without what did not complete before
    it."""
    if agent.status is Status.COMPLETED:
        return None
    before: list[AgentId] = []
    if agent.status is Status.SKIPPED:
        if agent.spec.member is not None:
            return f"`orchctl retry {agent.spec.member.run}` tries it again, with what did not complete before it"
        ended = unsatisfied(agent, map(find, agent.spec.after))
        done = next((one.id for one, _ in ended if one.status is Status.COMPLETED), None)
        if done is not None:
            return f"`orchctl spawn` without the condition: {done} completed, and what completed is not retried"
        before = _incomplete_before(agent, find)
    if len(before) > MOST:
        return f"`orchctl retry` of all {len(before)} that did not complete before it, and of it, tries it again"
    return f"`orchctl retry {' '.join([*before, agent.id])}` tries it again"


def _incomplete_before(agent: Agent, find: Finder) -> list[AgentId]:
    """Return the agents that it was skipped for and that can be retried, direct and indirect."""
    found: dict[AgentId, int] = {}
    pending = [agent]
    while pending:
        before = pending.pop()
        for one, _ in unsatisfied(before, map(find, before.spec.after)):
            if one.id not in found and one.status is not Status.COMPLETED:
                found[one.id] = one.number
                pending.append(one)
    return sorted(found, key=found.__getitem__)


def _ending(agent: Agent) -> str:
    """Return how the agent ended, and for an agent that was stopped, which limit it exceeded."""
    if agent.status is Status.TIMED_OUT and agent.cause in (StopReason.TIMEOUT, StopReason.SILENCE):
        return str(agent.cause.value)
    if agent.status is Status.FAILED and agent.cause is StopReason.MEMORY:
        return str(agent.cause.value)
    return str(agent.status.value)


def _of_queued(state: State, agent: Agent, now: float) -> Verdict:
    hold = why_queued(state, agent, now)
    found = list(_HOLDERS[hold.rule](state, agent)) if hold.rule in _HOLDERS else []
    number = position(state, agent) or 1
    way_out = WAYS_OUT[hold.rule].format(
        scope=hold.scope,
        ends=_ends(agent),
        resume="".join(f", `orchctl resume {one}`" for one in slots_of_paused(state)[:1]),
        before=f"; {number - 1} queued before it go first" if number > 1 else "",
        slots=max(working(state), state.limit) + number,
        resident=len(state.living) + number + max(0, state.guards.depth - 1 - agent.depth),
        safe=smallest_safe_resident(sorted([*claims(state), agent.claim])),
        remedy=state.remedy or "processes or memory that become free",
    )
    blocked_by = number - 1 if hold.rule is Rule.ORDER else len(found)
    if hold.rule is Rule.ORDER and not blocked_by:
        return Verdict(hold.rule.value, hold.sentence)
    return Verdict(hold.rule.value, hold.sentence, tuple(found[:MOST]), blocked_by, way_out)


def _of_waiting(state: State, agent: Agent, sentence: str | None) -> Verdict:
    if found := awaited(state, agent):
        return Verdict("waits", sentence, tuple(found[:MOST]), len(found), "their end")
    if has_slot(state):
        found = list(_mates(state, agent))
        return Verdict("returning", sentence, tuple(found[:MOST]), len(found), "the end of one of them")
    found = list(_workers(state, agent))
    way_out = f"the end of one of them, or `orchctl limit {working(state) + 1}`"
    return Verdict("returning", sentence, tuple(found[:MOST]), len(found), way_out)


def why_run(state: State, run: Run, now: float) -> Verdict:
    """Explain what a run waits for, or which failure ended it. A run without agents at work waits for what blocks its
    first member: a budget, a pause, a full limit."""
    blamed = [run.members[run.blame_in("")].agent] if run.tallies[""].failed or run.bad_end("") else []
    going = [mate.agent for path, mate in run.members.items() if path not in run.ended]
    found = [AgentId(one) for one in blamed or going]
    sentence = run.reason or f"{len(run.ended)} of {len(run.members)} members have ended"
    way_out: str | None
    if not run.is_over:
        held = None if blamed else _holding(state, map(AgentId, going), now)
        if held is not None:
            return held._replace(rule=run.status.value, sentence=f"{sentence}; {held.sentence}")
        way_out = "the end of those that are at work; what comes after a failure is skipped" if blamed else "their end"
    else:
        way_out = None if run.status is RunStatus.COMPLETED else f"`orchctl retry {run.id}` tries what did not complete"
    return Verdict(run.status.value, sentence, tuple(found[:MOST]), len(found), way_out)


def _holding(state: State, members: Iterable[AgentId], now: float) -> Verdict | None:
    """Explain why the first of `members` that depends on no other does not start; None while any of them is at work."""
    agents = [state.agents[member] for member in members if member in state.agents]
    if any(agent.status is not Status.QUEUED for agent in agents):
        return None
    verdicts = (_of_queued(state, agent, now) for agent in agents)
    return next((verdict for verdict in verdicts if verdict.rule != Rule.AFTER.value), None)


def _ends(agent: Agent) -> str:
    """Return what starts an agent that comes after others, and what skips it."""
    conditions = {condition for _, condition in agent.spec.conditions}
    if len(agent.spec.conditions) < len(agent.spec.after):
        conditions.add(Condition.COMPLETED)
    if conditions == {Condition.ANY}:
        return "their end, whatever it is"
    if conditions == {Condition.FAILED}:
        return f"their failure; when one of them ends otherwise, {agent.id} is skipped"
    if Condition.FAILED in conditions or Condition.ANY in conditions:
        return f"their end as its conditions require; when one of them ends otherwise, {agent.id} is skipped"
    return f"their completion; when one of them does not complete, {agent.id} is skipped"


def _workers(state: State, _: Agent) -> Iterable[AgentId]:
    return (one.id for one in state.living.values() if one.status in WORKING)


def _mates(state: State, agent: Agent) -> Iterable[AgentId]:
    run = line_of(agent).run
    members = ((one, one.spec.member) for one in state.living.values() if one.status in WORKING)
    return (one.id for one, member in members if member is not None and member.run == run)


def _earlier(state: State, agent: Agent) -> Iterable[AgentId]:
    own = ticket_of(agent)
    return (agent_id(one.number) for one in nsmallest(MOST, (one for one, _ in state.queue.entries() if one < own)))


_HOLDERS: dict[Rule, Callable[[State, Agent], Iterable[AgentId]]] = {
    Rule.AFTER: waits_for,
    Rule.LIMIT: _workers,
    Rule.RESIDENT: lambda state, _: state.living,
    Rule.NESTING: lambda state, _: (one.id for one in state.living.values() if one.claim),
    Rule.MAX_PARALLEL: _mates,
    Rule.ORDER: _earlier,
}
WAYS_OUT = {
    Rule.HELD: "`orchctl resume {scope}`",
    Rule.AFTER: "{ends}",
    Rule.RETRY_DELAY: "time alone: it is tried again by itself",
    Rule.DAEMON_STOPPING: "the next daemon: `orchctl daemon start`",
    Rule.PAUSED: "`orchctl resume`",
    Rule.MACHINE: "{remedy}; it is tried again by itself",
    Rule.DISK: "room on the disk, or a smaller `free_bytes` in config.toml and `orchctl config reload`",
    Rule.RATE_LIMITED: "time alone, or `orchctl resume`, which tries {scope} at once",
    Rule.BUDGET: "`orchctl budget {scope}` with --max-tokens or --max-cost above what is spent, or --unlimited",
    Rule.MAX_PARALLEL: "the end of one of them{before}",
    Rule.LIMIT: "the end of one of them{before}{resume}, or `orchctl limit {slots}`",
    Rule.RESIDENT: "the end of one of them{before}, or `orchctl limit --resident {resident}`",
    Rule.NESTING: "the end of one of them, or `orchctl limit --resident {safe}`",
    Rule.ORDER: "their start",
}
