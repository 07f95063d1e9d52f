"""The files of a session in its project directory, for people and scripts that read files. Only the daemon writes them.

    .agent/sessions/session-001.yaml   the session and its tasks; `latest.yaml` is a link to the newest session's
    .claude/state/agents.json          the agents of the newest session, an array
    .claude/state/events.jsonl         what happened in all sessions of the directory, one object a line

The first two are replaced as a whole, so no reader ever sees half of one; the last only grows.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchd.core.admission.slots import working
from orchd.core.state.agents import Agent, State
from orchd.core.state.sessions import Session, SessionId
from orchd.instance import projects, yaml_text
from orchd.instance.system import atomic_file as whole
from orchd.instance.system.open_file import append_file, inside, open_file
from orchd.views.agents import iso

VERSION = 1  # of the files: a higher number means that a key has another meaning, or is gone
_EVENTS = "events.jsonl"
_INT64 = 2**63  # what a database can hold
MOST = 10_000  # agents shown: the newest, so that a file of any size is written in milliseconds
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_/.-]*")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files are, in a project directory."""

    sessions: str = ".agent/sessions"
    state: str = ".claude/state"


@dataclass(slots=True)
class Shown:
    """The agents of a session as its files show them, by their numbers."""

    json: dict[int, str] = field(default_factory=dict)
    yaml: dict[int, str] = field(default_factory=dict)
    _fixed: dict[int, tuple[str, str, str]] = field(default_factory=dict)  # what does not change, of those not over

    def enter(self, agents: Iterable[Agent]) -> None:
        """Show these as they are now."""
        for agent in agents:
            number = agent.number
            fixed = self._fixed.get(number) or (
                _fixed_json(agent),
                f"  - name: {_scalar(agent.spec.name)}\n",
                _fixed_yaml(agent),
            )
            self.json[number] = fixed[0] + _changing_json(agent)
            self.yaml[number] = fixed[1] + _changing_yaml(agent) + fixed[2]
            if agent.is_over:
                self._fixed.pop(number, None)
            else:
                self._fixed[number] = fixed
        while len(self.json) > MOST:
            oldest = next(iter(self.json))
            del self.json[oldest], self.yaml[oldest]


