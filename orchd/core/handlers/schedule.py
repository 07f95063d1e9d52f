"""The scheduler: runs after every input, so that no handler has to trigger it."""

from __future__ import annotations

from orchd.core.admission.blocking import why_blocked
from orchd.core.admission.slots import has_resident_slot, has_room, has_slot, is_safe_with, working
from orchd.core.admission.wait_graph import needed
from orchd.core.effects import Terminate
from orchd.core.handlers import returning, stalls
from orchd.core.handlers.admit import admit
from orchd.core.state.agents import Agent, AgentId, Status, StopReason, agent_id
from orchd.core.state.events import AgentCancelled, AgentSkipped, RunEnded, StopBegan
from orchd.core.state.indexes import ripen, ticket_of, why_never
from orchd.core.state.ready_queue import AGING_SECONDS, QueueKey, SortKey
from orchd.core.state.runs import Run, RunId, RunStatus
from orchd.core.state.state import State
from orchd.core.turn import Turn
from orchd.dag import groups_around


def settle(turn: Turn) -> None:
    """Draw the consequences of the turn: skip agents whose dependencies did not complete, cut short groups that failed,
    end runs and waits, give returning agents their slots, then admit new agents."""
    cut: dict[RunId, set[str]] = {}  # the groups that were cut short already: many members of a group may end at once
    while turn.ended:
        agent = turn.ended.pop(0)
        for dependent in turn.state.unfinished(sorted(turn.state.dependents.get(agent.id, ()))):
            if (never := why_never(turn.state, dependent)) is not None:
                turn.record(AgentSkipped(dependent.id, *never))  # which counts as ended too
        if (member := agent.spec.member) is not None:
            _end_member(turn, turn.state.runs[member.run], member.path, cut.setdefault(member.run, set()))
    returning.end_waits(turn)
    ripen(turn.state, turn.now)
    _hand_out_slots(turn)
    returning.withhold(turn)
    stalls.look(turn)


def _hand_out_slots(turn: Turn) -> None:
    """Give free slots back to agents whose wait has ended, then to new ones.

    Agents that return come first: they hold memory already, and others wait for them. After an agent whose wait was cut
    short a new agent may go first: a parent that waits in small pieces would keep out the children it waits for.
    """
    state = turn.state
    turn.is_cut_short = False
    while True:
        back = returning.next_to_return(state)
        may_use_reserve = back is None and not working(state) and returning.idle_lender(state) is None
        may_go_first = back is None or state.is_new_next
        new = next_to_start(state, turn.now, may_use_reserve=may_use_reserve) if may_go_first else None
        if new is not None and turn.may_launch():
            admit(turn, new)
        elif new is None and back is not None:
            returning.bring_back(turn, back)
        elif new is None and (lender := returning.idle_lender(state)) is not None:
            returning.bring_back(turn, lender)
        else:
            return


def cancel(turn: Turn, agent: Agent, reason: str, because: str = "") -> None:
    """Cancel `agent` and all its descendants."""
    if agent.status is Status.QUEUED:
        turn.record(AgentCancelled(agent.id, reason, because))
    elif agent.status is not Status.STOPPING:
        stop(turn, agent, StopReason.CANCELLED, reason, because)
    elif agent.cause is not StopReason.CANCELLED:
        turn.record(StopBegan(agent.id, agent.attempt, StopReason.CANCELLED, reason, because))
    cancel_children(turn, agent, f"its parent {agent.id} was cancelled")


def stop(turn: Turn, agent: Agent, cause: StopReason, reason: str, because: str = "") -> None:
    """Begin to stop the attempt's process tree."""
    refuse_waits(turn, agent)
    turn.record(StopBegan(agent.id, agent.attempt, cause, reason, because))
    turn.do(Terminate(agent.id, agent.attempt))


def refuse_waits(turn: Turn, agent: Agent) -> None:
    """Refuse the open waits of `agent`, which is about to stop waiting: every client in its tree gets a reply."""
    for wait in agent.waits.values():
        turn.refuse(wait.request, "stopping", f"{agent.id} is being stopped and cannot wait")


def cancel_children(turn: Turn, agent: Agent, reason: str) -> None:
    """Cancel the children of a parent that did not complete: their work has no further use."""
    for child in turn.state.unfinished(sorted(turn.state.children.get(agent.id, ()))):
        cancel(turn, child, reason, agent.id)


