"""`orchctl tasks merge`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl
from tests.orchctl.tasks.files import aged, result, task


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """`a` after `b`, and `c`."""
    directory = tmp_path / "docs/tasks"
    for name, after in (("a", "b"), ("b", ""), ("c", "")):
        aged(task(directory, name, "goal: x", f"after: [{after}]"), 60)
    return directory


def test_merge_prints_all_results_in_order(tasks: Path, orchctl: Orchctl, stopped: Instance) -> None:
    result(tasks, "b", "# B\n\ttab  \n\x1b[31m")
    result(tasks, "c", "C")
    result(tasks, "a", "A")
    process = orchctl("tasks", "merge")
    assert (process.code, process.err) == (0, "")
    assert process.out == "# Results\n\n## b\n\n### B\n\ttab  \n?[31m\n\n## c\n\nC\n\n## a\n\nA\n"
    assert not stopped.home.socket.exists()


def test_merge_names_missing_results_and_exits_with_code_1(tasks: Path, orchctl: Orchctl) -> None:
    result(tasks, "b")
    process = orchctl("tasks", "merge")
    assert (process.code, process.err) == (1, "c is missing\na is missing\n")
    assert "## c\n\n> **There is no result.** missing\n" in process.out


def test_merge_reads_failures_from_the_daemon(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sh", "-c", "exit 7", options=["--result", str(tasks / "results/c.md")])
    orchctl("wait", "1")
    result = orchctl("tasks", "merge")
    assert result.code == 1
    assert "c is failed: agent-001, exit 7\n" in result.err
    assert "> **There is no result.** failed: agent-001, exit 7\n" in result.out


def test_merge_writes_to_a_file_and_warns_of_an_outdated_result(tasks: Path, orchctl: Orchctl, tmp_path: Path) -> None:
    for name in "bac":
        result(tasks, name)
    aged(tasks / "results/c.md", 90)
    process = orchctl("tasks", "merge", "docs/tasks", "--out", "report.md")
    assert (process.code, process.out) == (0, "report.md\n")
    assert process.err == "c may be outdated: its task file is newer than its result\n"
    assert (tmp_path / "report.md").read_text().startswith("# Results\n\n## b\n")


def test_merge_json_lists_missing_results(tasks: Path, orchctl: Orchctl) -> None:
    result(tasks, "b")
    process = orchctl("tasks", "merge", "--json")
    value = json.loads(process.out)
    assert (process.code, process.err) == (1, "")
    assert (value["tasks"], value["lacking"]) == (["b", "c", "a"], {"c": "missing", "a": "missing"})
    assert value["text"].startswith("# Results\n")


@pytest.mark.parametrize(
    "path", ["docs/tasks/results/a.md", "docs/tasks/subtask-a.md", "docs/tasks/results/subtask-b.md"]
)
def test_merge_does_not_overwrite_a_task_or_a_result(tasks: Path, orchctl: Orchctl, path: str) -> None:
    result = orchctl("tasks", "merge", "--out", path)
    assert result.code == 2
    assert "is a task or a result itself" in result.err
