"""The loop: one thread, one poll, one writer. It sleeps until something happens or the core's next deadline."""

from __future__ import annotations

import os
from math import ceil

import zmq

from orchd.core.decide import next_deadline
from orchd.core.inputs import Input, Tick
from orchd.parts import Parts
from orchd.wire import pack_hint

_LONGEST_SLEEP = 86_400.0  # a deadline may be farther away than any timer can count


class Loop:
    """Drains all that is ready, feeds it to the engine, and tells who waits."""

    def __init__(self, parts: Parts, wakeup: int) -> None:
        self._parts = parts
        self._wakeup = wakeup
        self._told = parts.store.last_seq()
        self._poller = zmq.Poller()
        for readable in (parts.ports.router, parts.processes.fileno(), parts.gateway.fileno(), wakeup):
            self._poller.register(readable, zmq.POLLIN)

    def run(self) -> None:
        """Serve until somebody wants us to leave and nobody is in the way."""
        while not self._may_leave():
            self._turn(dict(self._poller.poll(self._patience())))
        self._parts.processes.close()

    def feed(self, events: list[Input]) -> None:
        """Decide `events`, and whatever that brings about at once."""
        while events:
            over = self._parts.engine.feed(events)
            self._parts.gateway.ended(over)
            events = self._parts.shell.backlog
            self._parts.shell.backlog = []
        self._parts.records.let_go()
        self._parts.environments.drop_all_but(self._parts.state.environments)

    def leave(self) -> None:
        """End at the next turn, leaving agents as they are."""
        self._parts.gateway.leaving = True

    def _may_leave(self) -> bool:
        return self._parts.gateway.leaving or (self._parts.state.is_draining and not self._parts.state.living)

    def _patience(self) -> int | None:
        """Milliseconds until the next deadline, rounded up so that it has passed when we look; None without one."""
        deadlines = (next_deadline(self._parts.state), self._parts.gateway.next_deadline())
        due = [moment for moment in deadlines if moment is not None]
        return ceil(min(max(min(due) - self._parts.clock().mono, 0.0), _LONGEST_SLEEP) * 1000) if due else None

    def _turn(self, ready: dict[object, int]) -> None:
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
        due = next_deadline(self._parts.state)
        events: list[Input] = [*self._parts.processes.news(), *self._parts.gateway.news()]
        if due is not None and due <= self._parts.clock().mono:
            events.append(Tick())
        self._receive(events)
        self.feed(events)
        if (seq := self._parts.store.last_seq()) != self._told:
            self._told = seq
            self._parts.ports.publish(pack_hint(seq))

    def _receive(self, events: list[Input]) -> None:
        def flush() -> None:
            if events:
                self.feed(events[:])
                events.clear()

        for peer, frame in self._parts.ports.requests():
            event = self._parts.gateway.receive(peer, frame, flush)
            if event is not None:
                events.append(event)
