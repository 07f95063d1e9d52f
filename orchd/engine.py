"""The engine keeps the order: decide, make processes behind their gates, commit once, then act."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from orchd.core.decide import decide
from orchd.core.effects import Effect
from orchd.core.index import forget
from orchd.core.inputs import Input
from orchd.core.model import AgentId, Instant, State
from orchd.core.turn import Question, Turn
from orchd.store import Store, StoredAnswer


class Shell(Protocol):
    """Whoever does what the core asks for."""

    def ask(self, question: Question) -> Input:
        """Answer `question` now, before the commit."""

    def promised(self, effects: Iterable[Effect]) -> list[StoredAnswer]:
        """The replies among `effects` that a repeated request must find again."""

    def do(self, effect: Effect) -> None:
        """Do it, after the commit."""


class Engine:
    """The one writer of the state and of the store."""

    def __init__(self, state: State, store: Store, shell: Shell, clock: Callable[[], Instant]) -> None:
        self.state = state
        self._store = store
        self._shell = shell
        self._clock = clock

    def feed(self, inputs: Iterable[Input]) -> set[AgentId]:
        """Decide all, commit once, then act; the agents that are over now, which memory has let go.

        When the commit fails StoreError is raised and the process must die: memory is ahead of disk.
        """
        turn = Turn(self.state, self._clock())
        for event in inputs:
            decide(turn, event)
            while turn.questions:
                decide(turn, self._shell.ask(turn.questions.pop(0)))
        answers = self._shell.promised(turn.effects)
        if turn.facts or answers:
            self._store.commit(self.state, turn.at.wall, turn.facts, answers)
        for effect in turn.effects:
            self._shell.do(effect)
        touched = {one for fact in turn.facts if (one := getattr(fact, "agent", None)) is not None}
        over = {one for one in touched if self.state.agents[one].is_over}
        forget(self.state, over)
        return over
