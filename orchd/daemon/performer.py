"""Performs the effects of the core: one function for each kind of effect, in one table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchd.core import effects
from orchd.core.effects import Effect, Launch
from orchd.core.inputs import Input, OutputSeen
from orchd.core.state.agents import Instant
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
from orchd.core.state.state import State
from orchd.core.turn import Question
from orchd.daemon.engine import SLICE
from orchd.processes.local import LocalProcesses
from orchd.server.dispatcher import Dispatcher
from orchd.session_files.writer import SessionFileWriter
from orchd.store.reader import StoredReply
from orchd.store.spawn_inputs import SpawnInputs

_ENDS = AgentCompleted | AgentFailed | AgentCancelled | AgentTimedOut | AgentLost | AgentSkipped


class Performer:
    """Passes effects to processes and dispatcher; inputs that follow at once are in `backlog`."""

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
        """Start a process, or return when an agent last wrote output."""
        if isinstance(question, Launch):
            return self._processes.start(self._state.agents[question.agent])
        ago = self._processes.quiet_for(question.agent, question.attempt)
        return OutputSeen(question.agent, question.attempt, ago)

    def promised(self, wanted: Iterable[Effect]) -> list[StoredReply]:
        """Return the replies that must survive a restart."""
        return self._dispatcher.replies_to_store(wanted)

    def noted(self, events: Sequence[Event], wall: float) -> None:
        """Pass committed events to the session files, and keep what queued agents were given."""
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
        """Terminate or kill a tree: in this turn, or in a later turn when there are many. A daemon that dies
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
        """Return whether trees of an earlier turn are still to be ended."""
        return bool(self._stops)

    def next_turn(self) -> None:
        """Perform a slice of what the last turn left."""
        self._stopped_for = 0.0
        self._stop_some()

    def stop_all(self) -> None:
        """End all trees that are still to be ended."""
        while self._stops:
            self.next_turn()

    def hold(self, effect: effects.Freeze | effects.Thaw) -> None:
        """Freeze or thaw a tree."""
        act = self._processes.freeze if isinstance(effect, effects.Freeze) else self._processes.thaw
        act(effect.agent, effect.attempt)

    def watch(self, effect: effects.WatchCaller) -> None:
        """Watch the process of a blocked client; its end is an input."""
        if (disconnected := self._dispatcher.watch(effect.agent, effect.request)) is not None:
            self.backlog.append(disconnected)

    def reply(self, effect: effects.Answer | effects.Refuse) -> None:
        """Send the reply to a request."""
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
