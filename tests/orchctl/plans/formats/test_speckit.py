"""The tasks.md of spec-kit."""

from __future__ import annotations

import pytest

from orchctl.plans.order import shared, waves
from orchctl.plans.shape import PlanError
from tests.orchctl.plans.plan_texts import changed_lines, read, reasons, wave_ids

PLAN = """---

description: "Tasks"
---

# Tasks: Shop

**Input**: documents beside this file

## Phase 1: Setup

**Purpose**: a project

- [x] T001 Make the project
- [ ] T002 [P] Configure linting in .eslintrc.json
- [ ] T003 [P] Configure tests in `tests/conftest.py`
- [ ] T004 Set up CI

---

## Phase 2: User Story 1 - Sign in (Priority: P1)

### Tests

- [ ] T005 [P] [US1] Contract test in tests/login.py
- [ ] T006 [P] [US1] Unit test (depends on T005)

### Implementation

- [ ] T007 [US1] Implement the service in src/login.py
  and wire it in src/app.py
- [ ] **T008** [P] [US1]: Add the page
- [ ] T009 [P] [US1] Add the text
- [ ] T010 Review all

## Dependencies

- T009 depends on T008.

```text
- [ ] T011 only an example
```
"""


def test_phases_and_sections_are_sequential_and_marked_tasks_are_parallel() -> None:
    plan = read(PLAN)
    assert plan.format == "spec-kit"
    assert wave_ids(plan) == [["T002", "T003"], ["T004"], ["T005"], ["T006"], ["T007"], ["T008"], ["T009"], ["T010"]]
    assert reasons(plan) == {
        "T004": "after T002, T003 (in order)",
        "T005": "after T004 (Phase 1: Setup)",
        "T006": "after T005; after T004 (Phase 1: Setup)",
        "T007": "after T005, T006 (Tests)",
        "T008": "after T007 (in order)",
        "T009": "after T007 (in order); after T008",
        "T010": "after T008, T009 (in order)",
    }


def test_labels_files_titles_and_sections_are_read() -> None:
    tasks = {task.id: task for task in read(PLAN).tasks}
    assert tasks["T007"].title == "Implement the service in src/login.py and wire it in src/app.py"
    assert tasks["T007"].files == ("src/login.py", "src/app.py")
    assert tasks["T003"].files == ("tests/conftest.py",)
    assert (tasks["T008"].title, tasks["T008"].labels) == ("Add the page", ("US1",))
    assert tasks["T008"].section == "Phase 2: User Story 1 - Sign in (Priority: P1) / Implementation"
    assert (tasks["T004"].labels, tasks["T001"].is_done) == ((), True)


def test_a_done_section_does_not_unblock_tasks_after_an_open_section() -> None:
    text = "## A\n- [ ] T001 One\n## B\n- [x] T002 Two\n## C\n- [ ] T003 Three\n"
    assert reasons(read(text)) == {"T003": "after T001 (A)"}


@pytest.mark.parametrize(
    ("description", "after"),
    [
        ("(depends on T001, T002)", ["T001", "T002"]),
        ("Depends on T001 and T002.", ["T001", "T002"]),
        ("(depends on T001/T002, same file)", ["T001", "T002"]),
        ("(depends on T001\u2013T003)", ["T001", "T002", "T003"]),
        ("blocked by `T002`", ["T002"]),
        ("(after T002)", ["T002"]),
        ("\n  - **Dependencies**: T001, T003", ["T001", "T003"]),
        ("which does not depend on T001", []),
        ("as T001 does", []),
    ],
)
def test_dependencies_are_read_from_the_description(description: str, after: list[str]) -> None:
    before = "".join(f"- [ ] T00{number} [P] Do it\n" for number in (1, 2, 3))
    task = read(f"{before}- [ ] T004 [P] Do more {description}\n").tasks[-1]
    assert sorted(task.after) == after


def test_a_checkbox_without_id_is_a_task_and_a_nested_checkbox_a_criterion() -> None:
    plan = read("- [ ] T001 Do it\n  - [ ] it works\n\n## Checks\n- [ ] All pass\n- [ ] All pass\n")
    assert wave_ids(plan) == [["T001"], ["all-pass"], ["all-pass-2"]]
    assert plan.tasks[0].acceptance == "- [ ] it works"


def test_other_marks_hold_the_task_and_its_dependents() -> None:
    plan = read("- [-] T001 Begun\n- [~] T002 [P] Half\n- [ ] ~~T003~~ [P] Dropped\n- [ ] T004 Last\n")
    assert wave_ids(plan) == []
    assert reasons(plan) == {
        "T001": "in progress: set it back to open if no agent works on it",
        "T002": "its box is [~]: set it back to open to start it",
        "T003": "struck out: set it back to open to start it",
        "T004": "after T002, T003 (in order)",
    }


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("- [ ] T001 One\n\n- [ ] T001 Two\n", 3, "the id 'T001' is already used in line 1"),
        ("- [ ] T001 One (depends on T009)\n", 1, "'T001' depends on the unknown task 'T009'"),
        ("- [ ] T001 One (depends on T002)\n- [ ] T002 Two\n", 1, "dependency cycle: T001 -> T002"),
    ],
)
def test_duplicate_ids_unknown_dependencies_and_cycles_are_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        read(text)
    assert caught.value.line == line
    assert message in str(caught.value)


def test_a_duplicate_id_is_accepted_if_both_tasks_are_done() -> None:
    assert wave_ids(read("- [x] T001 One\n- [x] T001 Two\n- [ ] T002 Three\n")) == [["T002"]]


def test_parallel_tasks_that_name_the_same_file_are_noted() -> None:
    plan = read("- [ ] T001 [P] A in src/a.py\n- [ ] T002 [P] B in src/a.py\n- [ ] T003 C in src/a.py\n")
    assert [*shared(waves(plan, (), {}))] == ["T001, T002 name the same file and may run at the same time: src/a.py"]


def test_a_tick_keeps_the_mark_style_and_line_ends_of_the_file() -> None:
    assert changed_lines("- [X] T001 a\r\n- [ ] T002 b\r\n", ("T002", "done")) == ["- [X] T002 b\r"]
    assert changed_lines(PLAN, ("T008", "active"), ("T008", "done")) == ["- [x] **T008** [P] [US1]: Add the page"]
    assert changed_lines(PLAN, ("T001", "open"), ("T011", "done")) == []