def _end_member(turn: Turn, run: Run, path: str, cut: set[str]) -> None:
    """Handle the end of a member: cut short the groups around it that fail fast and failed with it, and end the run
    with its last member. Earlier failures do not matter here: if other members still work, a user retried them. No
    member of a group in `cut` is queued or works any more."""
    is_failed = run.has_failed(path)
    for group in groups_around(path):
        tally = run.tallies[group]
        if is_failed and tally.unfinished and run.groups[group].is_fail_fast and group not in cut:
            _cut_short(turn, run, group)
            cut.add(group)
        if tally.unfinished:
            return
        is_failed = run.bad_end(group) == "failed" and run.groups[group].is_required
    if not run.is_over:
        turn.record(_ending_of(run))


def _cut_short(turn: Turn, run: Run, group: str) -> None:
    """Stop the agents that work in `group` and skip the rest."""
    path = run.blame_in(group)
    because = run.members[path].agent
    what = "was skipped" if run.ended[path].is_skipped else "failed"
    reason = f"{path} {what}, and {group or run.plan.name} fails fast"
    for agent in turn.state.unfinished(list(map(AgentId, run.members_of(group)))):
        if agent.status is Status.QUEUED and (agent.tries or agent.rate_limits):  # it ran, and was to be tried again
            before = f"its attempt {agent.attempt} ended before: {agent.reason}"
            turn.record(AgentCancelled(agent.id, f"{reason}; {before}", because))
        elif agent.status is Status.QUEUED:
            turn.record(AgentSkipped(agent.id, reason, because))
        elif agent.status is not Status.STOPPING:
            cancel(turn, agent, reason, because)


def _ending_of(run: Run) -> RunEnded:
    """Return the end of a run whose members have all ended."""
    if run.bad_end("") is None:
        return RunEnded(run.id, RunStatus.COMPLETED)
    path = run.blame_in("")
    ending = run.ended[path]
    if ending.is_skipped and (left := run.left_out()) is not None:
        way_out = f"nothing blocks it any more: `orchctl retry {run.id}` continues"
        agent = run.members[left].agent
        return RunEnded(run.id, RunStatus.FAILED, f"{left} ({agent}) was skipped, and {way_out}", agent)
    status = RunStatus.CANCELLED if ending.status == Status.CANCELLED.value else RunStatus.FAILED
    agent = run.members[path].agent
    return RunEnded(run.id, status, f"{path} ({agent}) {ending.status}: {ending.reason}", agent)


def next_to_start(state: State, now: float, *, may_use_reserve: bool = True) -> Agent | None:
    """Return the agent that may take a slot now: the best of the agents whose start keeps the state safe.

    `may_use_reserve`: no agent that is alive could take the slot instead, so a slot kept for chains may be used.
    """
    if state.is_paused or state.spawn_backoff_until > now or not has_slot(state):
        return None
    must_be_needed = state.is_draining
    best: SortKey | None = None
    for head, line in state.queue.heads():
        if best is not None and best < head:
            break
        if not has_resident_slot(state, line.depth) or not has_room(state, line) or why_blocked(state, line, now):
            continue
        if is_safe_with(state, line.claim):
            entry = _first_needed(state, line) if must_be_needed and (line.claim or state.is_draining) else head
            best = min((ticket for ticket in (best, entry) if ticket is not None), default=None)
        elif has_aged(state.agents[agent_id(head.number)], now):
            # It has waited long for living agents to leave it room: only what they need may still go before it.
            must_be_needed = True
    if best is None and may_use_reserve and not working(state):
        best = _beyond_reserve(state, now)
    return None if best is None else state.agents[agent_id(best.number)]


def _beyond_reserve(state: State, now: float) -> SortKey | None:
    """Return the first ticket that may use a resident slot kept free for a chain, because no agent is at work.

    The agents alive then wait for agents outside the chains below them, and only these can end their waits.
    """
    if len(state.living) >= state.resident:
        return None
    lines = [line for _, line in state.queue.heads() if has_room(state, line) and is_safe_with(state, line.claim)]
    entries = [_first_needed(state, line) for line in lines if not why_blocked(state, line, now)]
    return min((entry for entry in entries if entry is not None), default=None)


def has_aged(agent: Agent, now: float) -> bool:
    """Whether the agent is old enough for others to be held back until there is room for it."""
    return now - agent.age > AGING_SECONDS


def _first_needed(state: State, line: QueueKey) -> SortKey | None:
    """Return the first needed agent of the line. Scans the needed agents or the line, whichever is shorter: runs at
    each end."""
    wanted = needed(state)
    if len(wanted) <= state.queue.length(line):
        return state.queue.first_of(line, map(ticket_of, state.unfinished(wanted)))
    return next((entry for entry in state.queue.tickets(line) if agent_id(entry.number) in wanted), None)
