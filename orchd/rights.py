"""Who may do what. The owner may do all of it; an agent may start, see and end what is its own; nobody else may.

What a client on another machine may is said by the role of its key: see orchd.roles.
"""

from __future__ import annotations

from orchd.callers import Caller, Outside
from orchd.core.model import Agent, AgentId
from orchd.roles import Visitor, check_role
from orchd.wire import WireError

# What an agent may ask at all; the objects it names are checked one by one.
OF_AGENTS = frozenset(
    {"spawn", "run", "runs", "run-status", "skills", "status", "why", "wait", "cancel", "retry", "logs", "events"}
    | {"limit", "daemon", "sessions", "session-status"}
)


def check_op(caller: Caller, op: str, *, changes_limit: bool) -> None:
    """Raises WireError `forbidden` when `caller` may not ask for `op`."""
    if caller is Outside.STRANGER:
        raise WireError("forbidden", "this daemon serves another user; start your own")
    if caller is Outside.NOBODY:
        raise WireError("forbidden", "the caller is a process of no living agent and may do nothing")
    if isinstance(caller, Visitor):
        check_role(caller, op, is_change=changes_limit)
    elif caller is not Outside.OWNER and (op not in OF_AGENTS or changes_limit):
        raise WireError("forbidden", f"{caller} is an agent: `{op}` is for a person outside every agent")


def check_sight(caller: Caller, root: AgentId | None, agent: Agent) -> None:
    """An agent, of the tree of `root`, sees that tree: what is above it, beside it and below it."""
    if isinstance(caller, str) and agent.root != root:
        raise WireError("forbidden", f"{agent.id} is not of the tree of {caller}, which may not look at it")


def check_command(caller: Caller, agent: Agent) -> None:
    """An agent commands what is below it."""
    if isinstance(caller, str) and caller not in agent.ancestors:
        raise WireError("forbidden", f"{agent.id} is not below {caller}, which may not command it")
