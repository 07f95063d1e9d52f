"""`orchctl tasks new|list|check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.tasks.task_file import read
from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl
from tests.orchctl.tasks.files import result, task


def test_a_new_task_file_has_its_options_and_a_prompt_template(
    orchctl: Orchctl, tmp_path: Path, stopped: Instance
) -> None:
    words = (
        "--goal",
        "Sign in: with e-mail",
        "--skill",
        "backend",
        "--runner",
        "mock",
        "--model",
        "m",
        "--timeout",
        "15m",
    )
    result = orchctl("tasks", "new", "api", *words, "--after", "schema", "--after", "subtask-ui")
    assert result == (0, "docs/tasks/subtask-api.md\n", "")
    task = read(tmp_path / "docs/tasks/subtask-api.md", "f")
    assert (task.name, task.goal, task.skill, task.runner, task.model) == (
        "api",
        "Sign in: with e-mail",
        "backend",
        "mock",
        "m",
    )
    assert (task.after, task.timeout) == (("schema", "ui"), 900.0)
    assert task.body.startswith("# api\n\nSign in: with e-mail\n\n## Boundaries\n")
    assert "docs/tasks/results/api.md" in task.body
    assert not stopped.home.socket.exists()


def test_a_task_name_may_have_the_prefix_of_its_file(orchctl: Orchctl, tmp_path: Path) -> None:
    result = orchctl("tasks", "new", "subtask-A", "--goal", "x", "--dir", "work/", "--json")
    assert json.loads(result.out) == {"name": "A", "path": str(tmp_path / "work/subtask-A.md")}


def test_new_refuses_a_directory_that_is_not_utf_8(orchctl: Orchctl, tmp_path: Path) -> None:
    result = orchctl("tasks", "new", "x", "--goal", "y", "--dir", "l\udce9")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(r"not-utf-8: the file contains the path of its result, and 'l\udce9' is not UTF-8; ")
    assert list(tmp_path.iterdir()) == []


def test_new_reports_a_directory_that_is_a_file(orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    result = orchctl("tasks", "new", "a", "--goal", "x", "--dir", "f")
    way_out = "Move it away, or give another path"
    assert (result.code, result.err) == (1, f"system: File exists: {tmp_path}/f. {way_out}\n")


def test_new_does_not_overwrite_an_existing_task(orchctl: Orchctl, tmp_path: Path) -> None:
    orchctl("tasks", "new", "a", "--goal", "first")
    result = orchctl("tasks", "new", "a", "--goal", "second")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("exists: docs/tasks/subtask-a.md already exists; ")
    assert read(tmp_path / "docs/tasks/subtask-a.md", "f").goal == "first"


def test_the_prompt_may_come_from_a_file_or_from_stdin(orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "body.txt").write_text("From a file.\n")
    orchctl("tasks", "new", "a", "--goal", "x", "--body", "body.txt")
    orchctl("tasks", "new", "b", "--goal", "x", "--body", "-", input="From stdin.\n")
    bodies = [read(tmp_path / f"docs/tasks/subtask-{name}.md", "f").body for name in "ab"]
    assert bodies == ["From a file.", "From stdin."]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("../up", "--goal", "x"), "bad-name: '../up' is not a valid name; "),
        (("agent-001", "--goal", "x"), "bad-name: 'agent-001' is reserved for ids of agents and runs; "),
        (("a",), "usage: a has no goal: orchctl tasks new a --goal TEXT"),
        (("a", "--goal", "x", "--timeout", "soon"), "usage: timeout: 'soon' is not a valid duration; "),
        (("a", "--goal", "x\ny"), "usage: 'x\\ny' contains a character that cannot be shown on one line; "),
        (("a", "--goal", "x" * 4097), "usage: --goal must be at most 4,096 characters"),
        (("a", "--goal", "x", "--body", "nowhere"), "usage: --body: nowhere cannot be read: "),
    ],
)
def test_new_refuses_invalid_arguments_and_writes_nothing(
    orchctl: Orchctl, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result = orchctl("tasks", "new", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
    assert not (tmp_path / "docs").exists()


def test_check_reports_all_mistakes_at_once(orchctl: Orchctl, tmp_path: Path) -> None:
    tasks = tmp_path / "docs/tasks"
    task(tasks, "a", "goal: x: y", "tiemout: 3")
    task(tasks, "b", "goal: x", "retries: many")
    result = orchctl("tasks", "check")
    assert (result.code, result.err) == (1, "")
    assert [line.partition("; ")[0] for line in result.out.splitlines()] == [
        "error: docs/tasks/subtask-a.md line 2: 'x: y' contains a `:`, which has a meaning in YAML",
        "error: docs/tasks/subtask-a.md line 3: unknown key `tiemout`",
        "error: docs/tasks/subtask-b.md line 3: retries: 'many' is not a valid integer",
        "0 tasks, errors: 3",
    ]


def test_check_compares_tasks_that_are_valid_by_themselves(orchctl: Orchctl, tmp_path: Path) -> None:
    tasks = tmp_path / "work"
    task(tasks, "a", "goal: x", "files: [src]")
    task(tasks, "b", "goal: x", "files: [src/b.py]", "skill: nowhere")
    result = json.loads(orchctl("tasks", "check", "work", "--json").out)
    assert result["valid"] is False
    assert [(problem["code"], problem["file"], problem["line"]) for problem in result["errors"]] == [
        ("not-independent", "work/subtask-b.md", 3)
    ]
    assert [(problem["code"], problem["line"]) for problem in result["warnings"]] == [("unknown-skill", 4)]
    task(tasks, "b", "goal: x", "after: [a]", "files: [src/b.py]")
    assert orchctl("tasks", "check", "work") == (0, "2 tasks, all valid\n", "")


def test_check_reports_a_missing_tasks_directory(orchctl: Orchctl) -> None:
    result = orchctl("tasks", "check")
    assert result.code == 1
    assert result.out.startswith(
        "error: docs/tasks: no such directory; create a task: orchctl tasks new NAME --goal TEXT"
    )


def test_list_shows_the_state_of_each_task(orchctl: Orchctl, tmp_path: Path, stopped: Instance) -> None:
    tasks = tmp_path / "docs/tasks"
    task(tasks, "ui", "goal: Build it", "after: [schema]")
    task(tasks, "schema", "goal: Design it")
    result(tasks, "schema")
    assert (
        orchctl("tasks", "list").out
        == "schema  done                   Design it\nui      missing  after schema  Build it\n"
    )
    assert not stopped.home.socket.exists()
    first, second = json.loads(orchctl("tasks", "list", "--json").out)["tasks"]
    assert (first["name"], first["state"], first["result"]) == ("schema", "done", str(tasks / "results/schema.md"))
    assert (second["after"], second["state"], second["agent"]) == (["schema"], "missing", None)


def test_list_shows_the_agents_of_tasks_when_a_daemon_runs(
    instance: Instance, orchctl: Orchctl, tmp_path: Path, gate: Callable[[], None]
) -> None:
    tasks = tmp_path / "docs/tasks"
    for name in ("a", "b"):
        task(tasks, name, "goal: x")
    options = ["--result", str(tasks / "results/a.md")]
    instance.spawn("sh", "-c", f"read x <{tmp_path}/gate; exit 3", options=options)
    assert orchctl("tasks", "list").out.splitlines() == ["a  running: agent-001  x", "b  missing             x"]
    gate()
    orchctl("wait", "1")
    assert orchctl("tasks", "list").out.splitlines() == [
        "a  failed: agent-001, exit 3  x",
        "b  missing                    x",
    ]


def test_list_refuses_invalid_tasks(orchctl: Orchctl, tmp_path: Path) -> None:
    task(tmp_path / "docs/tasks", "a", "goal: x", "after: [b]")
    result = orchctl("tasks", "list")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("unknown-dependency: docs/tasks/subtask-a.md line 3: unknown task 'b'; ")


def test_check_counts_further_errors_and_shows_them_with_all(orchctl: Orchctl, tmp_path: Path) -> None:
    for number in range(9):
        task(tmp_path / "docs/tasks", f"t{number}", "goal: x", "files: [src]")
    result = orchctl("tasks", "check")
    assert result.out.splitlines()[-2:] == ["and 16 more errors: --all shows them", "9 tasks, errors: 36"]
    assert orchctl("tasks", "check", "--all").out.count("error: ") == 36
    assert len(json.loads(orchctl("tasks", "check", "--json").out)["errors"]) == 36
