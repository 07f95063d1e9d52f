"""The shell does what the core asks: one function an effect, in one table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchd.core import effects
from orchd.core.effects import Effect, Launch
from orchd.core.inputs import Input, OutputSeen
from orchd.core.state.agents import Instant, State
from orchd.core.state.events import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentLost,
    AgentQueued,
    AgentRevived,
    AgentSkipped,
    AgentTimedOut,
    Event,
)
from orchd.core.turn import Question
from orchd.daemon.engine import SLICE
from orchd.processes.local import LocalProcesses
from orchd.server.dispatcher import Dispatcher
from orchd.session_files.writer import SessionFileWriter
from orchd.store.reader import StoredReply
from orchd.store.spawn_inputs import SpawnInputs

_ENDS = AgentCompleted | AgentFailed | AgentCancelled | AgentTimedOut | AgentLost | AgentSkipped


class Performer:
    """Hands effects to the processes and to the dispatcher; what they bring about at once waits in `backlog`."""

    def __init__(
        self,
        state: State,
        processes: LocalProcesses,
        dispatcher: Dispatcher,
        scribe: SessionFileWriter,
        given: SpawnInputs,
        clock: Callable[[], Instant],
    ) -> None:
        self._state = state
        self._clock = clock
        self._stops: deque[effects.Terminate | effects.Kill] = deque()
        self._stopped_for = 0.0  # seconds of this turn that went into ending trees
        self._processes = processes
        self._dispatcher = dispatcher
        self._scribe = scribe
        self._given = given
        self.backlog: list[Input] = []

    def ask(self, question: Question) -> Input:
        """Make a process, or look when one was last heard."""
        if isinstance(question, Launch):
            return self._processes.start(self._state.agents[question.agent])
        ago = self._processes.quiet_for(question.agent, question.attempt)
        return OutputSeen(question.agent, question.attempt, ago)

    def promised(self, wanted: Iterable[Effect]) -> list[StoredReply]:
        """The replies that must survive us."""
        return self._dispatcher.replies_to_store(wanted)

    def noted(self, events: Sequence[Event], wall: float) -> None:
        """Something happened, and may be shown."""
        self._scribe.note(events, wall)
        agents = self._state.agents  # what agents were given follows them
        self._given.began(agents[event.agent] for event in events if isinstance(event, AgentQueued | AgentRevived))
        self._given.ended(agents[event.agent] for event in events if isinstance(event, _ENDS))

    def do(self, effect: Effect) -> None:
        """Perform one effect."""
        PERFORM[type(effect)](self, effect)

    def release(self, effect: effects.Release) -> None:
        """Open a gate."""
        self._processes.release(effect.agent, effect.attempt)

    def stop(self, effect: effects.Terminate | effects.Kill) -> None:
        """Ask a tree to end, or end it: in this turn, or in one of the next when there are many. A daemon that dies
        before that leaves agents that are `stopping`, and the next one ends them."""
        self._stops.append(effect)
        self._stop_some()

    def _stop_some(self) -> None:
        while self._stops and self._stopped_for < SLICE:
            effect, began = self._stops.popleft(), self._clock().mono
            self._processes.stop(effect.agent, effect.attempt, kill=isinstance(effect, effects.Kill))
            self._stopped_for += self._clock().mono - began

    @property
    def has_more(self) -> bool:
        """Whether trees are still to be ended that were to end in an earlier turn."""
        return bool(self._stops)

    def next_turn(self) -> None:
        """Go on with what the turn before left."""
        self._stopped_for = 0.0
        self._stop_some()

    def stop_all(self) -> None:
        """Leave nothing to a later turn."""
        while self._stops:
            self.next_turn()

    def hold(self, effect: effects.Freeze | effects.Thaw) -> None:
        """Keep a tree from running, or let it run."""
        act = self._processes.freeze if isinstance(effect, effects.Freeze) else self._processes.thaw
        act(effect.agent, effect.attempt)

    def watch(self, effect: effects.WatchCaller) -> None:
        """Watch a client that is blocked."""
        if (gone := self._dispatcher.watch(effect.agent, effect.request)) is not None:
            self.backlog.append(gone)

    def reply(self, effect: effects.Answer | effects.Refuse) -> None:
        """Tell whoever asked."""
        self._dispatcher.perform(effect)


PERFORM: dict[type, Callable[[Performer, Any], None]] = {
    effects.Release: Performer.release,
    effects.Terminate: Performer.stop,
    effects.Kill: Performer.stop,
    effects.Freeze: Performer.hold,
    effects.Thaw: Performer.hold,
    effects.WatchCaller: Performer.watch,
    effects.Answer: Performer.reply,
    effects.Refuse: Performer.reply,
}
