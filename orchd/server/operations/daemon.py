"""Operations on the daemon: identity, configuration, history, and shutdown."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.effects import Answer
from orchd.core.state.agents import number_of
from orchd.errors import ConfigError
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.calls import Call, Reply, Result
from orchd.server.context import Context
from orchd.server.pagination import fitting
from orchd.views import agents as views


def daemon(context: Context, _: Call, __: operations.Daemon) -> Reply:
    """Return the daemon's pid, version and paths, and what it can enforce here."""
    return Reply(identity(context))


def identity(context: Context) -> dict[str, object]:
    """Return the daemon's pid, version and paths, and what it can enforce here."""
    uptime = round(context.clock().mono - context.started, 3)
    changing = {"uptime_seconds": uptime, "disk_full": context.is_disk_full}
    return {**context.identity, **changing, **context.processes.shown()}


def config(context: Context, _: Call, __: operations.Config) -> Reply:
    """Return the settings in force, without tables, whose variables may be secrets."""
    return Reply(views.config(context.home, context.state, context.settings.in_force()))


def reload(context: Context, _: Call, __: operations.Reload) -> Reply:
    """Read the configuration again. An invalid file changes nothing."""
    try:
        return Reply(context.settings.reload(), context.settings.limits())
    except ConfigError as error:
        problems = [problem._asdict() for problem in error.problems]
        raise WireError("bad-config", f"{error}; no setting was changed", {"problems": problems}) from None


def prune(context: Context, call: Call, args: operations.Prune) -> None:
    """Delete finished agents, in slices; the reply follows the last of them."""
    context.pruner.ask(call.id, args)


def stop(context: Context, call: Call, args: operations.Stop) -> Result:
    """Stop at once, or when no agent is alive."""
    if args.agents != "keep":
        return inputs.Drain(call.id, args.agents == "stop")
    context.is_leaving = True
    return Answer(call.id)


def stopped(context: Context, _: Call, __: Answer) -> dict[str, object]:
    """Return the agents that were alive when the stop was requested."""
    living = context.state.living
    return {"living": len(living), "agents": sorted(living, key=number_of)}


def skills(context: Context, _: Call, args: operations.Skills) -> Reply:
    """Return the durations of agents of these skills."""
    known = context.store.skills(args.names)
    took = {name: {"seconds": seconds, "samples": samples} for name, (seconds, samples) in known.items()}
    return Reply({"skills": took, "limit": views.limit(context.state)})


def events(context: Context, call: Call, args: operations.Events) -> Reply:
    """Return the events after a sequence number, oldest first."""
    if args.agent is None:
        root = context.resolver.root_of(call.caller)
        events = context.store.events(args.since, args.count, number_of(root) if root else None)
    else:
        (agent,) = context.resolver.seen(call.caller, (args.agent,))
        events = context.store.events_about(agent, args.since, args.count)
    maps = [views.event_map(event) for event in events]
    return Reply(
        {
            "events": maps[: fitting(maps)],
            "last": context.store.last_seq(),
            "pruned": context.store.pruned.seq,
        }
    )
