"""The files of a session in its project directory, for people and scripts. Only the daemon writes them.

    .agent/sessions/session-001.yaml   the session and its tasks; `latest.yaml` is a link to the newest session's
    .claude/state/agents.json          the agents of the newest session, an array
    .claude/state/events.jsonl         what happened in all sessions of the directory, one object a line

The first two are replaced atomically, so no reader sees half a file; the last only grows.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchd.core.state.agents import Agent
from orchd.core.state.sessions import Session, SessionId
from orchd.core.state.state import State
from orchd.instance import projects
from orchd.instance.system import atomic_file as whole
from orchd.instance.system.open_file import append_file, inside, open_file
from orchd.session_files.texts import changing_json, changing_yaml, fixed_json, fixed_yaml, scalar, session_yaml

_EVENTS = "events.jsonl"
_INT64 = 2**63  # what a database can hold
MOST = 10_000  # agents shown: the newest, so that a file of any size is written in milliseconds


@dataclass(frozen=True, slots=True)
class SessionFilePaths:
    """The paths of the session files, relative to a project directory."""

    sessions: str = ".agent/sessions"
    state: str = ".claude/state"


@dataclass(slots=True)
class RenderedAgents:
    """The agents of a session as text for its files, by their numbers."""

    json: dict[int, str] = field(default_factory=dict)
    yaml: dict[int, str] = field(default_factory=dict)
    _fixed: dict[int, tuple[str, str, str]] = field(default_factory=dict)  # what never changes, of unfinished agents

    def enter(self, agents: Iterable[Agent]) -> None:
        """Render agents as they are now."""
        for agent in agents:
            number = agent.number
            fixed = self._fixed.get(number) or (
                fixed_json(agent),
                f"  - name: {scalar(agent.spec.name)}\n",
                fixed_yaml(agent),
            )
            self.json[number] = fixed[0] + changing_json(agent)
            self.yaml[number] = fixed[1] + changing_yaml(agent) + fixed[2]
            if agent.is_over:
                self._fixed.pop(number, None)
            else:
                self._fixed[number] = fixed
        while len(self.json) > MOST:
            oldest = next(iter(self.json))
            del self.json[oldest], self.yaml[oldest]


class Directory:
    """A project directory that has sessions."""

    def __init__(self, path: str, places: SessionFilePaths) -> None:
        self._path = Path(path)
        self._sessions = Path(places.sessions).parts
        self._state = Path(places.state).parts

    def is_ours(self) -> bool:
        """Whether files may be written here: in a project of this user, where no other user can have placed links."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        is_root = self._path == self._path.parent
        is_safe = status.st_uid == os.getuid() and not status.st_mode & stat.S_IWOTH and not is_root
        return is_safe and projects.is_project(self._path)

    def last_seq(self, session: SessionId) -> int | None:
        """Return the number of the session's last event in the file; the last number of any session where no event of
        its own is near the end; None when the file has no event. Cuts off half a line, left by a crash."""
        try:
            with (
                inside(self._path, *self._state) as state,
                os.fdopen(open_file(state / _EVENTS, os.O_RDWR), "r+b") as file,
            ):
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 65_536))
                tail = file.read()
                lines = tail[: tail.rfind(b"\n") + 1]
                if len(lines) < len(tail):
                    file.truncate(end - len(tail) + len(lines))
        except OSError:
            return None
        entries = [entry for line in lines.splitlines() if (entry := _parsed(line)) is not None]
        own = [seq for owner, seq in entries if owner == session]
        return max(own or (seq for _, seq in entries), default=None)

    def append(self, events: Iterable[str]) -> None:
        """Append events to the file. Raises OSError."""
        if text := "".join(f"{event}\n" for event in events):
            with _directory_in(self._path, *self._state) as state:
                append_file(state / _EVENTS, text.encode())

    def show(self, session: Session, agents: RenderedAgents, state: State, wall: float, *, is_newest: bool) -> None:
        """Write the files of a session as it is now. Raises OSError."""
        if is_newest:
            with _directory_in(self._path, *self._state) as directory:
                lines = ",\n ".join(agents.json[number] for number in sorted(agents.json))
                _replace(directory / "agents.json", f"[{lines}]\n")
        name = f"{session.id}.yaml"
        with _directory_in(self._path, *self._sessions) as directory:
            _replace(directory / name, session_yaml(session, agents.yaml, state, wall))
            if is_newest:
                path = directory / "latest.yaml"
                with suppress(OSError):
                    if path.readlink() == Path(name):
                        return
                whole.link(path, name)


def _parsed(line: bytes) -> tuple[object, int] | None:
    """Return the session and number of an event; None for a line that the daemon did not write."""
    try:
        fields = json.loads(line)
        session, seq = fields["session"], fields["seq"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return (session, seq) if type(seq) is int and 0 <= seq < _INT64 else None


@contextmanager
def _directory_in(project: Path, *names: str) -> Iterator[Path]:
    """Yield a directory of the project, created if missing. A new one is hidden from git: its files change all the
    time."""
    is_new = not project.joinpath(*names).is_dir()
    with inside(project, *names, create=True) as directory:
        if is_new:
            try:  # the checkout's own list of ignored files is enough, where it can be written
                is_excluded = projects.exclude(project, ("/".join(names), projects.RUNS))
            except OSError:
                is_excluded = False
            if not is_excluded:
                whole.write(directory / ".gitignore", b"*\n")
        yield directory


def _replace(path: Path, text: str) -> None:
    whole.write(path, text.encode(errors="replace"), 0o600)
