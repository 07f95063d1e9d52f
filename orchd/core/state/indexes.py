"""The indexes of a State: derived values that every turn needs and that would be slow to recompute.

Only `apply`, `ripen`, `load` and `forget` change them; `recount` recomputes all of them from the agents alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from orchd.core.state.agents import LIVING, Agent, AgentId, Condition, Status, Wait
from orchd.core.state.ready_queue import QueueKey, SortKey, ticket
from orchd.core.state.runs import MemberResult, RunId, recounted
from orchd.core.state.state import State
from orchd.dag import around


def ticket_of(agent: Agent) -> SortKey:
    """Return the sort key of `agent` in its line."""
    member = agent.spec.member
    if member is None:
        return ticket(priority=agent.spec.priority, age=agent.age, depth=agent.depth, number=agent.number)
    return ticket(
        priority=agent.spec.priority,
        age=agent.age,
        depth=agent.depth,
        number=agent.number,
        first=member.first,
        weight=member.weight,
    )


def line_of(agent: Agent) -> QueueKey:
    """Return the key of the line that `agent` stands in."""
    spec = agent.spec
    run, group = ("", "") if spec.member is None else (spec.member.run, around(spec.member.path))
    return QueueKey(agent.claim, run, group, spec.session or "", spec.runner or "", agent.depth)


def enter_indexes(state: State, agent: Agent) -> None:
    """Add `agent`, as it is now, to every index it belongs to."""
    if agent.is_over:
        return
    state.environments[agent.spec.environment] = state.environments.get(agent.spec.environment, 0) + 1
    if (session := agent.spec.session) is not None:
        state.in_sessions[session] = state.in_sessions.get(session, 0) + 1
    if agent.parent:
        state.children.setdefault(agent.parent, set()).add(agent.id)
    if agent.status in LIVING:
        state.living[agent.id] = agent
        enter_waits(state, agent)
    if agent.status is Status.QUEUED:
        _enter_queue(state, agent)


def _enter_queue(state: State, agent: Agent) -> None:
    blockers = [blocker.id for blocker in state.unfinished(agent.blockers)] if agent.spec.after else []
    for blocker in blockers:
        state.dependents.setdefault(blocker, set()).add(agent.id)
    for blocker, _ in agent.spec.conditions:
        state.conditional.setdefault(blocker, set()).add(agent.id)
    if not blockers:
        stand_in_line(state, agent)


def leave_indexes(state: State, agent: Agent) -> None:
    """Remove `agent`, as it was, from all indexes."""
    if agent.is_over:
        return
    _release(state.environments, agent.spec.environment)
    if agent.spec.session is not None:
        _release(state.in_sessions, agent.spec.session)
    if agent.parent:
        _discard(state.children, agent.parent, agent.id)
    state.living.pop(agent.id, None)
    leave_waits(state, agent)
    if agent.status is Status.QUEUED:
        for blocker in agent.spec.after:
            _discard(state.dependents, blocker, agent.id)
        for blocker, _ in agent.spec.conditions:
            _discard(state.conditional, blocker, agent.id)
        state.queue.discard(ticket_of(agent), line_of(agent), agent.ready_at)


def enter_waits(state: State, agent: Agent) -> None:
    """Add `agent` to the indexes of waits, the only ones that change while it is alive."""
    if agent.status is Status.WAITING:
        state.waiting[agent.id] = agent
    elif not agent.waits:
        return
    for target in _awaited_by(agent):
        state.awaited.setdefault(target, set()).add(agent.id)
    if any(wait.deadline is not None and not wait.is_expired for wait in agent.waits.values()):
        state.expiring[agent.id] = agent
    _note_due(state, agent)


def leave_waits(state: State, agent: Agent) -> None:
    """Remove `agent` from the indexes of waits, before its waits change."""
    for target in _awaited_by(agent):
        _discard(state.awaited, target, agent.id)
    for index in (state.waiting, state.expiring, state.due):
        index.pop(agent.id, None)


def _awaited_by(agent: Agent) -> Iterator[AgentId]:
    for wait in agent.waits.values():
        yield from wait.targets
    if agent.lent_to is not None:
        yield agent.lent_to


def note_end(state: State, agent: Agent) -> None:
    """Check the agents that wait for `agent` again: it has ended, or is retried."""
    for waiter in state.awaited.get(agent.id, ()):
        _note_due(state, state.living[waiter])


def _note_due(state: State, agent: Agent) -> None:
    if (agent.frozen and is_to_thaw(state, agent)) or any(is_over(state, wait) for wait in agent.waits.values()):
        state.due[agent.id] = agent
    else:
        state.due.pop(agent.id, None)


def is_to_thaw(state: State, agent: Agent) -> bool:
    """Whether a frozen agent lacks nothing but a slot: if it lent its own, the borrower has ended."""
    return agent.lent_to is None or not any(state.unfinished([agent.lent_to]))


def is_over(state: State, wait: Wait) -> bool:
    """Whether the wait is to be answered: it is satisfied, or its deadline has passed."""
    return wait.is_expired or is_satisfied(state, wait)


def is_satisfied(state: State, wait: Wait) -> bool:
    """Whether enough targets of the wait have ended: all, or any of them."""
    unfinished = sum(1 for _ in state.unfinished(wait.targets))
    return unfinished == 0 or (wait.is_any and unfinished < len(wait.targets))


def stand_in_line(state: State, agent: Agent) -> None:
    """Add `agent`, which lacks only a slot or its start time, to a line; a paused agent is in no line."""
    if agent.is_paused:
        return
    if agent.ready_at is None:
        state.queue.add(ticket_of(agent), line_of(agent))
    else:
        state.queue.delay(ticket_of(agent), line_of(agent), agent.ready_at)


def note_in_run(state: State, agent: Agent, *, was_over: bool) -> None:
    """Record in its run that a member has ended, or is retried."""
    member = agent.spec.member
    if member is None or was_over == agent.is_over:
        return
    if agent.is_over:
        state.runs[member.run].close(member.path, MemberResult(agent.status.value, agent.reason))
    else:
        state.runs[member.run].reopen(member.path)


def queued_behind(state: State, agent: Agent) -> list[Agent]:
    """Return the agents that come after a finished agent and may still start: when it is retried, they wait again.

    Only members of runs and agents with conditions start after an agent that did not complete.
    """
    behind = [state.agents[agent_id] for agent_id in sorted(state.conditional.get(agent.id, ()))]
    if (member := agent.spec.member) is not None:
        mates = (state.agents.get(AgentId(mate)) for mate in state.runs[member.run].agents_behind(member.path))
        behind += [mate for mate in mates if mate is not None and mate.status is Status.QUEUED]
    return behind


def free_dependents(state: State, agent: Agent) -> None:
    """Add the agents that waited only for the finished `agent` to their lines. `settle` skips agents that never can
    start."""
    for dependent_id in list(state.dependents.get(agent.id, ())):
        dependent = state.agents[dependent_id]
        if why_never(state, dependent) is not None:
            continue
        _discard(state.dependents, agent.id, dependent_id)
        if not any(state.unfinished(dependent.blockers)):
            stand_in_line(state, dependent)


class Never(NamedTuple):
    """Why an agent can no longer start, and the agent whose end is the cause."""

    reason: str
    because: str


def why_never(state: State, agent: Agent) -> Never | None:
    """Return why a queued agent can no longer start: a dependency ended, and not as its condition requires."""
    if (member := agent.spec.member) is not None:
        run = state.runs[member.run]
        ends = ((node, run.bad_end(node)) for node in member.after)
        nodes = (Never(f"{node} did not complete: {end}", run.blamed(node)) for node, end in ends if end is not None)
        return next(nodes, None)
    for blocker, condition in unsatisfied(agent, map(state.agents.get, agent.blockers)):
        what = "fail" if condition is Condition.FAILED else "complete"
        return Never(f"{blocker.id} did not {what}: {blocker.status.value}", blocker.id)
    return None


def unsatisfied(agent: Agent, blockers: Iterable[Agent | None]) -> Iterator[tuple[Agent, Condition]]:
    """Yield the agents among `blockers` that have ended, and not as `agent` requires, each with the condition."""
    conditions = dict(agent.spec.conditions)
    for blocker in blockers:
        if blocker is not None and blocker.is_over:
            condition = conditions.get(blocker.id, Condition.COMPLETED)
            if blocker.status not in condition.satisfied_by:
                yield blocker, condition


def ripen(state: State, now: float) -> None:
    """Apply what time alone changes: delayed tickets join their lines, and rate limits that have passed are removed."""
    state.queue.ripen(now)
    if state.spawn_backoff_until <= now:
        state.spawn_backoff_until = 0.0
    for runner in [runner for runner, until in state.holds.items() if until.mono <= now]:
        del state.holds[runner]


def load(state: State, agents: Iterable[Agent]) -> None:
    """Put agents from the store into memory."""
    stored = list(agents)
    for agent in stored:
        state.agents[agent.id] = agent
    for agent in stored:
        enter_indexes(state, agent)


def forget(state: State, ids: Iterable[AgentId]) -> None:
    """Remove finished agents and their finished runs from memory: the store has them, and memory must not grow with
    history."""
    runs: set[RunId] = set()
    for agent_id in ids:
        agent = state.agents.get(agent_id)
        if agent is not None and agent.is_over:
            del state.agents[agent_id]
            runs |= {agent.spec.member.run} if agent.spec.member else set()
    forget_runs(state, runs)


def forget_runs(state: State, ids: Iterable[RunId]) -> None:
    """Remove finished runs without a member in memory: a member in memory may be about to be retried."""
    for run_id in ids:
        run = state.runs.get(run_id)
        if run is not None and run.is_over and not any(mate.agent in state.agents for mate in run.members.values()):
            del state.runs[run_id]


def recount(state: State) -> tuple[object, ...]:
    """Return every index recomputed from the agents alone, for comparison with the indexes that are kept."""
    fresh = State(agents=state.agents, runs=state.runs)
    for agent in state.agents.values():
        enter_indexes(fresh, agent)
    return (*indexes(fresh)[:-1], {run.id: recounted(run) for run in state.runs.values()})


def indexes(state: State) -> tuple[object, ...]:
    """Return every index in a form that can be compared."""
    return (
        set(state.living),
        (set(state.waiting), set(state.due), set(state.expiring)),
        state.awaited,
        state.children,
        (state.dependents, state.conditional),
        state.environments,
        state.in_sessions,
        (sorted(state.queue.entries()), len(state.queue)),
        {run.id: run.tallies for run in state.runs.values()},
    )


def _release(counts: dict[Any, int], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _discard(index: dict[AgentId, set[AgentId]], key: AgentId, value: AgentId) -> None:
    if members := index.get(key):
        members.discard(value)
        if not members:
            del index[key]