class Directory:
    """A project directory that has sessions."""

    def __init__(self, path: str, places: Places) -> None:
        self._path = Path(path)
        self._sessions = Path(places.sessions).parts
        self._state = Path(places.state).parts

    def is_ours(self) -> bool:
        """Whether files may be put here: into a project of this user, where no stranger could have laid links."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        is_root = self._path == self._path.parent
        is_safe = found.st_uid == os.getuid() and not found.st_mode & stat.S_IWOTH and not is_root
        return is_safe and projects.is_project(self._path)

    def last_seq(self, session: SessionId) -> int | None:
        """The number of the session's last event in the file, or of anybody's where none of its own is near the end;
        None when the file has none. Half a line, left by a crash, is cut off."""
        try:
            lines = self._tail()
        except OSError:
            return None
        told = [found for line in lines if (found := _told(line)) is not None]
        own = [seq for one, seq in told if one == session]
        return max(own or (seq for _, seq in told), default=None)

    def _tail(self) -> list[bytes]:
        with inside(self._path, *self._state) as state, os.fdopen(open_file(state / _EVENTS, os.O_RDWR), "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 65_536))
            tail = file.read()
            whole = tail[: tail.rfind(b"\n") + 1]
            if len(whole) < len(tail):
                file.truncate(end - len(tail) + len(whole))
        return whole.splitlines()

    def append(self, events: Iterable[str]) -> None:
        """Write down what happened. Raises OSError."""
        if text := "".join(f"{event}\n" for event in events):
            with _made(self._path, *self._state) as state:
                append_file(state / _EVENTS, text.encode())

    def show(self, session: Session, shown: Shown, state: State, wall: float, *, is_newest: bool) -> None:
        """Write what a session is now. Raises OSError."""
        if is_newest:
            with _made(self._path, *self._state) as directory:
                _replace(directory / "agents.json", f"[{_lines(shown.json)}]\n")
        name = f"{session.id}.yaml"
        with _made(self._path, *self._sessions) as directory:
            _replace(directory / name, _yaml(session, shown, state, wall))
            if is_newest:
                _link(directory / "latest.yaml", name)


def _told(line: bytes) -> tuple[object, int] | None:
    """The session and number of an event; None for what we have not written."""
    try:
        found = json.loads(line)
        session, seq = found["session"], found["seq"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return (session, seq) if type(seq) is int and 0 <= seq < _INT64 else None


def _lines(found: dict[int, str]) -> str:
    return ",\n ".join(found[number] for number in sorted(found))


def _fixed_json(agent: Agent) -> str:
    spec = agent.spec
    shown = {
        "id": agent.id,
        "name": spec.name,
        "skillName": spec.skill,
        "taskId": spec.task_id,
        "goal": spec.goal,
        "level": agent.level.value,
        "parent": agent.parent,
        "run": spec.member.run if spec.member else None,
        "runner": spec.runner,
        "result": spec.result,
    }
    return as_json(shown)[:-1]


def _changing_json(agent: Agent) -> str:
    code = agent.outcome.code if agent.outcome else None
    tokens, known = (agent.spent.tokens, agent.spent.known_cost) if agent.spent else ("null", None)
    cost = "null" if known is None else known
    return (
        f', "status": "{agent.shown_status}", "reason": {as_json({"reason": agent.reason})[11:-1]}'
        f', "attempt": {agent.attempt}, "exitCode": {"null" if code is None else code}'
        f', "spawnedAt": {_time(agent.queued_at)}, "startedAt": {_time(agent.started_at)}'
        f', "endedAt": {_time(agent.ended_at)}, "tokens": {tokens}, "costUsd": {cost}}}'
    )


def _time(wall: float | None) -> str:
    return "null" if wall is None else f'"{iso(wall)}"'


def _yaml(session: Session, shown: Shown, state: State, wall: float) -> str:
    budget = session.budget.reached_by(session.spent)
    head: dict[str, str | float | None] = {
        "session": session.id,
        "version": VERSION,
        "name": session.name,
        "status": "Closed" if session.closed_at is not None else "Open",
        "directory": session.directory,
        "opened_at": iso(session.opened_at),
        "updated_at": iso(wall),
        "limit": state.limit,
        "working": working(state),
        "paused": state.is_paused,
        "tokens": session.spent.tokens,
        "cost_usd": session.spent.cost_usd,
        "budget_reached": budget,
    }
    lines = [f"{key}: {_scalar(value)}\n" for key, value in head.items()]
    tasks = "".join(shown.yaml[number] for number in sorted(shown.yaml))
    return f"{''.join(lines)}tasks:{' []' if not tasks else ''}\n{tasks}"


def _fixed_yaml(agent: Agent) -> str:
    spec = agent.spec
    shown = {
        "id": agent.id,
        "goal": spec.goal,
        "task_id": spec.task_id,
        "skill": spec.skill,
        "parent": agent.parent,
        "result": spec.result,
    }
    return "".join(f"    {key}: {_scalar(value)}\n" for key, value in shown.items())


def _changing_yaml(agent: Agent) -> str:
    return (
        f"    status: {agent.shown_status.capitalize()}\n"
        f"    attempt: {agent.attempt}\n"
        f"    reason: {_scalar(agent.reason)}\n"
        f"    spawned_at: {_time(agent.queued_at)}\n"
        f"    ended_at: {_time(agent.ended_at)}\n"
    )


def _scalar(value: str | float | None) -> str:
    """A value as YAML reads it, in any version. JSON is that too, but for halves of characters; words stay as they are,
    so that a line can be found without a parser."""
    return yaml_text.scalar(value, _PLAIN) if isinstance(value, str) else json.dumps(value)


def as_json(value: Mapping[str, object]) -> str:
    """A map on one line of ASCII. Halves of characters are replaced, which many readers of JSON refuse."""
    made = json.dumps(value)
    return json.dumps(_without_halves(value)) if "\\ud" in made else made


def _without_halves(value: object) -> object:
    if isinstance(value, str):
        return value.translate(yaml_text.HALVES)
    if isinstance(value, Mapping):
        return {key: _without_halves(one) for key, one in value.items()}
    return [_without_halves(one) for one in value] if isinstance(value, list | tuple) else value


@contextmanager
def _made(project: Path, *names: str) -> Iterator[Path]:
    """A path of the directory. A new one is hidden from git: its files change all the time."""
    is_new = not project.joinpath(*names).is_dir()
    with inside(project, *names, create=True) as directory:
        if is_new and not _is_excluded(project, "/".join(names)):
            whole.write(directory / ".gitignore", b"*\n")
        yield directory


def _is_excluded(project: Path, place: str) -> bool:
    """Whether the checkout's own list of ignored files has the directory now."""
    try:
        return projects.exclude(project, (place, projects.RUNS))
    except OSError:
        return False


def _replace(path: Path, text: str) -> None:
    whole.write(path, text.encode(errors="replace"), 0o600)


def _link(path: Path, target: str) -> None:
    with suppress(OSError):
        if path.readlink() == Path(target):
            return
    whole.link(path, target)
