"""The tasks.json of Task Master."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchctl.plans.shape import PlanError
from tests.orchctl.plans.plan_texts import changed_lines, marked_text, read, reasons, wave_ids

TASKS: list[dict[str, Any]] = [
    {"id": 1, "title": "Set up", "status": "done", "subtasks": [{"id": 1, "title": "Old", "status": "pending"}]},
    {
        "id": 2,
        "title": "API",
        "description": "For the shop.",
        "details": "In src/api.ts, with tests.",
        "testStrategy": "Call it.",
        "status": "pending",
        "priority": "high",
        "dependencies": [1],
        "subtasks": [
            {"id": 1, "title": "Routes", "dependencies": []},
            {"id": 2, "title": "Handlers", "status": "pending", "dependencies": [1]},
            {"id": 3, "title": "Docs", "status": "pending", "dependencies": ["2.1"], "priority": "low"},
        ],
    },
    {"id": "3", "title": "UI", "status": "pending", "dependencies": ["2"], "priority": "critical"},
    {"id": 4, "title": "Later", "status": "deferred", "subtasks": [{"id": 1, "title": "Part", "status": "pending"}]},
    {"id": 5, "title": "Begun", "status": "in-progress", "dependencies": [1]},
]


def text(tasks: list[dict[str, Any]] = TASKS, **tags: Any) -> str:
    """A file with these tasks."""
    return json.dumps({"master": {"tasks": tasks, "metadata": {"n": 1}}, **tags}, indent=2, ensure_ascii=False)


def test_subtasks_are_the_tasks_to_run_in_the_order_of_dependencies() -> None:
    plan = read(text())
    assert (plan.format, plan.tag) == ("task-master", "master")
    assert wave_ids(plan) == [["2.1"], ["2.2", "2.3"], ["3"]]
    assert reasons(plan) == {
        "2.2": "after 2.1",
        "2.3": "after 2.1",
        "3": "after 2.1, 2.2, 2.3",
        "4.1": "its group 4 is deferred: set it back to open to start it",
        "5": "in progress: set it back to open if no agent works on it",
    }
    assert plan.notes == ["line 4: 1 is done; taken as done with it: 1.1"]


def test_texts_priorities_and_files_are_read() -> None:
    tasks = {task.id: task for task in read(text()).tasks}
    assert tasks["2.1"].description == "Part of 2: API\n\nFor the shop.\n\nIn src/api.ts, with tests."
    assert [tasks[task_id].priority for task_id in ("2.1", "2.3", "3", "5")] == [1, 3, 0, 2]
    plain = read(json.dumps({"tasks": [{**TASKS[1], "subtasks": []}]}).replace("[1]", "[]"))
    assert (plain.tasks[0].acceptance, plain.tasks[0].files, plain.tag) == ("Call it.", ("src/api.ts",), None)


def test_a_bare_number_in_a_subtask_means_a_sibling_or_else_a_task() -> None:
    parts = [{"id": 1, "title": "a"}, {"id": "2.2", "title": "b", "dependencies": [1, 7]}]
    tasks = [{"id": 2, "title": "A", "subtasks": parts}, {"id": 7, "title": "B"}]
    assert reasons(read(text(tasks))) == {"2.2": "after 2.1, 7"}


def test_the_tag_is_the_requested_tag_or_else_the_current_tag() -> None:
    two_tags = text(later={"tasks": [{"id": 9, "title": "Later"}]})
    assert wave_ids(read(two_tags, tag="later")) == [["9"]]
    assert wave_ids(read(two_tags, current="later")) == [["9"]]
    assert read(two_tags, current="gone").tag == "master"
    assert read(json.dumps({"v2": {"tasks": [{"id": 9, "title": "x"}]}})).tag == "v2"
    with pytest.raises(PlanError, match="has no tag 'other': choose one with --tag: later, master"):
        read(two_tags, tag="other")


def test_statuses_are_written_and_every_other_byte_stays() -> None:
    original = text()
    assert changed_lines(original, ("3", "active")) == ['        "status": "in-progress",']
    assert changed_lines(original, ("3", "active"), ("3", "open")) == []
    assert changed_lines(original, ("2.2", "done")) == [
        '        "status": "in-progress",',
        '            "status": "done",',
    ]
    assert changed_lines(original, ("4.1", "done")) == ['            "status": "done"']
    assert changed_lines(original, ("5", "done")) == ['        "status": "done",']


def test_a_status_that_is_missing_is_added() -> None:
    done_text = text([{"id": 1, "title": "A"}])
    after = marked_text(done_text, "1", "done")
    assert after == done_text.replace('"id": 1,\n', '"id": 1,\n        "status": "done",\n')
    assert json.loads(marked_text('{"tasks":[{"id":"é"}]}', "é", "done")) == {"tasks": [{"id": "é", "status": "done"}]}


def test_a_group_is_done_with_its_last_task() -> None:
    original = text()
    after = changed_lines(original, ("2.2", "done"), ("2.3", "done"))
    assert after.count('        "status": "in-progress",') == 1
    parts = [{"id": 1, "title": "a", "status": "done"}, {"id": 2, "title": "b", "status": "pending"}]
    two_parts = text([{"id": 1, "title": "A", "status": "pending", "subtasks": parts}])
    assert changed_lines(two_parts, ("1.2", "done")) == ['        "status": "done",', '            "status": "done"']


@pytest.mark.parametrize(
    ("tasks", "line", "message"),
    [
        ([{"id": 1, "title": "A", "dependencies": [9]}], 4, "'1' depends on the unknown task '9'"),
        ([{"id": 1, "title": "A"}, {"id": "1", "title": "B"}], 8, "the id '1' is already used in line 4"),
        ([{"id": 1, "title": "A", "status": "dnoe"}], 4, "unknown status 'dnoe' of 1; known statuses: blocked"),
        ([{"title": "A"}], 4, "a task must be an object with an id"),
        ([{"id": 1, "title": 7}], 4, "title must be a string, not 7"),
        ([{"id": 1, "title": "A", "dependencies": 2}], 4, "dependencies must be a list, not 2"),
        (
            [{"id": 1, "title": "A", "dependencies": [2]}, {"id": 2, "title": "B", "dependencies": [1]}],
            4,
            "dependency cycle: 1 -> 2 -> 1",
        ),
    ],
)
def test_invalid_tasks_are_refused(tasks: list[dict[str, Any]], line: int, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        read(text(tasks))
    assert caught.value.line == line
    assert message in str(caught.value)


def test_invalid_json_is_reported_with_its_line() -> None:
    with pytest.raises(PlanError) as caught:
        read(text().replace('"status": "done",', '"status" "done",'), format="task-master")
    assert (caught.value.line, str(caught.value)) == (7, "column 18 is not JSON: Expecting ':' delimiter")
    for document in ("[]", '{"a": 1}', "7"):
        with pytest.raises(PlanError, match="is not a Task Master file"):
            read(document, format="task-master")


def test_an_unknown_dependency_of_a_done_task_is_ignored() -> None:
    done_task = {"id": 1, "title": "A", "status": "done", "dependencies": [9]}
    assert wave_ids(read(text([done_task, {"id": 3, "title": "B"}]))) == [["3"]]
