"""Operations that control agents: cancel, retry, pause, resume, and the limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchd.core import inputs
from orchd.core.effects import Answer
from orchd.core.state.agents import AgentId, Condition, Status
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.calls import Call, Reply
from orchd.server.context import Context
from orchd.server.operations.spawn import tickets
from orchd.server.operations.specs import attributes_of, check_results, environment_of, store_environments
from orchd.views import agents as views


def names_agents(args: operations.Pause | operations.Resume) -> bool:
    """Return whether a request pauses or resumes agents, not all admissions."""
    return bool(args.ids)


def sets_limit(args: operations.Limit) -> bool:
    """Return whether a request changes the limit."""
    return args != operations.Limit()


def _unfinished(context: Context, call: Call, ids: tuple[str, ...]) -> tuple[AgentId, ...]:
    return context.resolver.commanded(call.caller, ids, lambda end: end is None)


def cancel(context: Context, call: Call, args: operations.Cancel) -> inputs.Cancel:
    """Return the input that ends agents."""
    return inputs.Cancel(call.id, _unfinished(context, call, args.ids))


def pause(_: Context, call: Call, args: operations.Pause) -> inputs.Pause:
    """Return the input that stops admissions."""
    if args.release_slot:
        raise WireError("bad-request", "`release_slot` applies to agents only; give `ids`, or omit it")
    return inputs.Pause(call.id)


def pause_agents(context: Context, call: Call, args: operations.Pause) -> inputs.PauseAgents:
    """Return the input that pauses agents."""
    return inputs.PauseAgents(call.id, _unfinished(context, call, args.ids), args.release_slot)


def resume(_: Context, call: Call, __: operations.Resume) -> inputs.Resume:
    """Return the input that resumes admissions."""
    return inputs.Resume(call.id)


def resume_agents(context: Context, call: Call, args: operations.Resume) -> inputs.ResumeAgents:
    """Return the input that resumes agents."""
    return inputs.ResumeAgents(call.id, _unfinished(context, call, args.ids))


def paused_or_resumed(context: Context, call: Call, answer: Answer) -> Mapping[str, object]:
    """Return the agents that were paused or resumed; the limit where there were none."""
    return tickets(context, call, answer) if answer.agents else limit(context, call, answer)


def show_limit(context: Context, _: Call, __: operations.Limit) -> Reply:
    """Return the limit as it stands."""
    return Reply(views.limit(context.state))


def set_limit(context: Context, call: Call, args: operations.Limit) -> inputs.SetLimit:
    """Return the input that changes the limit. Raises WireError for `reset` beside a number."""
    if args.reset:
        if args.limit is not None or args.resident is not None:
            raise WireError("bad-request", "`reset` sets the configured numbers; omit `limit` and `resident`")
        return replace(context.settings.limits(), request=call.id)
    return inputs.SetLimit(call.id, args.limit, args.resident)


def limit(context: Context, _: Call, __: Answer) -> dict[str, object]:
    """Return the limit as it stands."""
    return views.limit(context.state)


def retry(context: Context, call: Call, args: operations.Retry) -> inputs.Retry:
    """Return the input that retries agents, each in its environment of the spawn with `env` over it.

    Raises WireError where no agent can be retried, a blocker of one was pruned, or a CLI session is wanted and unknown.
    """
    ids = context.resolver.commanded(call.caller, args.ids, lambda end: end is not None and not end.is_good)
    if not ids:
        raise WireError(
            "cannot-retry", f"{', '.join(args.ids)}: nothing to retry; no member has ended without completing"
        )
    agents = context.state.agents
    for agent in (agents[agent_id] for agent_id in ids):
        conditions = dict(agent.spec.conditions)
        pruned = [
            blocker
            for blocker in agent.spec.after
            if blocker not in agents and conditions.get(blocker) is not Condition.ANY
        ]
        if pruned and not agent.attempt:
            raise WireError(
                "pruned",
                f"{agent.id} never started, and how its dependency {pruned[0]} ended is unknown: that was pruned; "
                f"spawn {agent.id} again as a new agent",
            )
    check_results(context, [agents[agent_id].spec for agent_id in ids], ids)
    attributes = attributes_of(context, call.caller, args.attributes) if args.attributes is not None else None
    for agent in (agents[agent_id] for agent_id in ids) if args.resume_session else ():
        report = agent.outcome.report if agent.outcome else None
        if report is None or report.session_id is None:
            raise WireError("no-session", f"{agent.id}: no CLI session was recorded; retry it without --resume-session")
    for agent_id in ids:
        context.given.retries.restore_input(agents[agent_id])
    environments = tuple(_environment_for_retry(context, call, args, agent_id) for agent_id in ids)
    return inputs.Retry(call.id, ids, environments, attributes, args.resume_session)


def _environment_for_retry(context: Context, call: Call, args: operations.Retry, agent_id: AgentId) -> str:
    """Return the digest of the environment in which an agent is retried. Raises WireError."""
    if args.current_env:
        return store_environments(context, environment_of(call.caller, args.env))[0]
    agent = context.state.agents[agent_id]
    if agent.is_over and agent.status is not Status.COMPLETED:
        return store_environments(context, {**context.given.retries.environment(agent_id), **args.env})[0]
    return agent.spec.environment  # the core refuses it: it completed, or is not finished
