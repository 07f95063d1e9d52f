"""The writer of session files: writes soon after events, and always before a client learns of an end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from orchd.core.state.agents import Agent, AgentId, Instant, number_of
from orchd.core.state.events import Event
from orchd.core.state.sessions import Session, SessionId, number_of_session
from orchd.core.state.state import State
from orchd.session_files.directory import MOST, Directory, RenderedAgents, SessionFilePaths
from orchd.session_files.texts import as_json
from orchd.store.codec import describe, event_name
from orchd.store.database import Store
from orchd.store.reader import StoredFact
from orchd.store.rows import session_of
from orchd.views import agents as views

log = logging.getLogger("orchd")

PAUSE = 0.2  # seconds between two writes that no client waits for
_SHARE = 20  # writing takes at most a twentieth of the time, however large the files are
_RECENT = 5_000  # events that a daemon that died may not have written into files yet
_KEPT = 5_000  # agents that are kept ready to be shown, of sessions in which nothing is going on


@dataclass(slots=True)
class _News:
    """What the files of a session do not show yet."""

    session: Session
    events: list[StoredFact] = field(default_factory=list)
    agents: dict[AgentId, Agent] = field(default_factory=dict)


class SessionFileWriter:
    """Writes session files from committed events. An error is logged once per directory; the next write tries again."""

    def __init__(
        self, state: State, store: Store, clock: Callable[[], Instant], places: SessionFilePaths | None = None
    ) -> None:
        self._state = state
        self._store = store
        self._clock = clock
        self._places = places  # None: no files are wanted
        self._news: dict[SessionId, _News] = {}
        self._shown: dict[SessionId, RenderedAgents] = {}
        self._newest: dict[str, SessionId] = {}
        self._failed: set[str] = set()
        self._has_end = False
        self._due: float | None = None
        self._rest_until = 0.0

    def note(self, events: Sequence[Event], wall: float) -> None:
        """Record events that are on the disk now, the last of all events."""
        if self._places is None:
            return
        first = self._store.last_seq() - len(events) + 1
        for seq, event in enumerate(events, first):
            session = session_of(self._state, event)
            if session is None:
                continue
            news = self._news.get(session)
            if news is None:
                news = self._news[session] = _News(self._state.sessions[session])
            # A session that was dropped with its last agent, and recalled to be closed, is another object now.
            news.session = self._state.sessions.get(session, news.session)
            agent_id: AgentId | None = getattr(event, "agent", None)
            number = number_of(agent_id) if agent_id else None
            news.events.append(StoredFact(seq, wall, event_name(event), number, describe(event)))
            if agent_id is not None:
                news.agents[agent_id] = agent = self._state.agents[agent_id]
                self._has_end = self._has_end or agent.is_over
        if self._news and self._due is None:
            self._due = max(self._clock().mono, self._rest_until)

    def next_deadline(self) -> float | None:
        """Return when to write what no client waits for; None while nothing is new."""
        return self._due

    def before_reply(self) -> None:
        """Write the files before a client gets a reply, if an agent has ended since."""
        if self._has_end:
            self.write()

    def write(self) -> None:
        """Bring all files up to date."""
        began = self._clock().mono
        pending, self._news = self._news, {}
        self._has_end, self._due = False, None
        for news in pending.values():
            self._write(news)
        # Rendered agents of idle sessions are dropped beyond the number that is likely to be shown again soon.
        idle = [session_id for session_id in self._shown if session_id not in self._state.in_sessions]
        kept = sum(len(self._shown[session_id].json) for session_id in idle)
        for session_id in idle:
            if kept <= _KEPT:
                break
            kept -= len(self._shown.pop(session_id).json)
        ended = self._clock().mono
        self._rest_until = ended + max(PAUSE, _SHARE * (ended - began))

    def move(self, places: SessionFilePaths | None) -> None:
        """Write to other paths from now on, or to none; what is new is still written to the old ones."""
        if places == self._places:
            return
        self.write()
        self._places = places
        self._failed.clear()
        self.catch_up()

    def catch_up(self) -> None:
        """Write what the files lack after the death of a daemon, or a move."""
        if self._places is None:
            return
        recent = self._store.sessions_since(self._store.last_seq() - _RECENT)
        for session_id in sorted({*recent, *self._state.in_sessions}):
            session = self._state.sessions.get(session_id) or self._store.session(session_id)
            if session is not None:
                directory = self._directory(session)
                last_seq = directory.last_seq(session.id) if directory.is_ours() else None
                since = max(last_seq or 0, self._store.last_seq() - 10 * _RECENT)
                self._news.setdefault(session_id, _News(session)).events = self._store.events_of(session.id, since)
        self.write()

    def _directory(self, session: Session) -> Directory:
        return Directory(session.directory, self._places or SessionFilePaths())

    def _write(self, news: _News) -> None:
        """Write the files of a session."""
        session = news.session
        directory = self._directory(session)
        if not directory.is_ours():
            return
        if (agents := self._shown.get(session.id)) is None:
            agents = self._shown[session.id] = RenderedAgents()
            numbers = self._store.in_session(session.id, None, MOST)
            stored: Iterable[Agent] = self._store.agents(numbers)
            agents.enter(self._state.agents.get(agent.id, agent) for agent in stored)
        agents.enter(news.agents.values())
        try:
            directory.append(as_json({"session": session.id, **views.event_map(event)}) for event in news.events)
            newest = self._newest.get(session.directory)
            if newest is None or number_of_session(newest) < number_of_session(session.id):
                sessions = self._store.sessions(None, 1, session.directory)
                newest = self._newest[session.directory] = sessions[0].id if sessions else session.id
            is_newest = newest == session.id
            directory.show(session, agents, self._state, self._clock().wall, is_newest=is_newest)
        except OSError as error:
            if session.directory not in self._failed:
                log.warning("cannot write the session files in %s: %s", session.directory, error)
            self._failed.add(session.directory)
        else:
            self._failed.discard(session.directory)
