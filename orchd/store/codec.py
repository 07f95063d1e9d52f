"""The form of agents, runs, sessions and events in database rows (msgpack)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from enum import Enum
from operator import attrgetter
from typing import Any, get_args

import msgpack

from orchd.core.state.agents import (
    Agent,
    AgentId,
    Condition,
    Frozen,
    Level,
    Note,
    Oom,
    Outcome,
    ProcessAttributes,
    Report,
    RequestId,
    Spec,
    Status,
    StopReason,
    Wait,
)
from orchd.core.state.events import AgentQueued, Event, RunBegan, WaitBegan
from orchd.core.state.runs import GroupPlan, MemberRef, MemberResult, Membership, Run, RunId, RunPlan, RunStatus
from orchd.core.state.sessions import Session, SessionId
from orchd.core.state.spending import Budget, Spent

# The rest of an agent is its spec, which never changes, and its row's own columns.
_MUTABLE = tuple(
    field.name
    for field in dataclasses.fields(Agent)
    if field.name not in ("id", "spec", "level", "ancestors", "outcome", "spent", "status", "cause", "frozen", "waits")
)
_SPEC = tuple(field.name for field in dataclasses.fields(Spec))
_of_spec, _of_agent = attrgetter(*_SPEC), attrgetter(*_MUTABLE)
_of_attributes = attrgetter(*(field.name for field in dataclasses.fields(ProcessAttributes)))
_REPORT = tuple(field.name for field in dataclasses.fields(Report))
_WAIT = tuple(field.name for field in dataclasses.fields(Wait))
_MEMBER = tuple(field.name for field in dataclasses.fields(Membership))
_GROUP = tuple(field.name for field in dataclasses.fields(GroupPlan))
_PLAN = tuple(field.name for field in dataclasses.fields(RunPlan))


def pack(value: object) -> bytes:
    """Return `value` as msgpack that keeps bytes which are not UTF-8, as paths and arguments may be (PEP 383)."""
    packed: bytes = msgpack.packb(value, unicode_errors="surrogateescape")
    return packed


def unpack(blob: bytes) -> Any:
    """Return the value that was packed."""
    return msgpack.unpackb(blob, unicode_errors="surrogateescape")


def pack_spec(agent: Agent) -> bytes:
    """Return the spec of an agent and its position in the tree, packed."""
    fields = dict(zip(_SPEC, _of_spec(agent.spec), strict=True))
    if (member := agent.spec.member) is not None:
        fields["member"] = [getattr(member, name) for name in _MEMBER]
    if (attributes := agent.spec.attributes) is not None:
        fields["attributes"] = _of_attributes(attributes)
    fields["conditions"] = [(blocker, condition.value) for blocker, condition in agent.spec.conditions]
    return pack([fields, agent.level.value, agent.ancestors])


def pack_agent(agent: Agent) -> bytes:
    """Return all that changes about an agent, packed."""
    fields = dict(zip(_MUTABLE, _of_agent(agent), strict=True))
    fields["status"] = agent.status.value
    fields["cause"] = agent.cause.value if agent.cause else None
    fields["frozen"] = agent.frozen.value if agent.frozen else None
    fields["outcome"] = _packed_outcome(agent.outcome) if agent.outcome else None
    if agent.spent:
        fields["spent"] = agent.spent
    fields["waits"] = [[getattr(wait, name) for name in _WAIT] for wait in agent.waits.values()]
    return pack(fields)


def _packed_outcome(outcome: Outcome) -> list[Any]:
    """Return an outcome as a list, which ends where all further fields would be empty."""
    fields: list[Any] = [outcome.code, outcome.cpu_seconds, outcome.rss_bytes]
    report, more = outcome.report, [outcome.oom.value if outcome.oom else None, outcome.memory_peak]
    escaped = [outcome.escaped] if outcome.escaped else []
    if report is not None or more != [None, None] or escaped:
        fields.append(None if report is None else [getattr(report, name) for name in _REPORT])
    return fields if more == [None, None] and not escaped else fields + more + escaped


def _unpacked_outcome(
    code: int | None,
    cpu_seconds: float,
    rss_bytes: int,
    report: list[Any] | None = None,
    oom: str | None = None,
    memory_peak: int | None = None,
    escaped: Iterable[str] = (),
) -> Outcome:
    parsed = None
    if report is not None:
        fields = dict(zip(_REPORT, report, strict=False))
        notes = tuple(Note(*note) for note in fields.pop("notes", ()))  # rows of schema 2 and before have none
        parsed = Report(**{**fields, "spent": Spent(*fields["spent"])}, notes=notes)
    return Outcome(code, cpu_seconds, rss_bytes, parsed, Oom(oom) if oom else None, memory_peak, tuple(escaped))


def unpack_agent(agent_id: AgentId, spec_blob: bytes, blob: bytes) -> Agent:
    """Return the agent that `pack_spec` and `pack_agent` wrote."""
    spec, level, ancestors = unpack(spec_blob)
    fields = unpack(blob)
    waits = [Wait(RequestId(request), tuple(targets), *rest) for request, targets, *rest in fields.pop("waits")]
    outcome, cause, frozen = fields.pop("outcome"), fields.pop("cause"), fields.pop("frozen", None)
    spent = fields.pop("spent", None)
    return Agent(
        id=agent_id,
        spec=_unpacked_spec(spec),
        level=Level(level),
        ancestors=tuple(ancestors),
        status=Status(fields.pop("status")),
        cause=StopReason(cause) if cause else None,
        frozen=Frozen(frozen) if frozen else None,
        outcome=_unpacked_outcome(*outcome) if outcome else None,
        spent=Spent(*spent) if spent else None,
        waits={wait.request: wait for wait in waits},
        **fields,
    )


def _unpacked_spec(fields: dict[str, Any]) -> Spec:
    member = attributes = None
    if fields["member"]:
        run, path, after, *rest = fields["member"]
        member = Membership(RunId(run), path, tuple(after), *rest)
    if fields.get("attributes"):  # as they were written, by versions that knew fewer too
        umask, nice, policy, cpus, bounds, *rest = fields["attributes"]
        limits = tuple((name, soft, hard) for name, soft, hard in bounds)
        attributes = ProcessAttributes(umask, nice, policy, cpus, limits, *rest)
    return Spec(
        **{
            **fields,
            "command": tuple(fields["command"]),
            "after": tuple(fields["after"]),
            "conditions": tuple((blocker, Condition(word)) for blocker, word in fields.get("conditions", ())),
            "variables": tuple((name, value) for name, value in fields["variables"]),
            "member": member,
            "attributes": attributes,
        }
    )


def pack_run(run: Run) -> bytes:
    """Return a run without its members, packed: agents refer to their run."""
    plan = {name: getattr(run.plan, name) for name in _PLAN}
    plan["groups"] = [[getattr(group, name) for name in _GROUP] for group in run.plan.groups]
    return pack([plan, run.began_at, run.status.value, run.reason, run.ended_at, run.budget, run.spent])


def unpack_run(run_id: RunId, blob: bytes, members: Iterable[Agent]) -> Run:
    """Return the run that `pack_run` wrote, with its members as they stand; finished ones in the order of their
    ends."""
    plan, began_at, status, reason, ended_at, budget, spent = unpack(blob)
    groups = tuple(GroupPlan(*fields) for fields in plan.pop("groups"))
    whole = RunPlan(groups=groups, **{**plan, "ancestors": tuple(plan["ancestors"])})
    run = Run(run_id, whole, began_at, RunStatus(status), reason, ended_at, Budget(*budget), Spent(*spent))
    joined = [(agent, member) for agent in members if (member := agent.spec.member) is not None]
    for agent, member in joined:
        run.join(member.path, MemberRef(agent.id, member.is_required, member.after))
    over = [(agent, member) for agent, member in joined if agent.is_over]
    for agent, member in sorted(over, key=lambda pair: pair[0].ended_at or 0.0):
        run.close(member.path, MemberResult(agent.status.value, agent.reason))
    return run


_SESSION = ("directory", "opened_at", "name", "closed_at", "agents", "expected")


def pack_session(session: Session) -> bytes:
    """Return a session without its agents, packed: agents refer to their session."""
    return pack([{name: getattr(session, name) for name in _SESSION}, session.budget, session.spent])


def unpack_session(session_id: SessionId, blob: bytes) -> Session:
    """Return the session that `pack_session` wrote."""
    fields, budget, spent = unpack(blob)
    return Session(session_id, **fields, budget=Budget(*budget), spent=Spent(*spent))


def event_name(event: Event) -> str:
    """Return the name of an event: `agent-completed` for AgentCompleted."""
    return EVENT_NAMES[type(event)]


def describe(event: Event) -> dict[str, object]:
    """Return an event as a flat map for people and scripts, without the agent it is about."""
    if isinstance(event, AgentQueued):
        parent = event.ancestors[-1] if event.ancestors else None
        always = {"name": event.spec.name, "level": event.level.value, "parent": parent}
        optional = {"session": event.spec.session, "task_id": event.spec.task_id}
        return {**always, **{key: value for key, value in optional.items() if value}}
    if isinstance(event, WaitBegan):
        return {"targets": list(event.wait.targets), "any": event.wait.is_any}
    if isinstance(event, RunBegan):
        return {"run": event.run, "name": event.plan.name}
    plain = {name: getattr(event, name) for name in EVENT_FIELDS[type(event)]}
    if not plain.get("because", ""):  # no other agent caused it; events of earlier versions never have the key
        plain.pop("because", None)
    if isinstance(outcome := plain.pop("outcome", None), Outcome):
        plain["exit_code"] = outcome.code
        if outcome.report is not None:
            plain |= {"tokens": outcome.report.spent.tokens, "cost_usd": outcome.report.spent.cost_usd}
            plain |= {"cost_source": outcome.report.cost_source} if outcome.report.is_simulated else {}
            plain |= {"notes": [note.text for note in outcome.report.notes]} if outcome.report.notes else {}
    if isinstance(budget := plain.pop("budget", None), Budget):
        plain |= {"max_tokens": budget.tokens, "max_cost": budget.cost_usd}
    return {name: value.value if isinstance(value, Enum) else value for name, value in plain.items()}


_HIDDEN = ("agent", "seed", "environment", "cgroup", "attributes", "remedy")
_KINDS: tuple[type[Any], ...] = get_args(Event)
EVENT_NAMES = {kind: re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower() for kind in _KINDS}
EVENT_FIELDS = {
    kind: tuple(field.name for field in dataclasses.fields(kind) if field.name not in _HIDDEN) for kind in _KINDS
}
