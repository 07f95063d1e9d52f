"""Dependencies in a request: the agents that its agents wait for, and their conditions."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from orchd.core.state.agents import AgentId, Condition
from orchd.protocol.dependencies import split, unknown
from orchd.protocol.errors import WireError
from orchd.views.agents import canonical

Conditions = tuple[tuple[AgentId, Condition], ...]


def dependencies_of(
    texts: Iterable[str], names: Container[str], find: Callable[[str], AgentId]
) -> tuple[tuple[AgentId, ...], Conditions]:
    """Return the agents, and the conditions other than `completed`.

    `names` are the names of the request's own agents; `find` raises WireError for an id or name of no agent.
    """
    of_agents: dict[AgentId, Condition] = {}
    for text in texts:
        blocker, condition = _dependency(text, names, find)
        if of_agents.setdefault(blocker, condition) is not condition:
            both = f"{of_agents[blocker].value} and {condition.value}"
            raise WireError("bad-request", f"`after` {text!r}: {blocker} has the conditions {both}; give only one")
    conditions = tuple((agent_id, how) for agent_id, how in of_agents.items() if how is not Condition.COMPLETED)
    return tuple(of_agents), conditions


def _dependency(text: str, names: Container[str], find: Callable[[str], AgentId]) -> tuple[AgentId, Condition]:
    """Return an agent and its condition.

    In this order: a name of the request, an id or a name of the request with a condition, a name of another agent,
    such a name with a condition. So an agent whose name contains a colon can be named, and most texts need no lookup.
    """
    head, condition = split(text)
    if text not in names and condition is not None and (head in names or canonical(head) is not None):
        return find(head), Condition(condition)
    try:
        return find(text), Condition.COMPLETED
    except WireError as error:
        if error.code != "unknown-agent" or not head:
            raise
    if condition is None:
        raise WireError("unknown-condition", unknown(text))
    return find(head), Condition(condition)
