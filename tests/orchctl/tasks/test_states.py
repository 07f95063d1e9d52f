"""The state of each task."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchctl.tasks.states import TaskState, newest_agents, states
from orchctl.tasks.task_file import TaskFile, read
from tests.orchctl.agents import agent, ended
from tests.orchctl.tasks.files import aged, result, task
from tests.orchctl.worktrees.test_prune import Bench


def state_texts(directory: Path, *tasks: TaskFile, **agents: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the state of each task in words."""
    by_name = states(tasks, directory / "results", agents)
    return {name: (state.word, state.why) for name, state in by_name.items()}


def minute_old_task(directory: Path, name: str, *lines: str) -> TaskFile:
    """Return a task written a minute ago."""
    return read(aged(task(directory, name, "goal: x", *lines), 60), name)


def failed(seconds_ago: float, **fields: Any) -> dict[str, Any]:
    """Return an agent that failed that many seconds ago."""
    moment = datetime.now(UTC).timestamp() - seconds_ago
    stamp = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return ended(1, **{"status": "failed", "exit_code": 1, "ended_at": stamp, **fields})


def test_a_task_is_done_only_with_a_nonempty_result(tmp_path: Path) -> None:
    task = minute_old_task(tmp_path, "a")
    assert state_texts(tmp_path, task) == {"a": ("missing", "")}
    result(tmp_path, "a", "")
    assert state_texts(tmp_path, task, a=ended(1)) == {"a": ("missing", "completed without a result")}
    result(tmp_path, "a")
    assert state_texts(tmp_path, task) == {"a": ("done", "")}
    assert state_texts(tmp_path, task, a=ended(1)) == {"a": ("done", "")}


def test_a_task_changed_after_its_result_is_outdated(tmp_path: Path) -> None:
    task = minute_old_task(tmp_path, "a")
    aged(result(tmp_path, "a"), 90)
    assert state_texts(tmp_path, task) == {"a": ("outdated", "its task file is newer than its result")}


def test_a_task_with_a_newer_or_open_dependency_is_outdated(tmp_path: Path) -> None:
    tasks = [
        minute_old_task(tmp_path, "a"),
        minute_old_task(tmp_path, "b", "after: [a]"),
        minute_old_task(tmp_path, "c", "after: [b]"),
    ]
    for name, seconds in (("a", 10), ("b", 20), ("c", 5)):
        aged(result(tmp_path, name), seconds)
    assert state_texts(tmp_path, *tasks) == {
        "a": ("done", ""),
        "b": ("outdated", "the result of its dependency a is newer"),
        "c": ("outdated", "its dependency b is not done"),
    }


def test_a_failed_or_skipped_agent_overrides_an_older_result(tmp_path: Path) -> None:
    task = minute_old_task(tmp_path, "a")
    aged(result(tmp_path, "a"), 10)
    assert state_texts(tmp_path, task, a=failed(5)) == {"a": ("failed", "exit 1")}
    assert state_texts(tmp_path, task, a=failed(20)) == {"a": ("done", "")}, "somebody has written it since"
    assert state_texts(tmp_path, task, a=failed(5, status="skipped", exit_code=None, reason="b failed")) == {
        "a": ("skipped", "b failed")
    }


@pytest.mark.parametrize("status", ["queued", "starting", "running", "waiting", "stopping"])
def test_an_unfinished_task_has_the_status_of_its_agent(tmp_path: Path, status: str) -> None:
    task = minute_old_task(tmp_path, "a")
    result(tmp_path, "a")
    (state,) = states([task], tmp_path / "results", {"a": agent(7, status=status)}).values()
    assert (state.word, state.is_on_its_way, state.is_done) == (status, True, False)
    assert state.summary() == f"{status}: agent-007"


def test_the_summary_of_a_done_task_does_not_name_the_agent() -> None:
    assert TaskState("failed", "exit 2", ended(3)).summary() == "failed: agent-003, exit 2"
    assert TaskState("missing").summary() == "missing"
    assert TaskState("done", "", ended(3)).summary() == "done"


