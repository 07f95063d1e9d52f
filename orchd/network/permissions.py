"""Permissions: the owner may do everything; an agent may start, see and end its own agents; all others are refused.

The role of its key limits what a remote client may do: see orchd.network.roles.
"""

from __future__ import annotations

from orchd.core.state.agents import Agent, AgentId
from orchd.instance.environment import ENV_AGENT
from orchd.network.callers import Caller
from orchd.network.peers import Outside
from orchd.network.roles import RemoteClient, check_role
from orchd.protocol.errors import WireError

_OUTSIDE = "or from a shell outside every agent"
REFUSED = {
    Outside.STRANGER: "this daemon belongs to another user; start your own with `orchctl daemon start`",
    Outside.NOBODY: "the calling process has detached from the agent that started it, and the agent cannot "
    f"be identified. Call orchctl from a process that is not detached (no double fork, no `setsid -f`), {_OUTSIDE}",
    Outside.MARKED: f"{ENV_AGENT} is set for the calling process or an ancestor, but that agent did not start it, or "
    f"it has detached from that agent. Call orchctl from a process of the agent, {_OUTSIDE} and without {ENV_AGENT}",
    Outside.FORMER: "the calling process belongs to an attempt that has ended. Call orchctl from an agent that is "
    f"running, {_OUTSIDE}",
    Outside.ENDED: "the process that opened this connection has ended. Connect again from the calling process",
    Outside.HIDDEN: "the calling process is in a pid namespace that the daemon cannot see. Call orchctl outside "
    "that container, or use a key ([remote] listen)",
}


def check_op(caller: Caller, op: str, role: str, *, for_agents: bool) -> None:
    """Raise WireError `forbidden` when `caller` may not request `op`, which needs a key of `role`."""
    if isinstance(caller, Outside):
        if caller is not Outside.OWNER:
            raise WireError("forbidden", f"permission denied: {REFUSED[caller]}")
    elif isinstance(caller, RemoteClient):
        check_role(caller, op, role)
    elif not for_agents:
        raise WireError("forbidden", f"permission denied: {caller} is an agent, and agents may not use `{op}`")


def check_visible(caller: Caller, root: AgentId | None, agent: Agent) -> None:
    """Raise WireError `forbidden` when `agent` is outside the tree of `root`, which is all that its members may see."""
    if isinstance(caller, str) and agent.root != root:
        raise WireError("forbidden", f"permission denied: {agent.id} is not in the tree of {caller}")


def check_may_control(caller: Caller, agent: Agent) -> None:
    """Raise WireError `forbidden` when `agent` is not a descendant of the calling agent."""
    if isinstance(caller, str) and caller not in agent.ancestors:
        raise WireError("forbidden", f"permission denied: {agent.id} is not a descendant of {caller}")
