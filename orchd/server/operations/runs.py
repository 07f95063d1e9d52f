"""Operations on runs of compositions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from orchd.core import inputs
from orchd.core.effects import Answer
from orchd.core.state.agents import AgentId, number_of
from orchd.core.state.runs import GroupPlan, RunPlan, number_of_run
from orchd.core.state.spending import Budget
from orchd.dag import durations
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.calls import Call, Reply
from orchd.server.context import Context
from orchd.server.listing import RECENT
from orchd.server.operations.agents import PAGE, shown_agents
from orchd.server.operations.specs import bases, parent_of, scope_of, spec_of, tree_size
from orchd.server.pagination import fitting
from orchd.views import agents as views

RUNS_PAGE = 50


def run(context: Context, call: Call, args: operations.Run) -> inputs.BeginRun:
    """Return the input that begins a run, with the expected durations of its members."""
    parent = parent_of(call.caller, args.parent)
    plan = RunPlan(
        name=args.name,
        groups=tuple(
            GroupPlan(group.path, group.max_parallel, group.on_failure == "fail-fast", group.required)
            for group in args.groups
        ),
        cwd=args.cwd,
        task_id=args.task_id,
        results=args.results,
    )
    of_members = bases(context, call.caller, args, [member.agent.env for member in args.members])
    parts = []
    for member, base in zip(args.members, of_members, strict=True):
        if member.agent.after:
            raise WireError("bad-request", f"run: {member.path}: give `after` beside `agent`, not in it")
        spec = spec_of(context, call.caller, args, member.agent, set(), base)
        variables = tuple(sorted(member.variables.items()))
        spec = replace(spec, name=member.agent.name or member.path, variables=variables)
        parts.append(inputs.Part(member.path, spec, member.after, member.required))
    known = context.store.skills({part.spec.skill for part in parts if part.spec.skill})
    seconds = {part.path: known[part.spec.skill][0] if part.spec.skill in known else None for part in parts}
    expected = durations(seconds, {member.path: member.agent.tokens for member in args.members})
    after = {group.path: group.after for group in args.groups if group.after}
    size = tree_size(context, parent)
    scope = scope_of(context, args.project or args.cwd) if parent is None else None
    budget = Budget(args.max_tokens, args.max_cost)
    return inputs.BeginRun(call.id, parent, plan, tuple(parts), after, expected, size, scope, budget)


def begun(context: Context, _: Call, answer: Answer) -> dict[str, object]:
    """Return the run that began, and the tickets of its members."""
    agents = context.records.many(answer.agents)
    member = agents[0].spec.member
    run = context.records.run(member.run if member else "")
    return {"run": views.whole_run_map(run, agents), **views.tickets(context.state, agents, context.clock().mono)}


def runs(context: Context, call: Call, args: operations.Runs) -> Reply:
    """Return one page of runs, newest first, without their members: of all runs, or of the unfinished runs and the last
    few finished runs."""
    root = context.resolver.root_of(call.caller)
    if args.all:
        page = context.store.runs(args.before, RUNS_PAGE + 1, number_of(root) if root else None)
    else:
        unfinished = (run for run in context.state.runs.values() if not run.is_over)
        page = [run for run in unfinished if root is None or root in run.plan.ancestors]
        page += context.store.runs(None, RECENT, number_of(root) if root else None, only_over=True)
        page = [run for run in page if args.before is None or number_of_run(run.id) < args.before]
        page.sort(key=lambda run: number_of_run(run.id), reverse=True)
    more = number_of_run(page[RUNS_PAGE - 1].id) if len(page) > RUNS_PAGE else None
    maps = []
    for run in (context.state.runs.get(run.id, run) for run in page[:RUNS_PAGE]):
        counts = Counter(ending.status for ending in run.ended.values())  # finished members may not be in memory
        going = (AgentId(mate.agent) for path, mate in run.members.items() if path not in run.ended)
        counts.update(context.state.agents[agent_id].shown_status for agent_id in going)
        maps.append(views.run_map(run, counts))
    return Reply({"runs": maps, "more": more})


def run_status(context: Context, call: Call, args: operations.RunStatus) -> Reply:
    """Return a run with a page of its members in full."""
    run = context.records.run(args.id)
    begin, whole = args.skip, None
    if begin:
        ids = tuple(mate.agent for mate in list(run.members.values())[begin : begin + PAGE])
        members = context.resolver.seen(call.caller, ids)
    else:
        members = context.resolver.seen(call.caller, (run.id,))
        whole = views.whole_run_map(run, members)
    maps = shown_agents(context, members[:PAGE], usage=True)
    end = begin + fitting(maps)
    more = end if end < len(run.members) else None
    return Reply({"run": whole, "agents": maps[: end - begin], "more": more})
