"""News that tells nothing: of attempts that are over, and of agents that never were."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.state.agents import AgentId, Outcome, RequestId


def stale(one: AgentId, attempt: int) -> list[inputs.Input]:
    """All that may still come of an attempt whose process is gone."""
    return [
        inputs.Exited(one, attempt, Outcome(0), is_tree_gone=True),
        inputs.Exited(one, attempt, Outcome(1), is_tree_gone=False),
        inputs.TreeGone(one, attempt),
        inputs.NeverRan(one, attempt),
        inputs.Adopted(one, attempt),
        inputs.OutputSeen(one, attempt, 1000.0),
        inputs.OverMemory(one, attempt),
        inputs.WorkedWhileWaiting(one, attempt),
        inputs.CallerGone(one, RequestId("nobody's")),
    ]
