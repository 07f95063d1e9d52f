"""The loop of the daemon: one thread, one poll, one writer; it sleeps until an event or the next deadline."""

from __future__ import annotations

import logging
import os
from itertools import chain
from math import ceil

import zmq

from orchd.core.decide import next_deadline
from orchd.core.inputs import Admit, Input, Tick
from orchd.daemon.presence import Presence
from orchd.daemon.sd_notify import Notifier
from orchd.daemon.wiring import Components
from orchd.errors import ConfigError
from orchd.monitors.disk_space import LOOK_AGAIN
from orchd.protocol.frames import pack_hint
from orchd.views.agents import summary

log = logging.getLogger("orchd")

_LONGEST_SLEEP = 86_400.0  # a deadline may be farther away than any timer can count


class Loop:
    """Reads all ready sources, passes inputs to the engine, and answers waits."""

    def __init__(self, parts: Components, wakeup: int, notify: Notifier, presence: Presence | None = None) -> None:
        self._parts = parts
        self._wakeup = wakeup
        self._notify = notify
        self._presence = presence
        self._deadline: float | None = None
        self._is_to_reload = False
        self._last_hint = parts.context.store.last_seq()
        self._poller = zmq.Poller()
        for readable in (
            parts.ports.fileno(),
            parts.context.processes.fileno(),
            parts.context.processes.logs.fileno(),
            parts.context.waits.fileno(),
            parts.context.store.commits.fileno(),
            wakeup,
        ):
            self._poller.register(readable, zmq.POLLIN)
        if presence is not None:
            self._poller.register(presence.fileno(), zmq.POLLIN)
        self._far: zmq.Socket[bytes] | None = None
        self._far_sockets: list[zmq.Socket[bytes]] = []
        if parts.remote is not None:
            self._poller.register(parts.remote.zap, zmq.POLLIN)

    def run(self) -> None:
        """Serve until a stop is requested and no agent prevents it."""
        self._show()
        context, remote = self._parts.context, self._parts.remote
        while not context.is_leaving and not (context.state.is_draining and not context.state.living):
            # clients of other machines come in by another socket after a key was revoked
            if remote is not None and remote.router is not self._far:
                for old in self._far_sockets:
                    self._poller.unregister(old)
                self._far = remote.router
                self._far_sockets = [far for far in (remote.router, remote.monitor) if far is not None]
                for new in self._far_sockets:
                    self._poller.register(new, zmq.POLLIN)
            self._turn(dict(self._poller.poll(self._patience())))
            self._show()
        self._notify.stopping()
        self.feed([])
        self._parts.shell.stop_all()
        self._parts.scribe.write()
        self._hint()
        self._parts.context.processes.close()

    def feed(self, inputs: list[Input]) -> None:
        """Decide `inputs` and all inputs that follow at once; return when nothing is left to perform."""
        if inputs or self._parts.engine.is_ahead:  # most turns only answer a question
            self._feed_ahead(inputs)
            self._parts.engine.finish()
            self._tidy()
        self._answer_waits()  # also for agents whose commit ended before this

    def _feed_ahead(self, inputs: list[Input]) -> None:
        """Do the same, but the last commit may be unfinished."""
        while inputs:
            self._parts.engine.feed(inputs)
            inputs = self._parts.shell.backlog
            self._parts.shell.backlog = []
        self._answer_waits()

    def _answer_waits(self) -> None:
        """Answer the waits for agents that have ended."""
        while over := self._parts.engine.ended():
            self._parts.dispatcher.ended(over, self._parts.engine.finish)

    def _tidy(self) -> None:
        """Drop what no unfinished agent needs from memory and from the home."""
        self._parts.context.records.let_go()
        self._parts.context.environments.drop_all_but(self._parts.context.state.environments)
        self._parts.context.given.inputs.tidy()

    def leave(self) -> None:
        """End at the next turn, leaving agents as they are."""
        self._parts.context.is_leaving = True

    def reload(self) -> None:
        """Read the configuration again at the next turn."""
        self._is_to_reload = True

    def _patience(self) -> int | None:
        """Return milliseconds until the next deadline, rounded up so that the poll ends after it; None without any."""
        parts = self._parts
        now = parts.context.clock().mono
        again = now + LOOK_AGAIN if parts.context.state.has_disk_pressure and len(parts.context.state.queue) else None
        deadlines = (
            again,
            next_deadline(parts.context.state),
            parts.context.waits.next_deadline(),
            parts.scribe.next_deadline(),
        )
        self._deadline = min((moment for moment in deadlines if moment is not None), default=None)
        processes = parts.context.processes
        if parts.engine.has_more or parts.shell.has_more:
            return 0
        alarms = (
            self._deadline,
            self._notify.next_deadline(),
            processes.next_deadline(),
            processes.logs.next_deadline(),
            parts.parked.next_deadline(),
            parts.borrowers.next_deadline(),
            parts.context.pruner.next_deadline(),
        )
        due = min((moment for moment in alarms if moment is not None), default=None)
        if due is None:
            return None
        return ceil(min(max(due - now, 0.0), _LONGEST_SLEEP) * 1000)

    def _turn(self, ready: dict[object, int]) -> None:
        """Read the sources that are ready, decide once, and perform what follows."""
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
            self._heed_signals()
        if self._presence is not None and self._presence.fileno() in ready and not self._presence.keep():
            self.leave()
        if self._parts.context.store.commits.fileno() in ready:
            self._parts.engine.finish()
            self._parts.context.store.finish()
        disk_space = self._parts.space.look(has_disk_pressure=self._parts.context.state.has_disk_pressure)
        inputs: list[Input] = [*([disk_space] if disk_space else [])]
        inputs += self._parts.borrowers.look()  # before the news: of an attempt that has ended nothing can be seen
        inputs += [*self._parts.context.processes.news(), *self._parts.parked.look()]
        if self._parts.remote is not None:
            self._parts.remote.see(ready)
        is_due = self._deadline is not None and self._deadline <= self._parts.context.clock().mono
        heard = (self._parts.ports.fileno(), self._parts.context.waits.fileno(), self._far)
        if is_due or any(source in ready for source in heard):
            self._listen(inputs, is_due=is_due)
            inputs = []
        # the input for the next slice of a large fleet: between two slices requests are answered
        inputs += [Admit()] if self._parts.engine.has_more else []
        self._feed_ahead(inputs)  # inputs that are only about processes need not wait for the disk
        files_due = self._parts.scribe.next_deadline() if is_due else None
        if files_due is not None and files_due <= self._parts.context.clock().mono:
            self._parts.engine.finish()  # no file shows what is not on the disk
            self._parts.scribe.write()
        self._parts.shell.next_turn()
        if not self._parts.engine.is_ahead:
            self._tidy()
        self._parts.context.processes.rest()
        self._parts.context.processes.logs.look()
        self._prune()
        self._hint()

    def _prune(self) -> None:
        """Prune a slice of the history, when no commit is unfinished."""
        parts = self._parts
        if parts.context.pruner.is_due():
            parts.engine.finish()
            self._answer_waits()  # answered waits keep no agent in memory
            if not parts.context.store.commits.is_pending:
                self._tidy()
                parts.dispatcher.prune(parts.context.waits.targets())

    def _show(self) -> None:
        """Send the service manager the watchdog signal and the slots in use."""
        if self._notify.is_wanted:
            now = self._parts.context.clock().mono
            self._notify.live(now)
            self._notify.status(summary(self._parts.context.state), now)

    def _heed_signals(self) -> None:
        """Handle signals; requests to stop take effect at the end of the turn."""
        if not self._is_to_reload:
            return
        self._is_to_reload = False
        self._parts.engine.finish()  # files of sessions may move, and show nothing that is not on the disk
        try:
            self._parts.settings.reload()
            self.feed([self._parts.settings.limits()])
        except ConfigError as error:
            log.error("%s; no setting was changed", error)  # noqa: TRY400 - the trace says nothing to a person

    def _hint(self) -> None:
        """Publish that there are new events."""
        if (seq := self._parts.context.store.last_seq()) != self._last_hint:
            self._last_hint = seq
            self._parts.ports.publish(pack_hint(seq))
            self._parts.context.subscribers.publish(pack_hint(seq))

    def _listen(self, inputs: list[Input], *, is_due: bool) -> None:
        """Perform a turn in which clients may get replies: all earlier decisions are on the disk before."""
        self.feed(inputs)
        inputs = self._parts.dispatcher.news()
        if is_due:
            inputs.append(Tick())
        remote = self._parts.remote
        for peer, frame in chain(self._parts.ports.requests(), remote.requests() if remote else ()):
            if self._parts.context.is_leaving:
                break  # the agents in the reply to the client are still alive: the next daemon takes the other requests
            if (call := self._parts.dispatcher.accept(peer, frame)) is None:
                continue
            if inputs:  # a call is performed on what was decided before it
                self.feed(inputs[:])
                inputs.clear()
            if (given := self._parts.dispatcher.handle(call)) is not None:
                inputs.append(given)
        inputs += self._parts.context.waits.disconnected(self._parts.ports.ended())
        self.feed(inputs)
