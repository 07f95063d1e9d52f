"""Work from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchctl.errors import RefusedError, UsageError
from orchctl.pm.task_list import TaskList
from orchctl.pm.work_item import WorkItem

PLAN = [
    {"id": "ui", "title": "The page", "after": ["api", "ci"], "priority": 1},
    {"id": "api", "title": "The API", "description": "d", "acceptance": "a", "labels": ["backend"], "skill": "s"},
    {"id": "docs", "title": "The docs", "priority": 0},
    {"id": "ci", "title": "CI", "done": True},
]


def read(path: Path, text: str, **options: Any) -> TaskList:
    """Return the tasks in a file with this text."""
    path.write_text(text)
    return TaskList(path, **options)


def ended(status: str) -> dict[str, Any]:
    """Return an agent that ended with this status."""
    return {"id": "agent-001", "status": status, "reason": None}


@pytest.mark.parametrize("form", ["array", "lines"])
def test_ready_tasks_have_no_open_dependencies_and_are_sorted_by_urgency(form: str, tmp_path: Path) -> None:
    text = json.dumps(PLAN, indent=1) if form == "array" else "\n\n".join(json.dumps(item) for item in PLAN)
    board = read(tmp_path / "plan.json", text).board()
    api = WorkItem("api", "The API", "d", "a", ("backend",), skill="s")
    assert board.ready == [WorkItem("docs", "The docs", priority=0), api]
    assert board.left == {"ui": "after api"}


def test_a_completed_task_unblocks_dependents_but_a_failed_task_does_not(tmp_path: Path) -> None:
    text = "- [ ] A\n- [ ] B\n- [ ] C (after: a)\n- [ ] D (after: a, b)\n"
    file = read(tmp_path / "plan.md", text)
    assert file.finish("a", ended("completed")) == "open"
    assert file.finish("b", ended("timed-out")) == "open"
    board = file.board()
    assert [item.id for item in board.ready] == ["c"]
    assert board.left == {"d": "after b, which timed-out"}
    assert (tmp_path / "plan.md").read_text() == text
    reopened = TaskList(tmp_path / "plan.md")
    reopened.recall([{"id": "a", "status": "completed"}, {"id": "b", "status": "failed"}])
    assert [item.id for item in reopened.board().ready] == ["c"]


def test_ticking_keeps_concurrent_edits_and_file_attributes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real/plan.md"
    target.write_text("- [ ] A\r\n- [ ] B\r\n")
    target.chmod(0o640)
    (tmp_path / "plan.md").symlink_to(target)
    file = TaskList(tmp_path / "plan.md", ticks=True)
    target.write_bytes(b"# Mine\r\n- [ ] A\r\n- [ ] B\r\n")
    assert file.finish("a", ended("completed")) == "ticked"
    assert file.finish("b", ended("failed")) == "open"
    assert target.read_bytes() == b"# Mine\r\n- [x] A\r\n- [ ] B\r\n"
    assert (tmp_path / "plan.md").is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_failed_write_is_reported_and_leaves_the_file_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    file = read(path, "- [ ] A\n", ticks=True)
    (tmp_path / ".plan.md.new").mkdir()
    with pytest.raises(RefusedError, match="cannot be ticked: Is a directory; "):
        file.finish("a", ended("completed"))
    assert path.read_text() == "- [ ] A\n"


def test_finish_returns_the_current_state_of_the_task_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    file = read(path, "- [ ] A\n- [ ] B\n", ticks=True)
    path.write_text("- [x] A\n- [~] C\n")
    assert file.finish("a", ended("completed")) == "done"
    assert file.finish("b", ended("completed")) == "gone"
    assert file.finish("c", ended("failed")) == "its box is [~]"
    assert path.read_text() == "- [x] A\n- [~] C\n"
    path.unlink()
    file = read(tmp_path / "other.md", "- [ ] A\n")
    (tmp_path / "other.md").unlink()
    assert file.finish("a", ended("completed")) == "unknown"


@pytest.mark.parametrize("status", ["completed", "failed"])
@pytest.mark.parametrize("content", [None, b"- [ ] B (priority: x)\n", b"- [ ] A\n\xff"])
def test_ticking_a_missing_or_invalid_file_is_refused(tmp_path: Path, status: str, content: bytes | None) -> None:
    path = tmp_path / "plan.md"
    file = read(path, "- [ ] A\n", ticks=True)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RefusedError, match="cannot be ticked: ") as caught:
        file.finish("a", ended(status))
    assert caught.value.code == "not-ticked"


def test_an_earlier_completion_is_ticked_only_for_the_same_task(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    file = read(path, "- [ ] A\n- [ ] Other (id: b)\n- [ ] C\n- [ ] D\n", ticks=True)
    rows: list[dict[str, Any]] = [
        {"id": "a", "title": "A", "status": "completed", "task": "done"},
        {"id": "b", "title": "B", "status": "completed", "task": "gone"},
        {"id": "c", "title": "C", "status": "failed", "task": "open"},
        {"id": "d", "title": "D", "status": "completed", "task": "ticked"},  # and a person opened it again
    ]
    assert list(file.catch_up(rows)) == [{**rows[0], "task": "ticked"}]
    assert path.read_text() == "- [x] A\n- [ ] Other (id: b)\n- [ ] C\n- [ ] D\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.md", "\n- [ ] A\n- [ ] A\n", "line 3: the id 'a' is already used in line 2"),
        ("p.md", "- [ ] A (after: b)\n", "line 1: 'a' depends on the unknown task 'b'"),
        ("p.md", "- [ ] A (after: b)\n- [ ] B (after: a)\n", "dependency cycle: "),
        (
            "p.md",
            "- [ ] A (prio: 1)\n- [ ] B (after: a, a\n- [ ] C (priorty: 1)\n",
            "line 3: unknown key `(priorty: ...)`",
        ),
        ("p.md", f"- [ ] A (id: {'x' * 201})\n", "line 1: an id has 201 characters: at most 200 are allowed"),
        ("p.md", "# Nothing\n", "contains no tasks: write `- [ ] Title` lines"),
        ("p.json", "[]", "contains no tasks"),
        ("p.json", '{"id": "a", "title": "A"}\n{"id": "b"}\n', "line 2: title is missing"),
        (
            "p.json",
            '{"id": "a", "title": "A", "aftr": []}',
            "line 1: aftr is an unknown key; did you mean after?",
        ),
        ("p.json", '{"id": " ", "title": "A"}', "line 1: id must be a string that is not empty"),
        ("p.json", '{"id": "a", "title": "A", "after": "b"}', "line 1: after must be a list, not a string"),
        ("p.json", '[{"id": "a", "title": "A"}, 7]', "index 1: the value must be a map, not a whole number"),
        ("p.json", '{"id": "a", "title": "\\ud800"}', "line 1: '\\ud800' is a lone surrogate"),
        ("p.json", '{"id": "a"', "line 1: column 11 is not JSON"),
    ],
)
def test_an_invalid_task_list_is_refused_with_a_reason(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    with pytest.raises(UsageError) as caught:
        read(path, text)
    assert caught.value.code == "bad-tasks"
    assert message.format(path=path) in caught.value.message


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        TaskList(tmp_path / "none.md")
    (tmp_path / "bad.md").write_bytes(b"- [ ] A\n\xff")
    with pytest.raises(UsageError, match="line 2: is not valid UTF-8"):
        TaskList(tmp_path / "bad.md")


def test_a_json_list_cannot_be_ticked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        read(tmp_path / "plan.json", json.dumps(PLAN), ticks=True)


def test_concurrent_edits_of_the_file_take_effect(tmp_path: Path) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text("- [ ] A\n- [ ] B\n- [ ] C (after: a)\n")
    file = TaskList(plan)
    first, second = file.board().ready
    plan.write_text("- [x] A\n- [ ] B\n- [ ] C (after: a)\n- [ ] D\n")
    assert (file.take(first), file.take(second)) == (False, True)
    assert [item.id for item in file.board().ready] == ["b", "c", "d"]
    file.finish("b", {"status": "completed"})
    plan.write_text("- [ ] B\n- [ ] D\n")
    assert [item.id for item in file.board().ready] == ["d"]
    assert (file.is_open("c"), file.is_open("b"), file.is_open("d")) == (False, False, True)


def test_a_file_that_has_become_invalid_starts_no_task(tmp_path: Path) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text("- [ ] A\n")
    file = TaskList(plan)
    plan.write_text("- [ ] A (after: nothing)\n")
    with pytest.raises(UsageError):
        file.board()
