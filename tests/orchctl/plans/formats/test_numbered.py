"""The tasks.md of Kiro and of OpenSpec."""

from __future__ import annotations

import pytest

from orchctl.plans.shape import PlanError
from tests.orchctl.plans.plan_texts import changed_lines, read, reasons, wave_ids

KIRO = """# Implementation Plan

- [x] 1. Set up
- [ ] 2. Data layer
  - Tables for users
  - [ ] 2.1 Model in `src/model.ts`
    - Fields and types
    - _Requirements: 1.1, 3.2_
  - [ ]* 2.2 Property test
  - [ ] 2.3 Repository
- [-] 3. API
  - [x] 3.1 Routes
  - [ ] 3.2 Handlers
- [ ] 4. Checkpoint - all tests pass
  - Ask when in doubt.
"""
GRAPH = """
## Task Dependency Graph

```json
{
  "waves": [
    { "id": 0, "tasks": ["2.1", "3.2"] },
    { "id": 1, "tasks": ["2.2", "2.3"] }
  ]
}
```
"""
OPENSPEC = """## 1. Schema

- [x] 1.1 Add the table
- [ ] 1.2 Add the index

## 2. API

- [ ] 2.1 Add the route
  - [ ] answers 404 for what is not there
- [ ] 2.10 Add the last
"""


def test_leaf_tasks_are_run_in_the_order_of_their_numbers() -> None:
    plan = read(KIRO)
    assert plan.format == "kiro"
    assert wave_ids(plan) == [["2.1"], ["2.3"], ["3.2"], ["4"]]
    assert [group.id for group in plan.groups] == ["2", "3"]
    assert reasons(plan)["2.2"] == "optional: use --optional to start it"
    model = plan.tasks[1]
    assert (model.title, model.files) == ("Model in `src/model.ts`", ("src/model.ts",))
    assert model.description == (
        "Part of 2: Data layer\n\n- Tables for users\n\n- Fields and types\n- _Requirements: 1.1, 3.2_"
    )


def test_optional_tasks_join_the_order_only_on_request() -> None:
    assert wave_ids(read(KIRO, with_optional=True)) == [["2.1"], ["2.2"], ["2.3"], ["3.2"], ["4"]]
    assert wave_ids(read("- [ ] 1. A\n- [ ]\\* 1.1 B\n- [ ] 1.2 C\n")) == [["1.2"]]


def test_tasks_do_not_wait_for_optional_tasks_that_are_not_started() -> None:
    text = "- [ ] 1. A\n  - [ ]* 1.1 B\n  - [ ] 1.2 C (depends on 1.1)\n- [ ] 2. D (depends on 1)\n"
    assert wave_ids(read(text)) == [["1.2"], ["2"]]
    assert list(read(text).tasks[-1].after) == ["1.2"]


def test_a_task_in_progress_is_not_taken() -> None:
    plan = read("- [-] 1. A\n  - [-] 1.1 B\n  - [ ] 1.2 C\n- [ ] 2. D\n")
    assert wave_ids(plan) == []
    assert reasons(plan)["1.2"] == "after 1.1 (in order)"


def test_a_dependency_graph_replaces_the_order_of_numbers() -> None:
    plan = read(KIRO + GRAPH)
    assert wave_ids(plan) == [["2.1", "3.2"], ["2.3"], ["4"]]
    assert reasons(plan)["2.3"] == "after 2.1, 3.2 (wave 0 of the dependency graph)"
    assert wave_ids(read(KIRO + GRAPH.replace('["2.2", "2.3"]', '["4"]'))) == [["2.1", "3.2"], ["2.3", "4"]]


def test_waves_are_ordered_by_id_or_by_position_if_an_id_is_missing() -> None:
    swapped = GRAPH.replace('"id": 0', '"id": 7')
    assert wave_ids(read(KIRO + swapped)) == [["2.3"], ["2.1", "3.2"], ["4"]]
    assert reasons(read(KIRO + swapped))["2.1"] == "after 2.3 (wave 1 of the dependency graph)"
    assert wave_ids(read(KIRO + swapped.replace('"id": 1, ', ""))) == [["2.1", "3.2"], ["2.3"], ["4"]]


