"""The loop: one thread, one poll, one writer. It sleeps until something happens or the core's next deadline."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import ceil

import zmq

from orchd.core.decide import next_deadline
from orchd.core.inputs import Input, Tick
from orchd.core.model import Instant, State
from orchd.engine import Engine
from orchd.environments import Environments
from orchd.gateway import Gateway
from orchd.ports import Ports
from orchd.procs.local import LocalProcesses
from orchd.records import Records
from orchd.shell import Shell
from orchd.store import Store
from orchd.wire import pack_hint


class Loop:
    """Drains all that is ready, feeds it to the engine, and tells who waits."""

    def __init__(
        self,
        *,
        state: State,
        store: Store,
        engine: Engine,
        shell: Shell,
        gateway: Gateway,
        processes: LocalProcesses,
        ports: Ports,
        records: Records,
        environments: Environments,
        clock: Callable[[], Instant],
        wakeup: int,
    ) -> None:
        self._state = state
        self._store = store
        self._engine = engine
        self._shell = shell
        self._gateway = gateway
        self._processes = processes
        self._ports = ports
        self._records = records
        self._environments = environments
        self._clock = clock
        self._wakeup = wakeup
        self._told = store.last_seq()
        self._poller = zmq.Poller()
        for readable in (ports.router, processes.fileno(), gateway.fileno(), wakeup):
            self._poller.register(readable, zmq.POLLIN)

    def run(self) -> None:
        """Serve until somebody wants us to leave and nobody is in the way."""
        while not self._may_leave():
            self._poller.poll(self._patience())
            self._turn()

    def feed(self, events: list[Input]) -> None:
        """Decide `events`, and whatever that brings about at once."""
        while events:
            over = self._engine.feed(events)
            self._gateway.ended(over)
            events = self._shell.backlog
            self._shell.backlog = []
        self._records.let_go()
        self._environments.drop_all_but(self._state.environments)

    def leave(self) -> None:
        """End at the next turn, leaving agents as they are."""
        self._gateway.leaving = True

    def _may_leave(self) -> bool:
        return self._gateway.leaving or (self._state.is_draining and not self._state.living)

    def _patience(self) -> int | None:
        """Milliseconds until the next deadline, rounded up so that it has passed when we look; None without one."""
        due = [moment for moment in (next_deadline(self._state), self._gateway.next_deadline()) if moment is not None]
        return max(0, ceil((min(due) - self._clock().mono) * 1000)) if due else None

    def _turn(self) -> None:
        ready = dict(self._poller.poll(0))
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
        due = next_deadline(self._state)
        events: list[Input] = [*self._processes.news(), *self._gateway.news()]
        if due is not None and due <= self._clock().mono:
            events.append(Tick())
        self._receive(events)
        self.feed(events)
        if (seq := self._store.last_seq()) != self._told:
            self._told = seq
            self._ports.publish(pack_hint(seq))

    def _receive(self, events: list[Input]) -> None:
        def flush() -> None:
            if events:
                self.feed(events[:])
                events.clear()

        for peer, frame in self._ports.requests():
            event = self._gateway.receive(peer, frame, flush)
            if event is not None:
                events.append(event)
