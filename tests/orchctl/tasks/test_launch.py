"""The tasks that a command runs, and their agents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchctl.errors import RefusedError, UsageError
from orchctl.tasks import launch
from orchctl.tasks.launch import Wanted, chosen, specs, without_old_results
from orchctl.tasks.states import DONE, MISSING, OUTDATED, UNNEEDED, TaskState
from orchctl.tasks.task_file import TaskFile
from orchd.protocol import schema
from orchd.protocol import specs as agentspec
from tests.orchctl.agents import agent, ended
from tests.orchctl.tasks.files import result

TASKS = [
    TaskFile(Path("subtask-a.md"), "a", "x"),
    TaskFile(Path("subtask-b.md"), "b", "x", after=("a",)),
    TaskFile(Path("subtask-c.md"), "c", "x", after=("a", "b")),
]
ALL_MISSING = {"a": TaskState(MISSING), "b": TaskState(MISSING), "c": TaskState(MISSING)}
RESULTS = Path("/w/results")


def names(tasks: tuple[TaskFile, ...]) -> str:
    """Return the names in a row."""
    return "".join(task.name for task in tasks)


def test_done_tasks_run_only_on_request_and_running_tasks_never() -> None:
    states = {"a": TaskState(DONE), "b": TaskState("running", "", agent(3)), "c": TaskState(OUTDATED, "x")}
    choice = chosen(TASKS, states, Wanted())
    assert (names(choice.run), names(choice.going), names(choice.done)) == ("c", "b", "a")
    second_choice = chosen(TASKS, states, Wanted(is_again=True))
    assert (names(second_choice.run), names(second_choice.going), names(second_choice.done)) == ("ac", "b", "")


def test_failed_and_skipped_tasks_are_run_again() -> None:
    states = {
        "a": TaskState(DONE),
        "b": TaskState("failed", "", ended(3, status="failed")),
        "c": TaskState("skipped", "", ended(4)),
    }
    assert names(chosen(TASKS, states, Wanted()).run) == "bc"


def test_a_selected_task_runs_only_if_its_dependencies_are_available() -> None:
    states = {**ALL_MISSING, "a": TaskState(DONE)}
    assert names(chosen(TASKS, states, Wanted(only=("b",))).run) == "b"
    with pytest.raises(RefusedError, match=r"'c' depends on 'b', which is missing; add `--only b`"):
        chosen(TASKS, states, Wanted(only=("c",)))
    assert (
        names(
            chosen(TASKS, {**states, "b": TaskState("queued", "", agent(3, status="queued"))}, Wanted(only=("c",))).run
        )
        == "c"
    )
    assert names(chosen(TASKS, {**states, "b": TaskState(OUTDATED)}, Wanted(only=("c",))).run) == "c"


def test_an_unknown_task_is_reported_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"--only 'aa': unknown task; did you mean 'a'\?"):
        launch.known(TASKS, ["aa"])
    with pytest.raises(UsageError, match="known tasks: a, b, c"):
        launch.known(TASKS, ["zzzz"])


def test_after_names_tasks_of_the_request_or_running_agents() -> None:
    states = {"a": TaskState(DONE), "b": TaskState("running", "", agent(3)), "c": TaskState(MISSING)}
    (only,) = specs(chosen(TASKS, states, Wanted()), states, RESULTS, Wanted())
    assert only["after"] == ["agent-003"]
    every = specs(chosen(TASKS, ALL_MISSING, Wanted()), ALL_MISSING, RESULTS, Wanted())
    assert [spec.get("after") for spec in every] == [None, ["a"], ["a", "b"]]
    assert every[0]["tokens"] == 10_000 + -(-len(TASKS[0].body) // 4)


def test_the_task_file_takes_precedence_over_the_command_line() -> None:
    bounds: dict[str, Any] = {"memory_max": 1 << 30, "cpu_max": 1.5, "pids_max": 200}
    full = TaskFile(
        Path("subtask-a.md"), "a", "x", "s", "claude", "opus", timeout=90.0, retries=2, tokens=5, nesting=1, **bounds
    )
    plain = TaskFile(Path("subtask-b.md"), "b", "y")
    options = Wanted(runner="mock", model="m", worktree=True)
    states = {"a": TaskState(MISSING), "b": TaskState(MISSING)}
    first, second = specs(chosen([full, plain], states, options), states, RESULTS, options)
    expected = agentspec.AgentSpec(
        name="a",
        goal="x",
        skill="s",
        runner="claude",
        model="opus",
        timeout=90.0,
        retries=2,
        tokens=5,
        nesting=1,
        **bounds,
        worktree=True,
        stdin="/w/results/.prompts/a.md",
        result="/w/results/a.md",
    )
    assert schema.parse(agentspec.AgentSpec, first) == expected
    assert (second["runner"], second["model"]) == ("mock", "m")


def test_prompts_name_existing_and_expected_result_paths(tmp_path: Path) -> None:
    results = tmp_path / "results"
    result(tmp_path, "subtask-a")
    (results / ".prompts").mkdir()
    launch.write_prompts([TASKS[2]], results, tmp_path)
    text = (results / ".prompts/c.md").read_text()
    assert f"- {results}/subtask-a.md\n- {results}/b.md\n" in text
    assert f"    {results}/c.md\n" in text


def test_a_prompt_begins_with_the_text_of_an_available_skill(tmp_path: Path) -> None:
    skill = tmp_path / "skills/mine/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: mine\n---\n# How to\n")
    (tmp_path / "results/.prompts").mkdir(parents=True)
    launch.write_prompts([TaskFile(tmp_path, "a", "x", "mine")], tmp_path / "results", tmp_path)
    assert (tmp_path / "results/.prompts/a.md").read_text().startswith("# How to\n\n# a\n\nx\n")


def test_old_results_are_moved_away_and_restored_on_an_error(tmp_path: Path) -> None:
    path = result(tmp_path, "a", "old")
    with without_old_results(TASKS, tmp_path / "results") as kept_results:
        assert not path.exists()
    assert [path.name for path in kept_results] == ["a.md.bak"]
    result(tmp_path, "a", "new")
    with pytest.raises(KeyError), without_old_results(TASKS, tmp_path / "results") as kept_results:
        raise KeyError
    assert (path.read_text(), [path.name for path in kept_results]) == ("new", ["a.md.bak2"])
    assert path.with_name("a.md.bak").read_text() == "old"


def test_a_prompt_is_utf_8_and_keeps_the_bytes_of_paths(tmp_path: Path) -> None:
    results = tmp_path / "l\udce9"
    (results / launch.PROMPTS).mkdir(parents=True)
    launch.write_prompts([TaskFile(Path("subtask-a.md"), "a", "caf\u00e9", body="caf\u00e9")], results, tmp_path)
    content = (results / launch.PROMPTS / "a.md").read_bytes()
    assert b"caf\xc3\xa9" in content
    assert os.fsencode(tmp_path) + b"/l\xe9/a.md" in content


BEHIND = [
    TaskFile(Path("subtask-a.md"), "a", "x"),
    TaskFile(Path("subtask-b.md"), "b", "x", after=("a",), conditions={"a": "failed"}),
    TaskFile(Path("subtask-c.md"), "c", "x", after=("a", "b"), conditions={"b": "any"}),
]


def test_conditions_are_kept_for_names_and_for_running_agents() -> None:
    choice = chosen(BEHIND, ALL_MISSING, Wanted())
    conditions = {spec["name"]: spec.get("after") for spec in specs(choice, ALL_MISSING, RESULTS, Wanted())}
    assert conditions == {"a": None, "b": ["a:failed"], "c": ["a", "b:any"]}
    states_running = {**ALL_MISSING, "a": TaskState("running", "", agent(3))}
    conditions = {
        spec["name"]: spec["after"]
        for spec in specs(chosen(BEHIND, states_running, Wanted()), states_running, RESULTS, Wanted())
    }
    assert conditions == {"b": ["agent-003:failed"], "c": ["agent-003", "b:any"]}


def test_an_unneeded_task_runs_only_if_its_dependency_runs_again() -> None:
    states = {"a": TaskState(DONE), "b": TaskState(UNNEEDED, "why"), "c": TaskState(MISSING)}
    choice = chosen(BEHIND, states, Wanted())
    assert (names(choice.run), names(choice.done), names(choice.unneeded)) == ("c", "a", "b")
    assert "after" not in specs(choice, states, RESULTS, Wanted())[0]
    second_choice = chosen(BEHIND, states, Wanted(is_again=True))
    assert (names(second_choice.run), names(second_choice.unneeded)) == ("abc", "")


@pytest.mark.parametrize(
    ("word", "runs"), [("failed", True), ("timed-out", True), ("lost", True), ("cancelled", False), (MISSING, False)]
)
def test_a_failure_task_can_be_selected_only_after_a_failure(word: str, runs: bool) -> None:
    states = {**ALL_MISSING, "a": TaskState(word, "", ended(3, status=word) if word != MISSING else None)}
    if runs:
        assert names(chosen(BEHIND, states, Wanted(only=("b",))).run) == "b"
        return
    with pytest.raises(RefusedError, match=f"'b' depends on 'a:failed', which is {word}"):
        chosen(BEHIND, states, Wanted(only=("b",)))


def test_a_prompt_marks_results_that_may_not_exist(tmp_path: Path) -> None:
    (tmp_path / ".prompts").mkdir()
    launch.write_prompts(BEHIND[1:], tmp_path, tmp_path, BEHIND)
    assert "a.md, if it exists: a has failed\n" in (tmp_path / ".prompts/b.md").read_text()
    assert "a.md\n" in (text := (tmp_path / ".prompts/c.md").read_text())
    assert "b.md, if it exists: b may have failed\n" in text