@pytest.mark.parametrize(
    ("graph", "line", "message"),
    [
        (GRAPH.replace("2.3", "9.9"), 19, "the dependency graph contains the unknown task '9.9'"),
        (GRAPH.replace("] },", "] }"), 23, "the dependency graph is not JSON: Expecting ',' delimiter"),
        (GRAPH.replace('"id": 1', '"id": 0'), 19, "two waves of the dependency graph have the id 0"),
        (GRAPH.replace('"tasks"', '"task"'), 19, "a wave of the dependency graph must be like"),
    ],
)
def test_an_invalid_dependency_graph_is_refused(graph: str, line: int, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        read(KIRO + graph)
    assert caught.value.line == line
    assert message in str(caught.value)


def test_a_group_is_ticked_with_its_last_required_task() -> None:
    assert changed_lines(KIRO, ("2.1", "active")) == ["- [-] 2. Data layer", "  - [-] 2.1 Model in `src/model.ts`"]
    assert changed_lines(KIRO, ("2.1", "active"), ("2.1", "open")) == []
    assert changed_lines(KIRO, ("2.1", "done")) == ["- [-] 2. Data layer", "  - [x] 2.1 Model in `src/model.ts`"]
    group_done = changed_lines(KIRO, ("2.1", "done"), ("2.3", "done"))
    assert group_done == ["- [x] 2. Data layer", "  - [x] 2.1 Model in `src/model.ts`", "  - [x] 2.3 Repository"]
    assert changed_lines(KIRO, ("3.2", "done")) == ["- [x] 3. API", "  - [x] 3.2 Handlers"]


def test_open_tasks_in_a_done_group_count_as_done_and_are_noted() -> None:
    plan = read("- [x] 1. A\n  - [ ] 1.1 B\n  - [ ]* 1.2 C\n- [ ] 2. D\n")
    assert wave_ids(plan) == [["2"]]
    assert plan.notes == ["line 1: 1 is done; taken as done with it: 1.1"]


def test_a_group_with_only_optional_tasks_is_itself_a_task() -> None:
    text = "- [ ] 1. A\n  - Do it\n  - [ ]* 1.1 Test\n- [ ] 2. B\n"
    assert wave_ids(read(text)) == [["1"], ["2"]]
    assert wave_ids(read(text, with_optional=True)) == [["1"], ["1.1"], ["2"]]
    assert read(text).tasks[0].description == "- Do it"
    assert changed_lines(text, ("1", "done")) == ["- [x] 1. A"]


def test_a_done_group_does_not_unblock_tasks_after_an_open_task() -> None:
    text = "- [ ] 1. A\n- [x] 2. B\n  - [ ] 2.1 C\n  - [ ]* 2.2 D\n- [ ] 3. E\n"
    assert reasons(read(text)) == {"2.2": "optional: use --optional to start it", "3": "after 1 (in order)"}
    assert wave_ids(read(text, with_optional=True)) == [["1"], ["2.2"], ["3"]]


def test_numbers_form_groups_without_nested_lists() -> None:
    plan = read("- [ ] 1. A\n- [ ] 1.1 B\n- [ ] 1.2.1 C\n- [ ] 2. D (depends on 1)\n")
    assert wave_ids(plan) == [["1.1"], ["1.2.1"], ["2"]]
    assert list(plan.tasks[2].after) == ["1.1", "1.2.1"]


def test_dependencies_are_read_by_number_and_name_but_requirements_are_not() -> None:
    text = "- [ ] 1.1 (P) A\n- [ ] 1.2 (P) B\n  - _Requirements: 9.9_\n- [ ] 1.3 (P) C\n  - _Depends: 1.1, 1.2_\n"
    plan = read(text, format="kiro")
    assert wave_ids(plan) == [["1.1", "1.2"], ["1.3"]]
    named = read("- [ ] **CORE-1: A**\n- [ ] **CORE-2: B**\n  - **Dependencies:** CORE-1\n")
    assert [(task.id, task.title) for task in named.tasks] == [("CORE-1", "A"), ("CORE-2", "B")]


def test_openspec_has_groups_as_headings_and_no_mark_for_progress() -> None:
    plan = read(OPENSPEC)
    assert plan.format == "openspec"
    assert wave_ids(plan) == [["1.2"], ["2.1"], ["2.10"]]
    assert plan.tasks[2].acceptance == "- [ ] answers 404 for what is not there"
    assert changed_lines(OPENSPEC, ("1.2", "active")) == []
    assert changed_lines(OPENSPEC, ("1.2", "done")) == ["- [x] 1.2 Add the index"]


def test_the_order_follows_numbers_only_if_every_task_has_a_number() -> None:
    assert wave_ids(read("- [ ] 10. C\n- [ ] 2. B\n- [ ] 1. A\n")) == [["1"], ["2"], ["10"]]
    assert wave_ids(read("- [ ] 2. B\n- [ ] Look\n- [ ] 1. A\n")) == [["2"], ["look"], ["1"]]


def test_a_duplicate_number_is_refused() -> None:
    with pytest.raises(PlanError, match="the id '1.1' is already used in line 1"):
        read("- [ ] 1.1 A\n- [x] 1.1 B\n")
