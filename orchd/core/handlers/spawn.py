"""Spawning: a request becomes queued agents, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchd.core.admission.blocking import why_blocked
from orchd.core.admission.slots import claims, is_safe, is_safe_with, resident_bound, working
from orchd.core.admission.wait_graph import blockers_first
from orchd.core.handlers.schedule import has_aged, next_to_start
from orchd.core.handlers.sessions import session_now, session_of
from orchd.core.inputs import Caller, SpawnAgents
from orchd.core.state.agents import Agent, AgentId, Level, Spec, Status, agent_id
from orchd.core.state.events import AgentQueued, AgentSkipped
from orchd.core.state.indexes import why_never
from orchd.core.state.ready_queue import QueueKey
from orchd.core.state.sessions import SessionId
from orchd.core.state.state import State
from orchd.core.turn import Turn
from orchd.dag import cycle_in


class Refusal(Exception):
    """The error that a request is refused with; it never leaves the core."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def spawn_agents(turn: Turn, given: SpawnAgents) -> None:
    """Check the whole request, then queue its agents."""
    state = turn.state
    try:
        parent = parent_for(state, given.caller)
        check_nesting(state, given.specs)
        if parent is not None:
            check_guards(state, parent, len(given.specs), given.kin)
        wanted = _resolved(state, given.specs)
        if given.must_start:
            session = session_now(state, parent, given.scope)
            _check_start(state, turn.now, wanted, 0 if parent is None else parent.depth + 1, session)
    except Refusal as refusal:
        turn.refuse(given.request, refusal.code, str(refusal), refusal.details)
        return
    ancestors = (*parent.ancestors, parent.id) if parent else ()
    level = Level.SUB_SKILL if parent else Level.PM
    session = session_of(turn, parent, given.scope)
    for new_id in blockers_first({new_id: spec.after for new_id, spec in wanted.items()}):
        if (spec := wanted.get(new_id)) is not None:
            spec = replace(spec, session=session) if session else spec
            turn.record(AgentQueued(new_id, spec, level, ancestors, parent.attempt if parent else 0))
            skip_if_hopeless(turn, new_id)
    turn.answer(given.request, *wanted)


def parent_for(state: State, caller: Caller) -> Agent | None:
    """Return the parent of the new agents; None for agents of a user. Raises Refusal while it or the daemon is
    stopping."""
    if state.is_draining:
        raise Refusal("stopping", "the daemon is shutting down and accepts no new agents; start it again first")
    if caller is None:
        return None
    parent = state.living.get(caller)
    if parent is None or parent.status is Status.STOPPING:
        raise Refusal("stopping", f"{caller} is being stopped and cannot spawn agents")
    return parent


def check_nesting(state: State, specs: Iterable[Spec]) -> None:
    """Check that each spec could start at all. Raises Refusal."""
    for spec in specs:
        if spec.nesting >= state.resident:
            raise Refusal(
                "nesting-too-large",
                f"{spec.name}: nesting {spec.nesting} needs more than {state.resident} resident slots; "
                "lower the nesting, or raise the number with `orchctl limit --resident`",
            )


def check_guards(state: State, parent: Agent, count: int, kin: int) -> None:
    """Check that `parent`, in whose tree `kin` were ever spawned, may have `count` more. Raises Refusal."""
    guards = state.guards
    if parent.depth + 1 >= guards.depth:
        raise Refusal(
            "too-deep",
            f"{parent.id} is at level {parent.depth + 1} of {guards.depth} and may not spawn agents; "
            f"do the work in {parent.id} itself, or raise `depth` in config.toml",
        )
    children = sum(1 for _ in state.unfinished(state.children.get(parent.id, ())))
    if children + count > guards.children:
        raise Refusal(
            "too-many-children",
            f"{parent.id} has {children} unfinished children and requests {count} more, but the maximum is "
            f"{guards.children}; wait for some to end, or raise `children` in config.toml",
        )
    if kin + count > guards.agents:
        raise Refusal(
            "too-many-agents",
            f"{kin} agents were already spawned in the tree of {parent.root}, and the maximum is "
            f"{guards.agents}; to allow more, raise `agents` in config.toml",
        )


