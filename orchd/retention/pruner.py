"""Pruning: finished trees and runs leave the history, oldest first, in slices between which requests are served.

It runs only when the daemon is awake anyway: it never wakes an idle daemon. Agents that others refer to stay.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from orchd.core.state.agents import Agent, AgentId, Instant, RequestId, agent_id, number_of
from orchd.core.state.state import State
from orchd.instance.config import Config
from orchd.instance.home import Home
from orchd.protocol import operations
from orchd.store.database import Store
from orchd.store.pruning import PrunedAgent
from orchd.views.registry import AgentRegistry

log = logging.getLogger("orchd")

PIECE = 512  # attempts whose rows leave in one transaction: some five milliseconds
_PAGE = 64  # roots that are read at once
SLICE = 0.005  # seconds for which files are measured or deleted at once
_ENTRIES = 64  # of the directory, between two readings of the clock
_SLACK = 64  # a bound is passed by a sixty-fourth of it before anything is deleted, so that it is done in batches
_USUAL_BYTES = 10 << 30
_OF_SMALL = 10  # of a small disk, a tenth


@dataclass(slots=True)
class PruneJob:
    """What to keep, and what was deleted so far."""

    before: float | None  # wall: trees that ended earlier go
    keep: int | None  # finished agents
    room: int | None  # bytes of their logs
    request: RequestId | None = None  # None: the configuration asks for it
    is_dry: bool = False
    agents: int = 0
    runs: int = 0
    freed: int = 0
    is_chosen: bool = False  # whether all trees that it deletes are chosen
    at_start: tuple[int, int] = (0, 0)  # agents and bytes, when it was begun
    stuck: tuple[int, int] = (0, 0)  # agents and bytes, where that is as few as there can be
    oldest: float | None = None  # wall: when the first tree that stays ended, or was queued


class PrunedFiles(Protocol):
    """The files that attempts leave behind."""

    left: int  # bytes, of all attempts that have ended so far

    def room_of(self, agent: AgentId, attempts: int) -> int:
        """Return the bytes that the attempts of an agent take."""

    def discard(self, agent: AgentId, attempt: int) -> None:
        """Delete all files of an attempt."""


class Pruner:
    """Deletes finished agents and runs from the history, by the configuration that `reconfigure` sets."""

    def __init__(
        self,
        home: Home,
        state: State,
        store: Store,
        records: AgentRegistry,
        files: PrunedFiles,
        clock: Callable[[], Instant],
        forget: Callable[[AgentId], None],
    ) -> None:
        self._home = home
        self._state = state
        self._store = store
        self._records = records
        self._files = files
        self._clock = clock
        self._forget = forget  # deletes what else is kept of an agent
        self._results: list[tuple[RequestId, dict[str, object]]] = []
        self._jobs: deque[PruneJob] = deque()
        self._after = 0  # the root up to which the first job has examined the history
        self._going: deque[PrunedAgent] = deque(store.leaving())  # chosen agents, with all their rows or some of them
        self._chosen: list[Agent] = []  # chosen agents whose rows are all there
        self._gone: deque[PrunedAgent] = deque()  # agents whose rows are gone, and whose files are not
        self._is_measuring = True
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._measured = 0  # bytes of all files measured so far, less `left` of the files at that time
        self._stuck = (0, 0)  # agents and bytes that could not be brought under their bound
        self._age_due: float | None = None
        records.leaving.update(agent_id(agent.number) for agent in self._going)

    def reconfigure(self, config: Config) -> None:
        """Use this configuration from now on."""
        self._config = config
        disk = os.statvfs(self._home.directory)
        usual = min(_USUAL_BYTES, disk.f_blocks * disk.f_frsize // _OF_SMALL)
        self._most_bytes = usual if config.keep_bytes is None else config.keep_bytes
        self._stuck = (0, 0)
        self._age_due = 0.0 if config.keep_age is not None else None

    def ask(self, request: RequestId, given: operations.Prune) -> None:
        """Queue a request to prune now, by the bounds of the request or of the configuration."""
        job = self._configured()
        if given.older_than is not None or given.keep is not None:
            age = given.older_than
            job = PruneJob(None if age is None else self._clock().wall - age, given.keep, None)
        job.request, job.is_dry = request, given.dry_run
        self._jobs.append(job)

    def asked(self) -> list[RequestId]:
        """Return the requests that are not answered yet."""
        return [job.request for job in self._jobs if job.request is not None]

    def is_due(self) -> bool:
        """Whether a slice is to be done now."""
        if self._gone or self._going or self._is_measuring or self._jobs:
            return True
        # A bound of the configuration must be exceeded by more than the slack.
        over, most, age = self._over(), self._config.keep_count, self._config.keep_age
        is_due = over > max(most, self._stuck[0]) + most // _SLACK
        if not is_due and self._room() > max(self._most_bytes, self._stuck[1]) + self._most_bytes // _SLACK:
            self._is_measuring = is_due = True  # the known size is a sum of sums: measure before anything is deleted
        if not is_due and age is not None:
            if self._age_due is None and over:
                self._age_due = self._clock().wall + age + age / _SLACK
            is_due = self._age_due is not None and self._clock().wall >= self._age_due
        if is_due:
            self._jobs.append(self._configured())
        return is_due

    def next_deadline(self) -> float | None:
        """Return the time of the next slice: at once when there is work and no commit is pending, whose end wakes the
        loop."""
        return 0.0 if self.is_due() and not self._store.commits.is_pending else None

    def results(self) -> list[tuple[RequestId, dict[str, object]]]:
        """Return the results of the requests that were completed since the last call."""
        results, self._results = self._results, []
        return results

    def turn(self, awaited: Iterable[AgentId]) -> None:
        """Do one slice. All decisions so far are done, and on the disk. `awaited` are agents that a caller outside
        every agent waits for: they stay."""
        is_all = not self._jobs or self._jobs[0].is_chosen
        if self._gone:
            end = self._clock().mono + SLICE
            while self._gone and self._clock().mono < end:
                agent = self._gone.popleft()
                self._discard(agent_id(agent.number), agent.attempts)
        elif self._going and (is_all or len(self._going) >= PIECE):
            attempts = 0
            while self._going and attempts < PIECE:
                agent = self._going.popleft()
                attempts += max(agent.attempts, 1)
                self._gone.append(agent)
            self._store.take_out(self._gone, self._going, self._chosen)  # the files follow when that is on the disk
            self._chosen = []
            if not self._going:
                self._records.leaving.clear()
        elif self._is_measuring:
            self._measure()
        elif self._jobs[0].is_chosen:
            self._finish(self._jobs.popleft())
        else:
            self._choose(self._jobs[0], awaited)

    def _configured(self) -> PruneJob:
        """Return a job by the bounds of the configuration."""
        age = self._config.keep_age
        before = None if age is None else self._clock().wall - age
        return PruneJob(before, self._config.keep_count, self._most_bytes)

    def _over(self) -> int:
        """Return the number of finished agents in the history."""
        return self._state.last_number - self._store.pruned.agents - len(self._going) - len(self._state.agents)

    def _room(self) -> int:
        """Return the bytes of all attempts: as last measured, and of attempts that have ended since."""
        return self._measured + self._files.left

    def _measure(self) -> None:
        """Measure the size of the next files."""
        end = self._clock().mono + SLICE
        if self._entries is None:
            self._measured = -self._files.left
            try:
                self._entries = os.scandir(self._home.agents)
            except FileNotFoundError:
                log.warning("%s was removed, with the logs of all attempts", self._home.agents)
                self._entries = iter(())
        while self._is_measuring and self._clock().mono < end:
            entries = list(islice(self._entries, _ENTRIES))
            for entry in entries:
                with suppress(OSError):  # deleted meanwhile
                    self._measured += entry.stat(follow_symlinks=False).st_blocks * 512
            self._is_measuring = bool(entries)
        if not self._is_measuring:
            self._entries = None

    def _choose(self, job: PruneJob, awaited: Iterable[AgentId]) -> None:
        """Examine the next roots, and choose the trees that the job deletes."""
        if not self._after:
            job.at_start = (self._over(), self._room())
        roots = self._store.roots(self._after, _PAGE)
        # an agent waits only for its own tree
        referred = set(awaited).union(*(agent.spec.after for agent in self._state.agents.values()))
        kept = {number_of(agent.root) for agent in self._state.agents.values()}
        end = self._clock().mono + SLICE
        for root in roots:
            self._after = root.number
            if root.number not in kept and (tree := self._store.whole(root)):
                queued = tree[0].queued_at or 0.0
                is_old = job.before is not None and queued < job.before
                # Agents are numbered in the order of their queuing: else no tree after this tree is to go either.
                job.is_chosen = not self._is_over_full(job) and not is_old
                if job.is_chosen:
                    job.oldest = min(job.oldest or queued, queued)
                    break
                self._judge(job, tree, referred)
            if len(self._going) >= PIECE or self._clock().mono >= end:
                break
        else:
            job.is_chosen = len(roots) < _PAGE
            if job.is_chosen and self._is_over_full(job):
                over, room = job.at_start  # agents and bytes that became free since then are examined again
                job.stuck = (over - job.agents, room - job.freed)

    def _is_over_full(self, job: PruneJob) -> bool:
        """Whether the history exceeds the number of agents or the bytes that the job keeps."""
        taken, freed = (job.agents, job.freed) if job.is_dry else (0, 0)
        has_too_many = job.keep is not None and self._over() - taken > job.keep
        return has_too_many or (job.room is not None and self._room() - freed > job.room)

    def _judge(self, job: PruneJob, tree: list[Agent], referred: set[AgentId]) -> None:
        """Choose the whole tree or nothing of it. A tree stays while an agent or client refers to it, or while it has a
        worktree, which may hold work."""
        if any(not agent.is_over or agent.id in referred for agent in tree):
            return
        worktrees = [self._home.worktrees / agent.id for agent in tree if agent.spec.worktree]
        if any(path.exists() or path.with_name(f"{path.name}.json").exists() for path in worktrees):
            return
        ended = max(agent.ended_at or 0.0 for agent in tree)
        if not self._is_over_full(job) and (job.before is None or ended >= job.before):
            job.oldest = min(job.oldest or ended, ended)
            return
        job.agents += len(tree)
        job.runs += len({agent.spec.member.run for agent in tree if agent.spec.member})
        room = sum(self._files.room_of(agent.id, agent.attempt) for agent in tree)
        job.freed += room
        if not job.is_dry:
            for agent in tree if self._state.has_disk_pressure else ():  # deleting files needs no room on the disk
                self._discard(agent.id, agent.attempt)
            self._measured -= room
            self._going.extend(PrunedAgent(agent.number, agent.attempt) for agent in tree)
            self._chosen += tree
            self._records.leave(agent.id for agent in tree)

    def _discard(self, agent: AgentId, attempts: int) -> None:
        for attempt in range(1, attempts + 1):
            self._files.discard(agent, attempt)
        self._forget(agent)

    def _finish(self, job: PruneJob) -> None:
        """Report the result of a job, whose agents are gone."""
        self._after = 0
        if job.request is not None:
            left = self._over() - (job.agents if job.is_dry else 0)
            deleted = {"agents": job.agents, "runs": job.runs, "bytes": job.freed, "dry_run": job.is_dry}
            self._results.append((job.request, {**deleted, "left": left}))
        if job.agents and not job.is_dry:
            log.info("pruned %d agents and %d runs, %d bytes of logs", job.agents, job.runs, job.freed)
        if job.request is None:
            self._stuck = job.stuck
            age = self._config.keep_age
            self._age_due = None if age is None or job.oldest is None else job.oldest + age + age / _SLACK
