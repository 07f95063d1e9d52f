"""The outcome of runs, once more: obviously right and slow, from the agents alone."""

from __future__ import annotations

from collections.abc import Callable

from orchd.core.state.agents import Agent, AgentId, Status
from orchd.core.state.runs import Run
from orchd.core.state.state import State
from tests.stateful import naive

Look = Callable[[AgentId], Agent]


def inside(path: str) -> str:
    """The group that a node is directly in."""
    return "/".join(path.split("/")[:-1])


def nodes_in(run: Run, group: str) -> list[str]:
    """The members and groups directly in a group."""
    return [node for node in [*run.groups, *run.members] if node and inside(node) == group]


def is_required(run: Run, node: str) -> bool:
    """Whether its failure is that of the group around it."""
    return run.groups[node].is_required if node in run.groups else run.members[node].is_required


def end_of(run: Run, node: str, look: Look) -> str | None:
    """`completed`, `failed` or `skipped`; None while something in it is not over."""
    if node not in run.groups:
        status = look(AgentId(run.members[node].agent)).status
        words = {Status.COMPLETED: "completed", Status.SKIPPED: "skipped"}
        return words.get(status, "failed") if look(AgentId(run.members[node].agent)).is_over else None
    ends = {inner: end_of(run, inner, look) for inner in nodes_in(run, node)}
    if None in ends.values():
        return None
    if all(end == "skipped" for end in ends.values()):
        return "skipped"
    is_lacking = any(end != "completed" and is_required(run, inner) for inner, end in ends.items())
    return "failed" if is_lacking else "completed"


def has_failed(run: Run, group: str, look: Look) -> bool:
    """Whether something required and directly in it has, also while other things in it go on."""
    return any(end_of(run, node, look) == "failed" and is_required(run, node) for node in nodes_in(run, group))


def is_in(path: str, group: str) -> bool:
    """Whether a node is in a group, near or far."""
    return not group or path.startswith(f"{group}/")


def has_room(state: State, agent: Agent) -> bool:
    """Whether it may work beside the others of its run."""
    member = agent.spec.member
    if member is None:
        return True
    run = state.runs[member.run]
    paths = [member.path]
    for other in naive.living(state):
        part = other.spec.member
        if part is not None and part.run == run.id and other.status in naive.WORKING and other is not agent:
            paths.append(part.path)
    for group in run.groups.values():
        if not is_in(member.path, group.path) or group.max_parallel is None:
            continue
        busy = {node for node in nodes_in(run, group.path) if any(path == node or is_in(path, node) for path in paths)}
        before = {node for node in busy if any(path == node or is_in(path, node) for path in paths[1:])}
        if len(busy) > group.max_parallel and len(busy) > len(before):
            return False
    return True


def what_is_before(state: State, agent: Agent) -> list[str]:
    """The nodes that a member comes after, and the nodes that its groups come after."""
    return list(agent.spec.member.after) if agent.spec.member else []