def test_the_newest_agent_of_a_task_is_matched_by_its_result_path(tmp_path: Path) -> None:
    tasks = [TaskFile(tmp_path, "a"), TaskFile(tmp_path, "b")]
    pages = [
        [agent(9, result="/else/a.md"), agent(8, result=f"{tmp_path}/a.md")],
        [agent(7, result=f"{tmp_path}/a.md"), agent(6, result=f"{tmp_path}/subtask-b.md"), agent(5, result=None)],
        [],
    ]
    pages_left = iter(pages)
    newest = newest_agents(tasks, tmp_path, pages_left)
    assert {name: agent["id"] for name, agent in newest.items()} == {"a": "agent-008", "b": "agent-006"}
    assert list(pages_left) == [[]], "what is known is not looked for any longer"


def test_a_completed_command_is_done_without_a_result(tmp_path: Path) -> None:
    task = minute_old_task(tmp_path, "a", "command: [make]")
    assert state_texts(tmp_path, task) == {"a": ("missing", "")}
    assert state_texts(tmp_path, task, a=failed(1)) == {"a": ("failed", "exit 1")}
    completed = failed(30, status="completed", exit_code=0)
    assert state_texts(tmp_path, task, a=completed) == {"a": ("done", "")}
    long_ago = failed(90, status="completed", exit_code=0)
    assert state_texts(tmp_path, task, a=long_ago) == {"a": ("outdated", "its task file is newer than its result")}
    after = minute_old_task(tmp_path, "b", "after: [a]")
    aged(result(tmp_path, "b"), 40)
    assert state_texts(tmp_path, task, after, a=completed)["b"] == (
        "outdated",
        "the result of its dependency a is newer",
    )


def test_a_done_task_reports_uncommitted_changes_in_its_worktree(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")
    (bench.tree / "a").write_text("changed")
    (tmp_path / "tasks").mkdir()
    task = minute_old_task(tmp_path / "tasks", "a")
    result(tmp_path / "tasks", "a")
    agent = ended(1, worktree=str(bench.tree), runner=None)
    assert state_texts(tmp_path / "tasks", task, a=agent) == {"a": ("done", "uncommitted changes in 1 file")}


def test_a_failure_task_and_its_dependents_are_unneeded_without_a_failure(
    tmp_path: Path,
) -> None:
    tasks = [
        minute_old_task(tmp_path, "a"),
        minute_old_task(tmp_path, "b", 'after: ["a:failed"]'),
        minute_old_task(tmp_path, "c", "after: [b]"),
        minute_old_task(tmp_path, "d", 'after: ["b:any"]'),
    ]
    assert {name: word for name, (word, _) in state_texts(tmp_path, *tasks).items()} == dict.fromkeys("abcd", "missing")
    result(tmp_path, "a")
    assert state_texts(tmp_path, *tasks) == {
        "a": ("done", ""),
        "b": ("unneeded", "a is done, and this task runs only if it fails"),
        "c": ("unneeded", "its dependency b is not needed"),
        "d": ("missing", ""),
    }


def test_a_failure_task_stays_done_after_a_later_result_of_its_dependency(tmp_path: Path) -> None:
    tasks = [
        minute_old_task(tmp_path, "a"),
        minute_old_task(tmp_path, "b", 'after: ["a:failed"]'),
        minute_old_task(tmp_path, "c", 'after: ["a:any"]'),
    ]
    aged(result(tmp_path, "b"), 20)
    aged(result(tmp_path, "c"), 20)
    failure = failed(30)
    assert state_texts(tmp_path, *tasks, a=failure)["b"] == ("done", "")
    assert state_texts(tmp_path, *tasks, a=failure)["c"] == ("done", "")
    aged(result(tmp_path, "a"), 10)
    assert state_texts(tmp_path, *tasks)["b"] == ("done", "")
    assert state_texts(tmp_path, *tasks)["c"] == ("outdated", "the result of its dependency a is newer")
