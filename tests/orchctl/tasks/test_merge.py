"""Results as one document."""

from __future__ import annotations

from pathlib import Path

from orchctl.tasks.merge import merged
from orchctl.tasks.states import DONE, MISSING, OUTDATED, TaskState
from orchctl.tasks.task_file import TaskFile
from tests.orchctl.agents import ended
from tests.orchctl.tasks.files import result


def test_each_task_has_a_heading_with_its_result_below(tmp_path: Path) -> None:
    tasks = [TaskFile(tmp_path, "schema"), TaskFile(tmp_path, "api")]
    result(tmp_path, "schema", "# Tables\n\nTwo.\n")
    result(tmp_path, "subtask-api", "\nNo heading.\n\n")
    document = merged(tasks, {"schema": TaskState(DONE), "api": TaskState(DONE)}, tmp_path / "results")
    assert document.text == "# Results\n\n## schema\n\n### Tables\n\nTwo.\n\n## api\n\nNo heading.\n"
    assert (document.lacking, document.outdated) == ({}, {})


def test_missing_and_failed_results_are_noted_at_their_positions(tmp_path: Path) -> None:
    failed = ended(3, status="failed", exit_code=2, reason="it broke")
    tasks = [TaskFile(tmp_path, "a"), TaskFile(tmp_path, "b"), TaskFile(tmp_path, "c")]
    result(tmp_path, "b", "half of it")
    result(tmp_path, "c", "old")
    states = {
        "a": TaskState(MISSING),
        "b": TaskState("failed", "exit 2: it broke", failed),
        "c": TaskState(OUTDATED, "it is old"),
    }
    document = merged(tasks, states, tmp_path / "results")
    assert document.text == (
        "# Results\n\n## a\n\n> **There is no result.** missing\n\n## b\n\n> **There is no result.** failed: "
        "agent-003, exit 2: it broke, the following text may be part of it\n\nhalf of it\n\n## c\n\nold\n"
    )
    assert document.lacking.keys() == {"a", "b"}
    assert document.outdated == {"c": "it is old"}
