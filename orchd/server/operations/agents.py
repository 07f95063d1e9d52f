"""Operations that show agents, explain their state, and wait for them."""

from __future__ import annotations

from orchd.core.admission.why import Verdict, why_run
from orchd.core.admission.why import why as why_agent
from orchd.core.effects import Answer
from orchd.core.state.agents import LIVING, Agent, AgentId, Status, agent_id
from orchd.network.callers import Caller
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MOST
from orchd.server.calls import Call, Reply, Result
from orchd.server.context import Context
from orchd.server.operations.daemon import identity
from orchd.server.pagination import fitting
from orchd.views import agents as views

PAGE = 500


def status(context: Context, call: Call, args: operations.Status) -> Reply:
    """Return the agents that the request names, or one page of all, newest first."""
    more, rest = None, dict[str, object]()
    root, listing = context.resolver.root_of(call.caller), context.listing
    if args.most is not None and not args.all:
        named = context.resolver.seen(call.caller, args.ids, most=None)
        first = listing.first_of(named, args.most) if args.ids else listing.first(args.most, root)
        budgets = listing.budgets(named, root, context.resolver.session_of(call.caller))
        rest = {"counts": first.counts, "budgets": budgets, "tokens": listing.tokens(first.agents)}
        maps = shown_agents(context, first.agents, usage=args.usage)
    elif args.ids:
        named = context.resolver.seen(call.caller, args.ids)
        known = context.records.maps  # finished agents never change, so their maps are cached
        unknown = [agent for agent in named if agent.id not in known]
        new_maps = shown_agents(context, unknown, usage=args.usage)
        new = {agent.id: agent_map for agent, agent_map in zip(unknown, new_maps, strict=True)}
        context.records.show(new)
        maps = [new.get(agent.id) or known[agent.id] for agent in named]
    else:
        page = listing.all(args.before, root, PAGE + 1) if args.all else listing.current(args.before, root)
        maps, more = page_of(context, page, usage=args.usage)
    return Reply(
        {
            "daemon": identity(context),
            "limit": views.limit(context.state),
            "levels": views.levels(context.state),
            "agents": maps,
            "more": more,
            **rest,
        }
    )


def page_of(context: Context, numbers: list[int], *, usage: bool) -> tuple[list[dict[str, object]], int | None]:
    """Return the first page of `numbers`, newest first, in full, and the number before which the next page begins."""
    page = numbers[:PAGE]
    maps = shown_agents(context, context.records.many(map(agent_id, reversed(page))), usage=usage)
    count = fitting(maps[::-1])
    return maps[len(maps) - count :], page[count - 1] if count < len(numbers) else None


def shown_agents(context: Context, agents: list[Agent], *, usage: bool) -> list[dict[str, object]]:
    """Return agents in full; with `usage`, memory and CPU time of running agents are sampled."""
    if not agents:
        return []
    living = [(agent.id, agent.attempt) for agent in agents if agent.status in LIVING] if usage else []
    sampled = context.processes.usage(living) if living else {}
    children = context.store.children(agent.number for agent in agents)
    now = context.clock().mono
    return [
        views.agent_map(
            context.home,
            context.state,
            agent,
            now,
            children.get(agent.number, []),
            sampled.get((agent.id, agent.attempt)),
        )
        for agent in agents
    ]


def why(context: Context, call: Call, args: operations.Why) -> Reply:
    """Explain the state of an agent or run. Blocking agents that the caller may not see are only counted."""
    named = context.resolver.seen(call.caller, (args.id,))
    now = context.clock().mono
    if views.canonical_run(args.id) is not None:
        run = context.records.run(args.id)
        verdict = why_run(context.state, run, now)
        subject = {"id": run.id, "status": run.status.value, "unmet": None}
    else:
        (agent,) = named
        suspension = None
        if agent.status is Status.RUNNING:  # something other than orchd may have frozen or stopped it
            suspension = context.processes.suspension(agent.id, agent.attempt)
        if suspension is not None:
            verdict = Verdict("suspended", suspension.sentence, way_out=suspension.way_out)
        else:
            verdict = why_agent(context.state, agent, now, context.records.recorded)
        subject = {"id": agent.id, "status": agent.shown_status, "unmet": agent.unmet}
    root = context.resolver.root_of(call.caller)
    blockers = [agent for agent in context.records.many(verdict.blockers) if root in (None, agent.root)]
    return Reply({**subject, **views.verdict_map(verdict, blockers)})


def wait(context: Context, call: Call, args: operations.Wait) -> Result:
    """Wait for agents: an input of the core for an agent, a deferred reply for any other caller."""
    return context.waits.begin(call, wait_targets(context, call.caller, args))


def wait_targets(context: Context, caller: Caller, args: operations.Wait) -> tuple[AgentId, ...]:
    """Return the agents that a request waits for. Raises WireError."""
    targets = context.resolver.targets(caller, args)
    if len(targets) > MOST and not args.paged:
        raise WireError(
            "too-large",
            f"{len(targets):,} agents are awaited, and a reply holds at most {MOST:,}; wait for fewer, or set `paged`",
        )
    return targets


def waited(context: Context, call: Call, answer: Answer) -> dict[str, object]:
    """Return the awaited agents; with `paged` a page of them, and the ids of the others."""
    ids = answer.agents[:PAGE] if call.args.paged else answer.agents
    agents = shown_agents(context, context.records.many(ids), usage=False)
    if not call.args.paged:
        return {"agents": agents, "timed_out": answer.timed_out}
    count = fitting(agents)
    return {"agents": agents[:count], "timed_out": answer.timed_out, "more": answer.agents[count:]}
