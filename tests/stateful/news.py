"""Inputs without news: of attempts that are over, and of agents that never were."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.state.agents import AgentId, Outcome, RequestId


def stale(agent_id: AgentId, attempt: int) -> list[inputs.Input]:
    """All inputs that may still come of an attempt whose process is gone."""
    return [
        inputs.Exited(agent_id, attempt, Outcome(0), is_tree_gone=True),
        inputs.Exited(agent_id, attempt, Outcome(1), is_tree_gone=False),
        inputs.TreeGone(agent_id, attempt),
        inputs.NeverRan(agent_id, attempt),
        inputs.Adopted(agent_id, attempt),
        inputs.OutputSeen(agent_id, attempt, 1000.0),
        inputs.OverMemory(agent_id, attempt),
        inputs.WorkedWhileWaiting(agent_id, attempt),
        inputs.CallerGone(agent_id, RequestId("nobody's")),
    ]
