"""The state of each task: from its result, which is a file, and from its newest agent, if a daemon is running."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchctl.render import text
from orchctl.spawn.mock_notes import is_pretended
from orchctl.tasks.task_file import TaskFile
from orchctl.worktrees import commits
from orchd.protocol import dependencies

DONE = "done"
MISSING = "missing"
OUTDATED = "outdated"
UNNEEDED = "unneeded"  # it comes after the failure of a task that is done

_TICK = 0.001  # seconds; ends are recorded to the millisecond
RECENT = 2000  # newest agents of the history that are searched for tasks

Agent = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TaskState:
    """The state of a task: done, missing, outdated, or the status of its agent when that decides."""

    word: str
    why: str = ""
    agent: Agent | None = None  # the newest agent that was to write its result
    is_pretended: bool = False  # its result is of the mock runner, and not done for any other runner
    written_at: int = 0  # when its result was written, in nanoseconds, or its command completed without a result

    @property
    def is_done(self) -> bool:
        """Whether its result can be read."""
        return self.word == DONE

    @property
    def is_on_its_way(self) -> bool:
        """Whether an agent of the task is queued or running."""
        return self.agent is not None and not text.is_over(self.agent)

    def summary(self) -> str:
        """Return the state as text: `failed: agent-003, exit 1`."""
        agent_id = self.agent["id"] if self.agent is not None and self.word not in (DONE, OUTDATED, UNNEEDED) else ""
        details = ", ".join(part for part in (agent_id, self.why) if part)
        return f"{self.word}: {details}" if details else self.word


def states(ordered: Sequence[TaskFile], results: Path, agents: Mapping[str, Agent]) -> dict[str, TaskState]:
    """Return the state of each of `ordered` by name; dependencies must stand before their dependents."""
    by_name: dict[str, TaskState] = {}
    for task in ordered:
        by_name[task.name] = _state(task, results, agents.get(task.name), by_name)
    return by_name


def _state(task: TaskFile, results: Path, agent: Agent | None, before: Mapping[str, TaskState]) -> TaskState:
    """Return the state of a task; `agent` is its newest, `before` has the states of its dependencies."""
    if agent is not None and not text.is_over(agent):
        return TaskState(agent["status"], text.clean(agent["reason"] or ""), agent)
    written_at = _time(task.result(results)) or None
    if written_at is None and task.command and agent is not None and agent["status"] == "completed":
        written_at = int(text.unix(agent["ended_at"]) * 1e9)  # a command need not write a result
    is_bad = agent is not None and agent["status"] != "completed"
    if agent is not None and agent["ended_at"] and written_at is not None:
        # a result that was written after the agent had failed is by another agent or a person
        is_bad = is_bad and written_at <= (text.unix(agent["ended_at"]) + _TICK) * 1e9
    if (is_bad or written_at is None) and (why := _why_unneeded(task, before)):
        return TaskState(UNNEEDED, why, agent)
    if agent is not None and is_bad:
        return TaskState(agent["status"], text.outcome(agent), agent)
    if written_at is None:
        return TaskState(MISSING, "completed without a result" if agent is not None else "", agent)
    if why := _why_outdated(task, written_at, results, before):
        return TaskState(OUTDATED, why, agent)
    is_mock = is_pretended(task.result(results))
    left = text.notes(*commits.noted([agent])) if agent is not None else ""
    return TaskState(DONE, "by the mock runner, no real work" if is_mock else left, agent, is_mock, written_at)


def _why_unneeded(task: TaskFile, before: Mapping[str, TaskState]) -> str:
    """Return why a task is not needed; empty when it is needed."""
    for name in task.after:
        condition, state = task.condition(name), before[name]
        if condition == dependencies.FAILED and state.word in (DONE, OUTDATED):
            return f"{name} is done, and this task runs only if it fails"
        if condition != dependencies.ANY and state.word == UNNEEDED:
            return f"its dependency {name} is not needed"
    return ""


def _why_outdated(task: TaskFile, written_at: int, results: Path, before: Mapping[str, TaskState]) -> str:
    """Return why a result that was written at this time is outdated; empty when it is not."""
    if (_time(task.path) or 0) > written_at:
        return "its task file is newer than its result"
    for name in task.after:
        is_required = task.condition(name) == dependencies.COMPLETED
        if is_required and not before[name].is_done:
            return f"its dependency {name} is not done"
        if task.condition(name) == dependencies.FAILED:
            continue  # its result, if there is one, was written after the failure that this task was for
        newest = max(_time(path) or 0 for path in TaskFile(Path(), name).results(results))
        if max(newest, before[name].written_at) > written_at:
            return f"the result of its dependency {name} is newer"
    return ""


def _time(path: Path) -> int | None:
    """Return when a file was written, in nanoseconds; None when it is missing or empty."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns if status.st_size else None


def newest_agents(tasks: Sequence[TaskFile], results: Path, pages: Iterator[Sequence[Agent]]) -> dict[str, Agent]:
    """Return the newest agent of each task by name, out of `pages` of history, newest first."""
    wanted = {str(path): task.name for task in tasks for path in task.results(results)}
    newest: dict[str, Agent] = {}
    for page in pages:
        for agent in page:
            name = wanted.get(agent["result"] or "")
            if name is not None:
                newest.setdefault(name, agent)
        if len(newest) == len(tasks):
            break
    return newest
