"""Full explanations of the state of an agent or run: the rule, the blockers, and the next step.

`reasons` has the sentence that every list shows; an explanation is of a single agent or run, and may cost more.
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
from orchd.core.state.agents import WORKING, Agent, AgentId, Condition, Status, StopReason, agent_id
from orchd.core.state.indexes import line_of, ticket_of, unsatisfied
from orchd.core.state.runs import Run, RunStatus
from orchd.core.state.state import State

Finder = Callable[[AgentId], Agent | None]
MOST = 100  # blockers that are named; more would not be read
_LIMITS = {
    Status.TIMED_OUT: (StopReason.TIMEOUT, StopReason.SILENCE),
    Status.FAILED: (StopReason.MEMORY,),
}


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
        rule = agent.status.value
        if agent.cause is not None and agent.cause in _LIMITS.get(agent.status, ()):
            rule = agent.cause.value  # the limit that it exceeded says more than its status
        return Verdict(rule, sentence, way_out=_how_to_retry(agent, find))
    if agent.status is Status.QUEUED:
        return _of_queued(state, agent, now)
    if agent.is_paused:
        return Verdict(Rule.HELD.value, sentence, way_out=f"`orchctl resume {agent.id}`")
    if agent.status is Status.WAITING:
        return _of_waiting(state, agent, sentence)
    if agent.status is Status.STOPPING:
        left = None if agent.kill_at is None else max(0.0, agent.kill_at - now)
        way_out = (
            "wait; it is being killed" if left is None else f"wait; processes still running in {left:.0f} s are killed"
        )
        return Verdict("stopping", sentence, way_out=way_out)
    if agent.id in state.standing and (other := kept_waiting_by(state, agent.id)) is not None:
        way_out = f"`orchctl limit {working(state) + 1}`, so that both can run, or `orchctl cancel {agent.id}`"
        return Verdict("standing-still", sentence, (other.id,), 1, way_out)
    return Verdict("working", sentence or "it holds a slot")


def never_ran(agent: Agent) -> bool:
    """Whether its last attempt failed because its command cannot be started: another attempt would fail as well."""
    return agent.status is Status.FAILED and agent.outcome is None


def _how_to_retry(agent: Agent, find: Finder) -> str | None:
    """Return how the agent is retried. A skipped agent would be skipped again without what did not complete before
    it."""
    if agent.status is Status.COMPLETED:
        return None
    if never_ran(agent):
        return (
            "spawn it again with what the reason names corrected; or correct that on this machine, then "
            f"`orchctl retry {agent.id}`"
        )
    before: list[AgentId] = []
    if agent.status is Status.SKIPPED:
        if agent.spec.member is not None:
            return f"`orchctl retry {agent.spec.member.run}` retries it and the members before it that did not complete"
        ended = unsatisfied(agent, map(find, agent.spec.after))
        done = next((blocker.id for blocker, _ in ended if blocker.status is Status.COMPLETED), None)
        if done is not None:
            return f"spawn it again without the condition: {done} completed, and completed agents cannot be retried"
        before = _incomplete_before(agent, find)
    if len(before) > MOST:
        return f"`orchctl retry` with its id and the ids of all {len(before)} agents before it that did not complete"
    retry = f"`orchctl retry {' '.join([*before, agent.id])}`"
    known = (find(blocker) for blocker in before)
    if never := next((blocker.id for blocker in known if blocker is not None and never_ran(blocker)), None):
        return f"{never} could not be started: correct what `orchctl why {never}` shows, then {retry}"
    return retry


def _incomplete_before(agent: Agent, find: Finder) -> list[AgentId]:
    """Return the agents that it was skipped for and that can be retried, direct and indirect."""
    numbers: dict[AgentId, int] = {}
    pending = [agent]
    while pending:
        skipped = pending.pop()
        for blocker, _ in unsatisfied(skipped, map(find, skipped.spec.after)):
            if blocker.id not in numbers and blocker.status is not Status.COMPLETED:
                numbers[blocker.id] = blocker.number
                pending.append(blocker)
    return sorted(numbers, key=numbers.__getitem__)


def _of_queued(state: State, agent: Agent, now: float) -> Verdict:
    block = why_queued(state, agent, now)
    blockers = list(_BLOCKERS[block.rule](state, agent)) if block.rule in _BLOCKERS else []
    number = position(state, agent) or 1
    way_out = WAYS_OUT[block.rule].format(
        scope=block.scope,
        ends=_ends_required(agent),
        resume="".join(f"`orchctl resume {paused}` or " for paused in slots_of_paused(state)[:1]),
        before=f" (queue position {number})" if number > 1 else "",
        slots=max(working(state), state.limit) + number,
        resident=len(state.living) + number + max(0, state.guards.depth - 1 - agent.depth),
        safe=smallest_safe_resident(sorted([*claims(state), agent.claim])),
        remedy=state.remedy or "end some processes or free memory",
    )
    blocked_by = number - 1 if block.rule is Rule.ORDER else len(blockers)
    if block.rule is Rule.ORDER and not blocked_by:
        return Verdict(block.rule.value, block.sentence)
    return Verdict(block.rule.value, block.sentence, tuple(blockers[:MOST]), blocked_by, way_out)


def _of_waiting(state: State, agent: Agent, sentence: str | None) -> Verdict:
    if blockers := awaited(state, agent):
        return Verdict("waits", sentence, tuple(blockers[:MOST]), len(blockers), "wait for them to end")
    if has_slot(state):
        blockers = list(_mates(state, agent))
        return Verdict("returning", sentence, tuple(blockers[:MOST]), len(blockers), "wait for one of them to end")
    blockers = list(_workers(state, agent))
    way_out = f"wait for one of them to end, or run `orchctl limit {working(state) + 1}`"
    return Verdict("returning", sentence, tuple(blockers[:MOST]), len(blockers), way_out)


def why_run(state: State, run: Run, now: float) -> Verdict:
    """Explain what a run waits for, or which failure ended it. A run without agents at work waits for what blocks its
    first member: a budget, a pause, a full limit."""
    blamed = [run.members[run.blame_in("")].agent] if run.tallies[""].failed or run.bad_end("") else []
    unfinished = [mate.agent for path, mate in run.members.items() if path not in run.ended]
    blockers = [AgentId(agent_id) for agent_id in blamed or unfinished]
    sentence = run.reason or f"{len(run.ended)} of {len(run.members)} members have ended"
    way_out: str | None
    if not run.is_over:
        members = [state.agents[agent_id] for agent_id in map(AgentId, unfinished) if agent_id in state.agents]
        if not blamed and all(member.status is Status.QUEUED for member in members):
            verdicts = (_of_queued(state, member, now) for member in members)
            # of queued members at least one comes after no unfinished member: dependencies have no cycle
            first = next(verdict for verdict in verdicts if verdict.rule != Rule.AFTER.value)
            return first._replace(rule=run.status.value, sentence=f"{sentence}; {first.sentence}")
        way_out = f"wait for {'the running members' if blamed else 'them'} to end"
        way_out += "; members after a failed member are skipped" if blamed else ""
    else:
        way_out = (
            None if run.status is RunStatus.COMPLETED else f"`orchctl retry {run.id}` retries what did not complete"
        )
    return Verdict(run.status.value, sentence, tuple(blockers[:MOST]), len(blockers), way_out)


def _ends_required(agent: Agent) -> str:
    """Return what starts an agent that comes after others, and what skips it."""
    conditions = {condition for _, condition in agent.spec.conditions}
    if len(agent.spec.conditions) < len(agent.spec.after):
        conditions.add(Condition.COMPLETED)
    if conditions == {Condition.ANY}:
        return "wait for them to end, with any status"
    if conditions == {Condition.FAILED}:
        return f"wait for them to fail; if one does not fail, {agent.id} is skipped"
    if Condition.FAILED in conditions or Condition.ANY in conditions:
        return f"wait for them to end as its conditions require; if one ends otherwise, {agent.id} is skipped"
    return f"wait for them to complete; if one does not complete, {agent.id} is skipped"


def _workers(state: State, _: Agent) -> Iterable[AgentId]:
    return (agent.id for agent in state.living.values() if agent.status in WORKING)


def _mates(state: State, agent: Agent) -> Iterable[AgentId]:
    run = line_of(agent).run
    workers = ((other, other.spec.member) for other in state.living.values() if other.status in WORKING)
    return (other.id for other, member in workers if member is not None and member.run == run)


def _earlier(state: State, agent: Agent) -> Iterable[AgentId]:
    own = ticket_of(agent)
    earlier = (ticket for ticket, _ in state.queue.entries() if ticket < own)
    return (agent_id(ticket.number) for ticket in nsmallest(MOST, earlier))


_BLOCKERS: dict[Rule, Callable[[State, Agent], Iterable[AgentId]]] = {
    Rule.AFTER: waits_for,
    Rule.LIMIT: _workers,
    Rule.RESIDENT: lambda state, _: state.living,
    Rule.NESTING: lambda state, _: (other.id for other in state.living.values() if other.claim),
    Rule.MAX_PARALLEL: _mates,
    Rule.ORDER: _earlier,
}
WAYS_OUT = {
    Rule.HELD: "`orchctl resume {scope}`",
    Rule.AFTER: "{ends}",
    Rule.RETRY_DELAY: "wait; it is retried automatically",
    Rule.DAEMON_STOPPING: "start the daemon again: `orchctl daemon start`",
    Rule.PAUSED: "`orchctl resume`",
    Rule.MACHINE: "{remedy}; it is retried automatically",
    Rule.DISK: "free disk space, or lower `free_bytes` in config.toml and run `orchctl config reload`",
    Rule.RATE_LIMITED: "wait, or run `orchctl resume` to try {scope} now",
    Rule.BUDGET: "`orchctl budget {scope}` with --max-tokens or --max-cost above the amount used, or with --unlimited",
    Rule.MAX_PARALLEL: "wait for one of them to end{before}",
    Rule.LIMIT: "wait for one of them to end{before}, or run {resume}`orchctl limit {slots}`",
    Rule.RESIDENT: "wait for one of them to end{before}, or run `orchctl limit --resident {resident}`",
    Rule.NESTING: "wait for one of them to end, or run `orchctl limit --resident {safe}`",
    Rule.ORDER: "wait for them to start",
}
