"""Permissions: the owner may do everything; an agent may start, see and end its own agents; all others are refused.

The role of its key decides what a client on another machine may do: see orchd.network.roles.
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
    Outside.STRANGER: "this daemon serves another user; start your own",
    Outside.NOBODY: "the calling process has detached from the agent that started it, and nothing proves which agent "
    f"that is. Call orchctl from a process that is not detached (no double fork, no `setsid -f`), {_OUTSIDE}",
    Outside.MARKED: f"{ENV_AGENT} is set for the calling process or one above it, and that agent did not start it, or "
    f"it has detached from that agent. Call orchctl from a process of the agent, {_OUTSIDE} and without {ENV_AGENT}",
    Outside.FORMER: "the calling process belongs to an attempt that has ended. Call orchctl from an agent that is "
    f"running, {_OUTSIDE}",
    Outside.ENDED: "the process that opened this connection has ended. Connect again from the process that asks",
    Outside.HIDDEN: "the calling process is in a pid namespace that the daemon does not see. Call orchctl on the "
    "daemon's own side of the container, or use a key ([remote] listen)",
}


def check_op(caller: Caller, op: str, role: str, *, for_agents: bool) -> None:
    """Raise WireError `forbidden` when `caller` may not request `op`, which needs a key of `role`."""
    if isinstance(caller, Outside):
        if caller is not Outside.OWNER:
            raise WireError("forbidden", REFUSED[caller])
    elif isinstance(caller, RemoteClient):
        check_role(caller, op, role)
    elif not for_agents:
        raise WireError("forbidden", f"{caller} is an agent: `{op}` is for a person outside every agent")


def check_visible(caller: Caller, root: AgentId | None, agent: Agent) -> None:
    """Raise WireError `forbidden` when `agent` is outside the tree of `root`, which is all that its members may see."""
    if isinstance(caller, str) and agent.root != root:
        raise WireError("forbidden", f"{agent.id} is not of the tree of {caller}, which may not look at it")


def check_may_control(caller: Caller, agent: Agent) -> None:
    """Raise WireError `forbidden` when `agent` is not a descendant of the calling agent."""
    if isinstance(caller, str) and caller not in agent.ancestors:
        raise WireError("forbidden", f"{agent.id} is not below {caller}, which may not command it")
