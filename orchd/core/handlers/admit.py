"""The start of an attempt: takes a slot and asks for the process. Nothing else admits an agent."""

from __future__ import annotations

from orchd.core.effects import Launch
from orchd.core.state.agents import Agent
from orchd.core.state.events import AttemptAdmitted
from orchd.core.turn import Turn


def admit(turn: Turn, agent: Agent) -> None:
    """Give `agent` a slot and ask for its process."""
    turn.record(AttemptAdmitted(agent.id, agent.attempt + 1))
    turn.ask(Launch(agent.id, agent.attempt))
