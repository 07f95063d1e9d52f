"""Task files as tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchctl.tasks import task_file
from orchctl.tasks.problems import TasksError
from orchctl.tasks.task_file import TaskFile, read, read_all
from tests.orchctl.tasks.files import task


def problems(path: Path) -> list[tuple[int, str, str]]:
    """Return line, code and text of all problems in a file."""
    with pytest.raises(TasksError) as caught:
        read(path, path.name)
    return [(problem.line, problem.code, str(problem)) for problem in caught.value.problems]


def test_every_key_is_read(tmp_path: Path) -> None:
    path = task(
        tmp_path,
        "api",
        "name: subtask-api",
        "goal: Sign in",
        "skill: backend",
        "runner: mock",
        "model: opus",
        "after: [subtask-a, b, a]",
        "timeout: 15m",
        "retries: 2",
        "memory_max: 2G",
        "cpu_max: 150%",
        "pids_max: 200",
        "tokens: 40000",
        "nesting: 1",
        "files: src/api",
        "x-mine: anything",
    )
    assert read(path, "f") == TaskFile(
        path,
        name="api",
        goal="Sign in",
        skill="backend",
        runner="mock",
        model="opus",
        after=("a", "b"),
        timeout=900.0,
        retries=2,
        memory_max=2 << 30,
        cpu_max=1.5,
        pids_max=200,
        tokens=40000,
        nesting=1,
        files=("src/api",),
        body="Do it.",
        lines={
            key: line for line, key in enumerate([*(key for key in task_file.KEYS if key != "command"), "x-mine"], 2)
        },
    )


def test_a_command_is_a_list_of_words_and_needs_no_goal(tmp_path: Path) -> None:
    words = ["sh", "-c", "make test && echo ok"]
    path = tmp_path / "subtask-test.md"
    path.write_text(f"---\ncommand: {json.dumps(words)}\n---\n")
    task = read(path, "f")
    assert (task.command, task.goal) == (tuple(words), "sh -c 'make test && echo ok'")
    path.write_text("---\ncommand:\n  - make\n  - test\ngoal: Try it\n---\n")
    assert (read(path, "f").command, read(path, "f").goal) == (("make", "test"), "Try it")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["command: make test"], 'command must be a list; write each word separately, e.g. ["make", "test"], or'),
        (['command: [""]'], "command has no program; write the program first"),
        (["command: [make]", "runner: claude"], "runner has no effect on a command; remove one of them"),
        (["command: [make]", "model: opus"], "model has no effect on a command; remove one of them"),
    ],
)
def test_an_invalid_command_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    (problem,) = problems(task(tmp_path, "a", *lines))
    assert (problem[0], problem[1]) == (len(lines) + 1, "bad-value")
    assert message in problem[2]


@pytest.mark.parametrize(
    ("body", "goal"),
    [
        ("<!-- made by a tool -->\n\n## Fix *it* ##\nmore", "Fix *it*"),
        ("```sh\nmake\n```\nRun this\nand that", "Run this"),
        ("- one\n- two", "one"),
        ("Title\n=====\n", "Title"),
        ("```sh\nmake\n```", "```sh"),
    ],
)
def test_the_goal_is_the_first_line_of_markdown_text(tmp_path: Path, body: str, goal: str) -> None:
    assert task_file.parse(tmp_path / "subtask-a.md", body, "a").goal == goal


def test_a_file_without_front_matter_has_a_default_name_and_goal(tmp_path: Path) -> None:
    path = tmp_path / "subtask-docs.md"
    path.write_text("\n# Write the docs\n\nAll of them.\n")
    task = read(path, "f")
    assert (task.name, task.goal, task.body) == ("docs", "Write the docs", "# Write the docs\n\nAll of them.")


def test_a_key_without_a_value_is_ignored(tmp_path: Path) -> None:
    parsed = read(task(tmp_path, "a", "goal: x", "skill:", "after: []", "timeout:"), "f")
    assert (parsed.skill, parsed.after, parsed.timeout) == (None, (), None)


def test_every_mistake_is_reported_with_its_line_and_a_remedy(tmp_path: Path) -> None:
    path = task(
        tmp_path,
        "a",
        "name: ../up",
        "goal: [a, b]",
        "tiemout: 3",
        "timeout: soon",
        "retries: 1001",
        "tokens: some",
        "after: [a",
    )
    assert problems(path) == [
        (
            2,
            "bad-name",
            "subtask-a.md line 2: '../up' is not a valid name; "
            "use letters, digits, `.`, `_` and `-`, a letter or digit "
            "first, at most 100 bytes, no `.prompt` last",
        ),
        (3, "bad-value", "subtask-a.md line 3: goal must be a string, not a list; write one string"),
        (4, "unknown-key", "subtask-a.md line 4: unknown key `tiemout`; did you mean `timeout`?"),
        (
            5,
            "bad-value",
            "subtask-a.md line 5: timeout: 'soon' is not a valid duration; "
            "use seconds or a unit, e.g. 90, 90s, 15m, 2h",
        ),
        (6, "bad-value", "subtask-a.md line 6: retries must be between 0 and 1000, not 1001; correct it"),
        (7, "bad-value", "subtask-a.md line 7: tokens: 'some' is not a valid integer; write e.g. 2"),
        (
            8,
            "bad-front-matter",
            "subtask-a.md line 8: while parsing a flow sequence: expected ',' or ']', but got '<stream end>'; "
            "close lists and quotes at the end of the value, and put strings with special characters in quotes",
        ),
    ]


@pytest.mark.parametrize("name", ["agent-3", "run-001", "-a", ".a", "a/b", "a b", "", "a" * 101, "é" * 51, "a.prompt"])
def test_invalid_names_are_refused(name: str) -> None:
    assert task_file.why_no_name(name) is not None


@pytest.mark.parametrize("name", ["a", "1", "A.b-c_d", "größe", "agent", "agent-x", "a" * 100])
def test_valid_names_are_accepted(name: str) -> None:
    assert task_file.why_no_name(name) is None


def test_a_default_name_from_the_file_name_is_validated(tmp_path: Path) -> None:
    assert [code for _, code, _ in problems(task(tmp_path, "my task", "goal: x"))] == ["bad-name"]


def test_a_file_without_a_goal_is_refused(tmp_path: Path) -> None:
    assert problems(task(tmp_path, "a", "name: a", body=""))[0][:2] == (0, "no-goal")


def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "subtask-a.md").write_bytes(b"---\ngoal: \xff\n---\n")
    assert problems(tmp_path / "subtask-a.md")[0][:2] == (2, "not-utf-8")
    assert problems(tmp_path / "subtask-b.md")[0][:2] == (0, "unreadable")


def test_task_files_are_read_in_natural_order_of_names(tmp_path: Path) -> None:
    for name in ("10", "2", "b", "a"):
        task(tmp_path, name, "goal: x")
    task(tmp_path, "bad", "goal: x", "goal: y")
    (tmp_path / "notes.md").write_text("no task")
    (tmp_path / "subtask-dir.md").mkdir()
    listing = read_all(tmp_path, "docs/tasks")
    assert [task.name for task in listing.tasks] == ["2", "10", "a", "b"]
    assert [problem.file for problem in listing.problems] == ["docs/tasks/subtask-bad.md"]


@pytest.mark.parametrize(("directory", "reason"), [("", "contains no subtask-NAME.md"), ("x", "no such directory")])
def test_a_directory_without_tasks_suggests_a_command_to_create_a_task(
    tmp_path: Path, directory: str, reason: str
) -> None:
    with pytest.raises(TasksError, match=f"d: {reason}; create a task: orchctl tasks new NAME --goal TEXT"):
        read_all(tmp_path / directory, "d")


def test_a_result_is_named_after_the_task_or_its_file(tmp_path: Path) -> None:
    task = TaskFile(tmp_path / "subtask-a.md", "a")
    assert task.result(tmp_path) == tmp_path / "a.md"
    (tmp_path / "subtask-a.md").write_text("x")
    assert task.result(tmp_path) == tmp_path / "subtask-a.md"
    (tmp_path / "a.md").write_text("x")
    assert task.result(tmp_path) == tmp_path / "a.md"


def test_dependencies_may_have_conditions(tmp_path: Path) -> None:
    parsed = read(task(tmp_path, "c", 'after: ["a:failed", "subtask-b:any", "d:completed", e]'), "f")
    assert parsed.after == ("a", "b", "d", "e")
    assert parsed.conditions == {"a": "failed", "b": "any"}
    assert parsed.dependencies == ["a:failed", "b:any", "d", "e"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'after: ["a:faild"]',
            "after: 'faild' in 'a:faild' is not a valid condition; write a:completed, a:failed, a:any",
        ),
        ('after: [a, "a:any"]', "after: 'a' is given twice, with completed and any; keep one of them"),
    ],
)
def test_an_invalid_condition_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (problem,) = problems(task(tmp_path, "c", line))
    assert problem[:2] == (2, "bad-value")
    assert message in problem[2]
