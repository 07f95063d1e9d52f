"""The shell does what the core asks: one function an effect, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchd.core import effects
from orchd.core.effects import Effect, Launch
from orchd.core.facts import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentLost,
    AgentQueued,
    AgentRevived,
    AgentSkipped,
    AgentTimedOut,
    Fact,
)
from orchd.core.inputs import Heard, Input
from orchd.core.model import State
from orchd.core.turn import Question
from orchd.gateway import Gateway
from orchd.given import Given
from orchd.procs.local import LocalProcesses
from orchd.reading import StoredAnswer
from orchd.scribe import Scribe

_ENDS = AgentCompleted | AgentFailed | AgentCancelled | AgentTimedOut | AgentLost | AgentSkipped


class Shell:
    """Hands effects to the processes and to the gateway; what they bring about at once waits in `backlog`."""

    def __init__(self, state: State, processes: LocalProcesses, gateway: Gateway, scribe: Scribe) -> None:
        self._state = state
        self._processes = processes
        self._gateway = gateway
        self._scribe = scribe
        self.backlog: list[Input] = []
        self.given: Given | None = None

    def ask(self, question: Question) -> Input:
        """Make a process, or look when one was last heard."""
        if isinstance(question, Launch):
            return self._processes.start(self._state.agents[question.agent])
        ago = self._processes.quiet_for(question.agent, question.attempt)
        return Heard(question.agent, question.attempt, ago)

    def promised(self, wanted: Iterable[Effect]) -> list[StoredAnswer]:
        """The replies that must survive us."""
        return self._gateway.promised(wanted)

    def noted(self, facts: Sequence[Fact], wall: float) -> None:
        """Something happened, and may be shown."""
        self._scribe.note(facts, wall)
        if self.given is not None:
            self._give(self.given, facts)

    def _give(self, given: Given, facts: Sequence[Fact]) -> None:
        """What agents were given follows them."""
        agents = self._state.agents
        given.began(agents[fact.agent] for fact in facts if isinstance(fact, AgentQueued | AgentRevived))
        given.ended(agents[fact.agent] for fact in facts if isinstance(fact, _ENDS))

    def do(self, effect: Effect) -> None:
        """Perform one effect."""
        PERFORM[type(effect)](self, effect)

    def release(self, effect: effects.Release) -> None:
        """Open a gate."""
        self._processes.release(effect.agent, effect.attempt)

    def stop(self, effect: effects.Terminate | effects.Kill) -> None:
        """Ask a tree to end, or end it."""
        self._processes.stop(effect.agent, effect.attempt, kill=isinstance(effect, effects.Kill))

    def watch(self, effect: effects.Watch) -> None:
        """Watch a client that is blocked."""
        if (gone := self._gateway.waits.watch(effect.agent, effect.request)) is not None:
            self.backlog.append(gone)

    def reply(self, effect: effects.Answer | effects.Refuse) -> None:
        """Tell whoever asked."""
        self._gateway.do(effect)


PERFORM: dict[type, Callable[[Shell, Any], None]] = {
    effects.Release: Shell.release,
    effects.Terminate: Shell.stop,
    effects.Kill: Shell.stop,
    effects.Watch: Shell.watch,
    effects.Answer: Shell.reply,
    effects.Refuse: Shell.reply,
}