def _resolved(state: State, specs: tuple[Spec, ...]) -> dict[AgentId, Spec]:
    """Return the specs by their future ids, with every name in `after` replaced by an id. Raises Refusal."""
    ids = [agent_id(state.last_number + 1 + index) for index in range(len(specs))]
    named: dict[str, list[AgentId]] = {}
    for new_id, spec in zip(ids, specs, strict=True):
        named.setdefault(spec.name, []).append(new_id)
    wanted = dict(zip(ids, specs, strict=True))
    for new_id, spec in zip(ids, specs, strict=True):
        blockers: dict[str, AgentId] = {}
        for name in spec.after:
            same_name = named.get(name, [])
            if len(same_name) > 1:
                raise Refusal(
                    "ambiguous",
                    f"{spec.name}: `after` {name!r} is the name of {len(same_name)} agents of this request; "
                    "rename them",
                )
            if not same_name and name not in state.agents:
                raise Refusal(
                    "unknown-agent",
                    f"{spec.name}: `after` {name!r} is neither an agent nor a name in this request; "
                    "list agents with `orchctl status --all`",
                )
            blockers[name] = same_name[0] if same_name else AgentId(name)
        if blockers:
            conditions = tuple((blockers[name], condition) for name, condition in spec.conditions)
            wanted[new_id] = replace(spec, after=tuple(dict.fromkeys(blockers.values())), conditions=conditions)
    if cycle := cycle_in({new_id: spec.after for new_id, spec in wanted.items()}):
        names = [wanted[new_id].name for new_id in cycle]
        raise Refusal("cycle", f"dependency cycle: {' -> '.join(names)}; remove one `after`", path=names)
    return wanted


def _check_start(state: State, now: float, wanted: dict[AgentId, Spec], depth: int, session: SessionId | None) -> None:
    """Check that all of `wanted` start in this very turn: slots are free for them, and nothing else keeps them from
    starting. Raises Refusal."""
    most = resident_bound(state, depth)
    claimed = sorted([*claims(state), *(spec.nesting for spec in wanted.values() if spec.nesting)])
    after = {blocker for spec in wanted.values() for blocker in spec.after}
    first = [(state.agents[agent_id(head.number)], line.claim) for head, line in state.queue.heads()]
    held_back_by = [agent for agent, claim in first if has_aged(agent, now) and not is_safe_with(state, claim)]
    starting = len(state.queue) if next_to_start(state, now) is not None else 0  # earlier ones, a few in each turn
    is_full = len(state.living) + starting + len(wanted) > most
    fits = (
        not state.is_paused
        and state.spawn_backoff_until <= now
        and working(state) + starting + len(wanted) <= state.limit
        and not is_full
        and is_safe(state.resident, claimed)
        and not (held_back_by and any(spec.nesting for spec in wanted.values()))
        and not any(state.unfinished(after))
        and not after & wanted.keys()
    )
    if not fits:
        count, those = ("1 agent", "it") if len(wanted) == 1 else (f"{len(wanted):,} agents", "them")
        kept = ""
        if is_full and most < state.resident:
            kept = f" and {state.resident - most} slots are kept free for agents below"
        paused = ", starts are paused" if state.is_paused else ""
        raise Refusal(
            "would-queue",
            f"cannot start {count} now: {working(state)} of {state.limit} slots are in use, "
            f"{len(state.living)} of {state.resident} agents are alive{kept}{paused}; "
            f"omit --no-queue to queue {those}",
        )
    for spec in wanted.values():
        line = QueueKey(spec.nesting, session=session or "", runner=spec.runner or "")
        if (block := why_blocked(state, line, now)) is not None:
            raise Refusal("would-queue", f"{spec.name} cannot start now: {block.sentence}; omit --no-queue to queue it")


def skip_if_hopeless(turn: Turn, queued_id: AgentId) -> None:
    """Skip the agent if a dependency has already ended without completing."""
    if (never := why_never(turn.state, turn.state.agents[queued_id])) is not None:
        turn.record(AgentSkipped(queued_id, *never))
