"""A turn: the decision of one input. It records events, which change the state at once, and collects effects."""

from __future__ import annotations

from collections.abc import Mapping

from orchd.core.effects import Answer, CheckOutput, Effect, Launch, Refuse
from orchd.core.state.agents import Agent, AgentId, Instant, RequestId
from orchd.core.state.apply import apply
from orchd.core.state.events import Event
from orchd.core.state.state import State

Question = Launch | CheckOutput


class Turn:
    """The events and effects of one batch of inputs."""

    def __init__(self, state: State, at: Instant) -> None:
        self.state = state
        self.at = at
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.questions: list[Question] = []
        self.ended: list[Agent] = []  # whose consequences are still to be drawn
        self.launches_left: int | None = None  # how many more attempts may start in this turn; None: any number
        self.is_cut_short = False  # agents may start for which this turn has no launch left: `Admit` starts the next

    @property
    def now(self) -> float:
        """The time of this turn on the monotonic clock."""
        return self.at.mono

    def record(self, event: Event) -> None:
        """Apply `event` and keep it for the store."""
        apply(self.state, event, self.at)
        self.events.append(event)
        agent = self.state.agents.get(getattr(event, "agent", AgentId("")))
        if agent is not None and agent.is_over:
            self.ended.append(agent)

    def do(self, effect: Effect) -> None:
        """Ask the shell for `effect`, after the commit."""
        self.effects.append(effect)

    def ask(self, question: Question) -> None:
        """Ask the shell for `question`, before the commit; its answer is the next input."""
        self.questions.append(question)

    def may_launch(self) -> bool:
        """Whether one more attempt may start in this turn; if so it is counted."""
        self.is_cut_short = self.launches_left == 0
        if self.launches_left:
            self.launches_left -= 1
        return not self.is_cut_short

    def answer(self, request: RequestId, *agents: AgentId, timed_out: bool = False) -> None:
        """Reply to `request`."""
        self.do(Answer(request, agents, timed_out))

    def answer_of(self, request: RequestId, subject: str) -> None:
        """Reply to `request` with a session or run."""
        self.do(Answer(request, subject=subject))

    def refuse(self, request: RequestId, code: str, message: str, details: Mapping[str, object] | None = None) -> None:
        """Reply to `request` with an error."""
        self.do(Refuse(request, code, message, details or {}))

    def current(self, agent: AgentId, attempt: int) -> Agent | None:
        """Return the agent if `attempt` is its current one, else None: news of an older attempt is stale."""
        current = self.state.agents.get(agent)
        return current if current is not None and current.attempt == attempt and agent in self.state.living else None
