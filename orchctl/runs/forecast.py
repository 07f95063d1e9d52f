"""What can be foretold of a composition: order, critical path, tokens, and the time at a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchctl.composition import (
    Member,
    TokenEstimate,
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
    """The plan as JSON has it. `seconds` are what skills took before, `limit` is how many agents may work at once.

    `unit` says what `duration` and the times are: seconds, or tokens when no skill has a history.
    """
    flat = flatten(tree)
    graph, joints = flat.graph(), flat.joints()
    tokens = {one.path: estimate_tokens(one.sub_skill, len(one.text)) for one in flat.members}
    history = {one.path: seconds.get(one.sub_skill.skill_name) for one in flat.members}
    times = durations(history, {path: one.tokens for path, one in tokens.items()})
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
        "tokens": sum(one.tokens for one in tokens.values()),
        "members": [_member(one, tokens[one.path], history[one.path], times[one.path]) for one in flat.members],
    }


def _member(one: Member, tokens: TokenEstimate, seconds: float | None, duration: float) -> dict[str, Any]:
    return {
        "path": one.path,
        "skill": one.sub_skill.skill_name,
        "after": list(one.after),
        "required": one.sub_skill.required,
        "tokens": tokens.tokens,
        "is_estimated": not tokens.is_given,
        "seconds": seconds,
        "duration": duration,
    }


def plan_lines(plan: Mapping[str, Any], arrow: str) -> list[str]:
    """The plan for people."""
    members = {one["path"]: one for one in plan["members"]}
    rows = [
        [f"group {number}" if path == group[0] else "", path, *_cells(plan, members[path])]
        for number, group in enumerate(plan["groups"], 1)
        for path in group
    ]
    bound = f", at most {plan['max_parallel']} at once" if plan["max_parallel"] else ""
    shown = f" {arrow} ".join(plan["critical_path"])
    guessed = sum(one["tokens"] for one in plan["members"] if one["is_estimated"])
    return [
        f"{render.clean(plan['name'])}: {plan['mode']}, {len(members)} members{bound}",
        "",
        *render.aligned(render.filled(rows)),
        "",
        f"critical path    {render.clean(shown)}: {_time(plan, plan['critical_path_time'])}",
        f"time at limit {plan['limit']}  {_time(plan, plan['time_at_limit'])}; "
        f"one by one {_time(plan, plan['time_one_by_one'])}",
        f"tokens           {plan['tokens']:,}" + (f", of them {guessed:,} estimated (~)" if guessed else ""),
    ]


def _cells(plan: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    tokens = f"{'~' if one['is_estimated'] else ''}{one['tokens']:,} tokens"
    seconds = _seconds(one) if plan["unit"] == "seconds" else ""
    after = f"after {', '.join(one['after'])}" if one["after"] else ""
    return [tokens, seconds, "" if one["required"] else "not required", render.clean(after)]


def _seconds(one: Mapping[str, Any]) -> str:
    return f"{'~' if one['seconds'] is None else ''}{render.span(one['duration'])}"


def _time(plan: Mapping[str, Any], amount: float) -> str:
    if plan["unit"] == "seconds":
        return render.span(amount)
    return f"as long as {round(amount):,} tokens take"
