"""Creation of runs: a request to run a composition becomes a run and its queued members, all of them or none."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from orchd.core.handlers.sessions import session_of
from orchd.core.handlers.spawn import Refusal, check_guards, check_nesting, parent_for
from orchd.core.inputs import BeginRun, Part
from orchd.core.state.agents import Level, agent_id
from orchd.core.state.events import AgentQueued, RunBegan
from orchd.core.state.runs import Membership, run_id
from orchd.core.turn import Turn
from orchd.dag import around, cycle_in, groups_around, remaining_paths, topological

MOST_EDGES = 1_000_000  # from members to the members that they come after; a group counts as all of its members


def begin_run(turn: Turn, given: BeginRun) -> None:
    """Check the whole request, then create the run and queue its members."""
    state = turn.state
    try:
        parent = parent_for(state, given.caller)
        check_nesting(state, [part.spec for part in given.parts])
        if parent is not None:
            check_guards(state, parent, len(given.parts), given.kin)
        leaves = _dependencies_of_members(given)
    except Refusal as refusal:
        turn.refuse(given.request, refusal.code, str(refusal), refusal.details)
        return
    ancestors = (*parent.ancestors, parent.id) if parent else ()
    run = run_id(state.last_run + 1)
    first = state.last_number + 1
    ids = {part.path: agent_id(first + index) for index, part in enumerate(given.parts)}
    weights = remaining_paths(leaves, given.durations)
    session = session_of(turn, parent, given.scope)
    turn.record(RunBegan(run, replace(given.plan, ancestors=ancestors, session=session), given.budget))
    parts = {part.path: part for part in given.parts}
    for part in (parts[path] for path in topological(leaves)):  # what another comes after must be there before it
        member = Membership(run, part.path, _after(given, part), part.is_required, weights[part.path], first)
        after = tuple(ids[path] for path in leaves[part.path])
        spec = replace(part.spec, after=after, member=member, session=session)
        turn.record(AgentQueued(ids[part.path], spec, Level.COMPOSITE, ancestors, parent.attempt if parent else 0))
    turn.answer(given.request, *ids.values())


def _dependencies_of_members(given: BeginRun) -> dict[str, list[str]]:
    """Return the members that each member comes after. Raises Refusal for a run that cannot work."""
    nodes = _checked_nodes(given)
    below: dict[str, list[str]] = {path: [] for path in nodes}
    for part in given.parts:
        for path in (part.path, *(group for group in groups_around(part.path) if group)):
            below[path].append(part.path)
    if empty := next((path for path, members in below.items() if not members), None):
        raise Refusal("bad-run", f"the group {empty!r} has no members; remove it")
    count = 0
    leaves = {}
    for part in given.parts:
        members = list(dict.fromkeys(leaf for node in _after(given, part) for leaf in below[node]))
        count += len(members)
        if count > MOST_EDGES:
            raise Refusal("bad-run", f"more than {MOST_EDGES:,} dependencies between members; split the run")
        leaves[part.path] = members
    if cycle := cycle_in(leaves):
        path = " -> ".join(cycle)
        raise Refusal("cycle", f"dependency cycle: {path}; remove one dependency", path=cycle)
    return leaves


def _checked_nodes(given: BeginRun) -> set[str]:
    """Return every path except that of the whole, each once. Raises Refusal for wrong paths, and for dependencies on
    nodes of another group."""
    if not given.plan.groups or given.plan.groups[0].path:
        raise Refusal("bad-run", 'the first group must be the run itself, with the path ""')
    paths = [*(group.path for group in given.plan.groups[1:]), *(part.path for part in given.parts)]
    nodes: set[str] = set()
    for path in paths:
        if path in nodes or not path.rpartition("/")[2]:
            what = "used twice" if path in nodes else "empty"
            raise Refusal("bad-run", f"the path {path!r} is {what}; give each node its own path")
        nodes.add(path)
    groups = {group.path for group in given.plan.groups}
    for path in paths:
        if around(path) not in groups:
            raise Refusal("bad-run", f"{path!r} is in {around(path)!r}, which is not a group of this run")
    dependencies = [*given.group_after.items(), *((part.path, part.after) for part in given.parts)]
    for path, blocker in ((path, blocker) for path, after in dependencies for blocker in after):
        if blocker not in nodes or around(blocker) != around(path):
            siblings = [node for node in nodes if around(node) == around(path)]
            near = get_close_matches(blocker, siblings, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise Refusal("bad-run", f"{path!r} comes after {blocker!r}, which is not a node of its group{hint}")
    return nodes


def _after(given: BeginRun, part: Part) -> tuple[str, ...]:
    """Return what a member comes after, with what the groups around it come after."""
    around = (given.group_after.get(group, ()) for group in groups_around(part.path))
    return tuple(dict.fromkeys([*part.after, *(node for after in around for node in after)]))
