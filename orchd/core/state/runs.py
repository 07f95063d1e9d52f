"""Runs of compositions. A run records how each of its members ended, and derives from that how its groups ended.

A member is an agent, named by its path: `api`, or `web/api` in the nested composition `web`. The whole is the group "".
Groups have no status of their own: each has a tally, which follows from the ends of the members alone (`recounted`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple, NewType

from orchd.core.state.sessions import SessionId
from orchd.core.state.spending import Budget, Spent
from orchd.dag import around, groups_around
from orchd.protocol.ids import RUN, number_of, numbered

RunId = NewType("RunId", str)


class RunStatus(Enum):
    """The status of a run, in the words that users, JSON and the database see."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A composition in a run: how many of its nodes may work at once, and what a failure among them does."""

    path: str
    max_parallel: int | None = None
    is_fail_fast: bool = True
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Membership:
    """An agent's part in a run. It never changes."""

    run: RunId
    path: str
    after: tuple[str, ...]  # the members and groups that must complete first; also before the groups around it
    is_required: bool
    weight: float  # the longest way from its start to the run's end
    first: int  # the number of the run's first agent: members stand in line where their run does


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The request that a run began with. It never changes."""

    name: str
    groups: tuple[GroupPlan, ...]
    cwd: str
    ancestors: tuple[str, ...] = ()  # agents above its members, root first
    task_id: str | None = None
    results: str | None = None
    session: SessionId | None = None


class MemberResult(NamedTuple):
    """How a member ended: its final status, and why."""

    status: str
    reason: str | None

    @property
    def is_good(self) -> bool:
        """Whether members that come after it may start."""
        return self.status == "completed"

    @property
    def is_failure(self) -> bool:
        """Whether the member failed its group. A skipped member has not failed: the member it was skipped for has."""
        return not (self.is_good or self.is_skipped)

    @property
    def is_skipped(self) -> bool:
        """Whether the member never started."""
        return self.status == "skipped"


class MemberRef(NamedTuple):
    """A member as its run refers to it."""

    agent: str
    is_required: bool
    after: tuple[str, ...] = ()


@dataclass(slots=True)
class GroupCounts:
    """The counts of a group's nodes: unfinished; failed and required; skipped and required; not skipped."""

    unfinished: int = 0
    failed: int = 0
    missing: int = 0
    tried: int = 0

    @property
    def how(self) -> str | None:
        """How a finished group ended without completing; None when it completed.

        The group was skipped when all of its nodes were. It failed when a node was tried and a required node did not
        complete: by failing, or because it comes after a node that is not required and could never start.
        """
        return "skipped" if not self.tried else "failed" if self.failed or self.missing else None

    def count(self, how: str | None, step: int, *, is_required: bool) -> None:
        """Add `step` for a node of the group that ended as `how` says: `skipped`, another word for not completed, or
        None."""
        self.unfinished -= step
        self.tried += step * (how != "skipped")
        self.failed += step * (is_required and how not in (None, "skipped"))
        self.missing += step * (is_required and how == "skipped")


