"""A task that depends on itself is refused as any circle is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchctl.errors import UsageError
from orchctl.plans.shape import PlanError
from orchctl.pm.task_list import TaskList
from tests.orchctl.plans.plan_texts import read, wave_ids


def master(*tasks: dict[str, object]) -> str:
    """A file of Task Master."""
    return json.dumps({"master": {"tasks": [{"title": "A", "status": "pending", **task} for task in tasks]}})


@pytest.mark.parametrize(
    ("text", "line", "task_id"),
    [
        ("- [ ] B\n- [ ] A (id: a) (after: a)\n", 2, "a"),
        ("- [ ] T001 A (depends on T001)\n", 1, "T001"),
        ("- [ ] T001 A\n- [ ] T002 B\n- [ ] T003 C (depends on T001-T003)\n", 3, "T003"),
        ("- [ ] T001 A\n\nT001 depends on T001\n", 1, "T001"),
        ("- [ ] 1. A\n  - _Depends: 1_\n", 1, "1"),
        ("- [ ] 1. A\n  - [ ] 1.1 B\n    - _Depends: 1_\n", 2, "1"),
        ("- [ ] 1. A\n  - _Depends: 1_\n  - [ ] 1.1 B\n", 3, "1"),
        (master({"id": 1, "dependencies": [1]}), 1, "1"),
    ],
)
def test_a_task_that_depends_on_itself_is_refused(text: str, line: int, task_id: str) -> None:
    with pytest.raises(PlanError) as caught:
        read(text)
    assert f"depends on {task_id!r}" in str(caught.value) or "dependency cycle" in str(caught.value)
    assert caught.value.line == line


def test_a_json_task_that_depends_on_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_text('{"id": "b", "title": "B"}\n{"id": "a", "title": "A", "after": ["a"]}\n')
    with pytest.raises(UsageError, match=r"line 2: 'a' depends on 'a', which is the task itself"):
        TaskList(path)


def test_a_done_task_may_depend_on_itself() -> None:
    assert wave_ids(read("- [x] A (id: a) (after: a)\n- [ ] B\n")) == [["b"]]


def test_a_group_may_depend_on_its_own_task() -> None:
    assert wave_ids(read("- [ ] 1. A (depends on 1.1)\n  - [ ] 1.1 B\n  - [ ] 1.2 C\n")) == [["1.1"], ["1.2"]]
