"""The format of a plan is recognized by its content."""

from __future__ import annotations

import pytest

from orchctl.plans.shape import PlanError
from tests.orchctl.plans.plan_texts import read, wave_ids


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("- [ ] T001 A\n- [ ] All is well\n- [ ] All is good\n", "spec-kit"),
        ("- [ ] 1. A\n- [ ] 2. B\n", "kiro"),
        ("- [ ] 1.1 A\n  - _Requirements: 1_\n", "kiro"),
        ("## 1. G\n- [ ] 1.1 A\n- [ ] 1.2 B\n", "openspec"),
        ("- [ ] A\n- [ ] 3 B\n- [ ] 2024 C\n", "checklist"),
        ("- [ ] T001 A (id: a)\n- [ ] B (after: a)\n", "checklist"),
        ('\ufeff{"tasks": [{"id": 1, "title": "A"}]}', "task-master"),
        ('{"v1": {"tasks": [{"id": 1, "title": "A"}]}}', "task-master"),
    ],
)
def test_the_format_is_detected_from_the_text(text: str, name: str) -> None:
    assert read(text).format == name


def test_a_requested_format_overrides_the_detected_format() -> None:
    text = "- [ ] 1. A\n- [ ] 2. B\n"
    assert wave_ids(read(text, format="checklist")) == [["1.-a", "2.-b"]]
    assert wave_ids(read(text, format="openspec")) == [["1"], ["2"]]
    with pytest.raises(PlanError, match="is read as kiro, which has no tags"):
        read(text, tag="x")


def test_a_plan_without_tasks_or_with_too_long_an_id_is_refused() -> None:
    with pytest.raises(PlanError, match="contains no tasks"):
        read("# Nothing\n")
    with pytest.raises(PlanError, match="an id has 201 characters: at most 200 are allowed"):
        read(f"- [ ] x (id: {'x' * 201})\n")