@dataclass(slots=True)
class Run:
    """The current state of a run."""

    id: RunId
    plan: RunPlan
    began_at: float  # wall
    status: RunStatus = RunStatus.RUNNING
    reason: str | None = None
    ended_at: float | None = None
    budget: Budget = field(default_factory=Budget)
    spent: Spent = field(default_factory=Spent)
    members: dict[str, MemberRef] = field(default_factory=dict)  # by path
    ended: dict[str, MemberResult] = field(default_factory=dict)  # in the order of their ends
    tallies: dict[str, GroupCounts] = field(default_factory=dict)
    groups: dict[str, GroupPlan] = field(default_factory=dict)
    behind: dict[str, list[str]] = field(default_factory=dict)  # the members that come after a node

    def __post_init__(self) -> None:
        self.groups = {group.path: group for group in self.plan.groups}
        self.tallies = {path: GroupCounts() for path in self.groups}
        for path in self.groups:
            if path:
                self.tallies[around(path)].unfinished += 1

    @property
    def is_over(self) -> bool:
        """Whether it has finished: its status changes only when a user retries a member."""
        return self.status is not RunStatus.RUNNING

    def join(self, path: str, mate: MemberRef) -> None:
        """Add a member that has not ended."""
        self.members[path] = mate
        for node in mate.after:
            self.behind.setdefault(node, []).append(path)
        self.tallies[around(path)].unfinished += 1

    def close(self, path: str, ending: MemberResult) -> None:
        """Record that a member has ended, and with it perhaps the groups around it."""
        self.ended[path] = ending
        how, is_required = self.bad_end(path), self.members[path].is_required
        for group, tally in self._around(path):
            tally.count(how, 1, is_required=is_required)
            if tally.unfinished:
                return
            how, is_required = tally.how, self.groups[group].is_required

    def reopen(self, path: str) -> None:
        """Record that a member that had ended is retried."""
        how, is_required = self.bad_end(path), self.members[path].is_required
        del self.ended[path]
        for group, tally in self._around(path):
            was = replace(tally)
            tally.count(how, -1, is_required=is_required)
            if was.unfinished:
                return
            how, is_required = was.how, self.groups[group].is_required

    def _around(self, path: str) -> Iterator[tuple[str, GroupCounts]]:
        for group in groups_around(path):
            yield group, self.tallies[group]

    def bad_end(self, node: str) -> str | None:
        """Return how a member or group ended without completing; None when it completed, or has not ended."""
        if (tally := self.tallies.get(node)) is not None:
            return None if tally.unfinished else tally.how
        ending = self.ended.get(node)
        return None if ending is None or ending.is_good else ending.status

    def has_failed(self, path: str) -> bool:
        """Whether a member has ended in a way that fails its group at once."""
        return path in self.ended and self.ended[path].is_failure and self.members[path].is_required

    def is_cut_short(self, path: str) -> bool:
        """Whether a group around a member has failed and fails fast: then nothing in it starts any more."""
        return any(self.groups[group].is_fail_fast and tally.failed for group, tally in self._around(path))

    def agents_behind(self, path: str) -> Iterator[str]:
        """Yield the agents of the members that come after a member, or after a group around it."""
        for node in (path, *groups_around(path)):
            yield from (self.members[member].agent for member in self.behind.get(node, ()))

    def members_of(self, group: str) -> list[str]:
        """Return the agents of a group and of all groups in it."""
        prefix = f"{group}/" if group else ""
        return [mate.agent for path, mate in self.members.items() if path.startswith(prefix)]

    def blame_in(self, group: str) -> str:
        """Return the member whose failure failed `group`; the first that was skipped where none failed."""
        matter = [path for path in self.ended if self._fails(path, group)]
        return next((path for path in matter if self.ended[path].is_failure), None) or next(
            path for path in matter if self.ended[path].is_skipped
        )

    def blamed(self, node: str) -> str:
        """Return the agent because of which a member or group did not complete."""
        return self.members[self.blame_in(node) if node in self.tallies else node].agent

    def left_out(self) -> str | None:
        """Return a skipped member that nothing blocks any more: the members that blocked it were retried alone."""
        skipped = (path for path, ending in self.ended.items() if ending.is_skipped and self._fails(path, ""))
        return next((path for path in skipped if not any(map(self.bad_end, self.members[path].after))), None)

    def _fails(self, path: str, group: str) -> bool:
        """Whether `group` cannot complete without a member; a node that is not required is missed only with all of its
        group."""
        is_required = self.members[path].is_required
        for outer in groups_around(path):
            if not is_required and self.bad_end(outer) != "skipped":
                return False
            if outer == group:
                return True
            is_required = self.groups[outer].is_required
        return False


def recounted(run: Run) -> Mapping[str, GroupCounts]:
    """Return the tallies recomputed from the ends alone."""
    fresh = Run(run.id, run.plan, run.began_at)
    for path, mate in run.members.items():
        fresh.join(path, mate)
    for path, ending in run.ended.items():
        fresh.close(path, ending)
    return fresh.tallies


def run_id(number: int) -> RunId:
    """Return the id with this number: `run-007`."""
    return RunId(numbered(RUN, number))


def number_of_run(run: str) -> int:
    """Return the number in an id: 7 for `run-007`."""
    return number_of(run)
