"""Forecasts of compositions: order, critical path, tokens, and the time at a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchctl.composition import (
    Tree,
    critical_path,
    durations,
    estimate_tokens,
    flatten,
    levels,
    makespan,
)
from orchctl.render import text as render


def foretold(tree: Tree, *, seconds: Mapping[str, float], limit: int) -> dict[str, Any]:
    """Return the plan as JSON. `seconds` are past durations by skill, `limit` is how many agents may work at once.

    `unit` is the unit of `duration` and the times: seconds, or tokens when no skill has a history.
    """
    flat = flatten(tree)
    graph, joints = flat.graph(), flat.joints()
    tokens = {member.path: estimate_tokens(member.sub_skill, len(member.text)) for member in flat.members}
    history = {member.path: seconds.get(member.sub_skill.skill_name) for member in flat.members}
    times = durations(history, {path: member.tokens for path, member in tokens.items()})
    weights = {**dict.fromkeys(joints, 0.0), **times}
    path = [node for node in critical_path(graph, weights) if node not in joints]
    return {
        "name": tree.composition.name,
        "mode": tree.composition.execution_mode,
        "limit": limit,
        "max_parallel": tree.composition.max_parallel,
        "unit": "tokens" if all(known is None for known in history.values()) else "seconds",
        "groups": levels(graph, joints),
        "critical_path": path,
        "critical_path_time": sum(times[node] for node in path),
        "time_at_limit": makespan(graph, weights, limit, flat.bounds()),
        "time_one_by_one": sum(times.values()),
        "tokens": sum(member.tokens for member in tokens.values()),
        "members": [
            {
                "path": member.path,
                "skill": member.sub_skill.skill_name,
                "after": list(member.after),
                "required": member.sub_skill.required,
                "tokens": tokens[member.path].tokens,
                "is_estimated": not tokens[member.path].is_given,
                "seconds": history[member.path],
                "duration": times[member.path],
            }
            for member in flat.members
        ],
    }


def plan_lines(plan: Mapping[str, Any], arrow: str) -> list[str]:
    """Return the plan as lines of text."""
    members = {member["path"]: member for member in plan["members"]}
    rows = []
    titles = {group[0]: f"group {number}" for number, group in enumerate(plan["groups"], 1) if group}
    for path in (path for group in plan["groups"] for path in group):
        member = members[path]
        tokens = f"{'~' if member['is_estimated'] else ''}{member['tokens']:,} tokens"
        seconds = f"{'~' if member['seconds'] is None else ''}{render.span(member['duration'])}"
        duration = seconds if plan["unit"] == "seconds" else ""
        after = f"after {', '.join(member['after'])}" if member["after"] else ""
        required = "" if member["required"] else "optional"
        rows.append([titles.get(path, ""), path, tokens, duration, required, render.clean(after)])
    bound = f", at most {plan['max_parallel']} at once" if plan["max_parallel"] else ""
    critical = f" {arrow} ".join(plan["critical_path"])
    guessed = sum(member["tokens"] for member in plan["members"] if member["is_estimated"])
    note = "no duration estimate yet: times are given in tokens"
    return [
        f"{render.clean(plan['name'])}: {plan['mode']}, {len(members)} members{bound}",
        "",
        *render.aligned(render.filled(rows)),
        "",
        f"critical path    {render.clean(critical)}: {_time(plan, plan['critical_path_time'])}",
        f"time at limit {plan['limit']}  {_time(plan, plan['time_at_limit'])}; "
        f"sequential {_time(plan, plan['time_one_by_one'])}",
        f"tokens           {plan['tokens']:,}" + (f", {guessed:,} of them estimated (~)" if guessed else ""),
        *([] if plan["unit"] == "seconds" else [note]),
    ]


def _time(plan: Mapping[str, Any], amount: float) -> str:
    if plan["unit"] == "seconds":
        return render.span(amount)
    return f"{round(amount):,} tokens"
