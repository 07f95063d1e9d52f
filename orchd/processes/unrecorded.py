"""Attempts with files in the home that the database does not know, as after an older copy of it was restored.

Their ids are not reused, and the daemon does not start while any of them runs."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from orchd.core.admission.reasons import listed
from orchd.core.state.agents import AgentId, agent_id
from orchd.core.state.state import State
from orchd.errors import StoreError
from orchd.instance.environment import ENV_AGENT, ENV_HOME
from orchd.instance.home import Home
from orchd.instance.system import locks
from orchd.processes.attempt_files import files_of
from orchd.processes.exit_record import text_of
from orchd.processes.linux.procfs import PROC, all_processes, environment_markers
from orchd.processes.shims.script import parse_record

_FILE = re.compile(r"agent-([0-9]{3,18})\.([0-9]{1,9})\.(?:exit|log|report)")
_LOCK = re.compile(r": FLOCK .*:([0-9]+) [0-9]+ (?:[0-9]+|EOF)$")
_NAMED = 10  # agents of one message
_SECONDS = 5.0  # for a shim to end whose daemon died before it wrote the attempt down, on a busy machine
_PAUSE = 0.02

Begun = Callable[[AgentId], int | None]  # attempts, by the database; None for an agent that it does not have


class _Unrecorded(NamedTuple):
    """An attempt, by the numbers in the names of its files."""

    number: int
    attempt: int


class _AttemptFile(NamedTuple):
    """A file of an attempt; `record` is the inode of an exit record, which all that one shim served share."""

    attempt: _Unrecorded
    record: int | None


def has_attempts(home: Home) -> bool:
    """Return whether the home has files of any attempt."""
    return next(_files(home), None) is not None


def check(home: Home, state: State, begun: Begun, clock: Callable[[], float]) -> None:
    """Set the last number of `state` to at least the highest of which the home has files.

    Raises StoreError while a process of an attempt runs that the database does not know: it would not be counted.
    """
    attempt_files = list(_files(home))
    unknown = sorted({file.attempt for file in attempt_files if _is_unknown(file.attempt, state, begun)})
    living = sorted({*_locked_beside(attempt_files, state), *unknown})
    until = clock() + _SECONDS
    records = {attempt: files_of(home, agent_id(attempt.number), attempt.attempt).record for attempt in living}
    while (living := [attempt for attempt in living if locks.is_locked(records[attempt])]) and clock() < until:
        select.select([], [], [], _PAUSE)
    if living:
        names = listed([f"{agent_id(attempt.number)} (attempt {attempt.attempt})" for attempt in living], _NAMED)
        raise StoreError(
            f"{names} of {home.directory} is running, and {home.database} has no record of it, e.g. because an older "
            "copy was restored: restore the newer database, or end these processes with `orchctl doctor --end-agents`"
        )
    for attempt in unknown:
        files = files_of(home, agent_id(attempt.number), attempt.attempt)
        # else its daemon died before it wrote the attempt down, and its shim has ended by itself
        if parse_record(text_of(files.record), files.name).ran:
            state.last_number = max(state.last_number, attempt.number)


def _locked_beside(files: Iterable[_AttemptFile], state: State) -> Iterator[_Unrecorded]:
    """Yield attempts whose shims hold a lock by /proc/locks, and that `state` does not have as running.

    A shim that served several attempts has one record under all their names: one running attempt accounts for all.
    """
    locked: set[int] = set()
    with suppress(OSError):
        lines = (PROC / "locks").read_text().splitlines()
        locked = {int(match[1]) for line in lines if (match := _LOCK.search(line))}
    by_inode: dict[int, list[_Unrecorded]] = {}
    for file in files:
        if file.record in locked:
            by_inode.setdefault(file.record, []).append(file.attempt)
    for names in by_inode.values():
        agents = [(attempt, state.agents.get(agent_id(attempt.number))) for attempt in names]
        if not any(agent is not None and agent.attempt == attempt.attempt for attempt, agent in agents):
            yield max(names)


def check_marks(home: Home) -> None:
    """Raise StoreError when a process has the environment markers of this home, which was emptied or moved away: what
    still runs would not be counted."""
    markers = {
        pid: marks
        for pid in all_processes()
        if (marks := environment_markers(pid)).get(ENV_HOME) == str(home.directory)
    }
    agents = sorted({marks[ENV_AGENT] for marks in markers.values() if marks.get(ENV_AGENT)})
    if agents:
        raise StoreError(
            f"processes of {listed(agents, _NAMED)} of {home.directory} are running, and this home has no record of "
            "any agent: restore its content, or end them with `orchctl doctor --end-agents`"
        )


def _files(home: Home) -> Iterator[_AttemptFile]:
    with suppress(FileNotFoundError), os.scandir(home.agents) as entries:
        for entry in entries:
            if match := _FILE.fullmatch(entry.name):
                record = entry.inode() if entry.name.endswith(".exit") else None
                yield _AttemptFile(_Unrecorded(int(match[1]), int(match[2])), record)


def _is_unknown(attempt: _Unrecorded, state: State, begun: Begun) -> bool:
    """Return whether the database has no record of the attempt: the agent has begun fewer, or is not in it."""
    if attempt.number > state.last_number:
        return True
    agent = state.agents.get(agent_id(attempt.number))
    if agent is not None or attempt.attempt == 1:  # an agent that has ended has begun one: no query is needed
        return agent is not None and attempt.attempt > agent.attempt
    known = begun(agent_id(attempt.number))
    return known is not None and attempt.attempt > known
