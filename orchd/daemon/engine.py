"""The engine and its order: decide, start processes behind their gates, commit once, then act."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from orchd.core.admission.slots import working
from orchd.core.decide import decide
from orchd.core.effects import Effect, Release
from orchd.core.inputs import Input, Spawned, SpawnFailed
from orchd.core.state.agents import AgentId, Instant
from orchd.core.state.events import Event
from orchd.core.state.indexes import forget
from orchd.core.state.state import State
from orchd.core.turn import Question, Turn
from orchd.store.database import Store
from orchd.store.reader import StoredReply

_FEW = 16  # agents that start in one turn, however long it takes, when they are all that can start
_LEAST = 2  # of more than these, as many as a turn starts in any case: the successors of the two that may end in one
SLICE = 0.01  # seconds that a turn goes on launching after these, while requests wait


class Actions(Protocol):
    """Performs what the core requests."""

    def ask(self, question: Question) -> Input:
        """Answer `question` now, before the commit."""

    def promised(self, effects: Iterable[Effect]) -> list[StoredReply]:
        """Return the replies among `effects` that repeated requests must get again."""

    def noted(self, events: Sequence[Event], wall: float) -> None:
        """Take note of committed events, whose agents are still in memory."""

    def do(self, effect: Effect) -> None:
        """Perform an effect, after the commit."""


class Engine:
    """The one writer of the state and of the store."""

    def __init__(self, state: State, store: Store, shell: Actions, clock: Callable[[], Instant]) -> None:
        self.state = state
        self._store = store
        self._shell = shell
        self._clock = clock
        self._begun: tuple[Turn, set[AgentId]] | None = None  # of the turn whose commit is on its way
        self._over: set[AgentId] = set()
        self.has_more = False  # agents may start that the last turn did not launch: feed `Admit`

    def feed(self, inputs: Iterable[Input]) -> None:
        """Decide all, commit once, then act.

        A turn that only opens gates is acted upon when its commit has ended, and the next one may be decided
        meanwhile: no client is informed of either before. When a commit fails StoreError is raised and the process must
        die: memory is ahead of disk.
        """
        turn = Turn(self.state, self._clock())
        turn.launches_left = _LEAST
        for given in inputs:
            decide(turn, given)
            launched = 0
            while turn.questions:  # in order; each answer may cause another question while there is time
                if self._store.commits.has_ended:
                    self.finish()
                answer = self._shell.ask(turn.questions.pop(0))
                launched += isinstance(answer, Spawned | SpawnFailed)
                is_last = not turn.questions and not turn.launches_left
                may_start = min(len(self.state.queue), self.state.limit - working(self.state))
                is_few = launched + may_start <= _FEW  # so few that they need not wait for another turn
                if is_last and (is_few or self._clock().mono - turn.now < SLICE):
                    turn.launches_left = 1
                decide(turn, answer)
        self.has_more = turn.is_cut_short
        self.finish()
        answers = self._shell.promised(turn.effects)
        if turn.events or answers:
            self._store.begin(self.state, turn.at.wall, turn.events, answers)
        touched = {agent for event in turn.events if (agent := getattr(event, "agent", None)) is not None}
        over = {agent for agent in touched if self.state.agents[agent].is_over}
        self._begun = (turn, over)  # as they are now: the next turn may be half decided when they are needed
        if not turn.events or any(type(effect) is not Release for effect in turn.effects):
            self.finish()

    def finish(self) -> None:
        """Return when all decisions are on the disk and performed."""
        if self._begun is None:
            return
        self._store.finish()
        (turn, over), self._begun = self._begun, None
        if turn.events:
            self._shell.noted(turn.events, turn.at.wall)
        for effect in turn.effects:
            self._shell.do(effect)
        forget(self.state, over)
        self._over |= over

    def ended(self) -> set[AgentId]:
        """Return the agents that have ended since the last call: on the disk, and no longer in memory."""
        over, self._over = self._over, set()
        return over

    @property
    def is_ahead(self) -> bool:
        """Return whether a turn is decided and not yet performed."""
        return self._begun is not None
