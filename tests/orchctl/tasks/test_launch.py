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


def test_what_is_done_is_left_alone_what_is_on_its_way_too_and_the_rest_is_run() -> None:
    states = {"a": TaskState(DONE), "b": TaskState("running", "", agent(3)), "c": TaskState(OUTDATED, "x")}
    choice = chosen(TASKS, states, Wanted())
    assert (names(choice.run), names(choice.going), names(choice.done)) == ("c", "b", "a")
    second_choice = chosen(TASKS, states, Wanted(is_again=True))
    assert (names(second_choice.run), names(second_choice.going), names(second_choice.done)) == ("ac", "b", "")


def test_what_failed_or_was_skipped_is_run_again() -> None:
    states = {
        "a": TaskState(DONE),
        "b": TaskState("failed", "", ended(3, status="failed")),
        "c": TaskState("skipped", "", ended(4)),
    }
    assert names(chosen(TASKS, states, Wanted()).run) == "bc"


def test_only_some_are_run_if_what_they_come_after_is_there() -> None:
    states = {**ALL_MISSING, "a": TaskState(DONE)}
    assert names(chosen(TASKS, states, Wanted(only=("b",))).run) == "b"
    with pytest.raises(RefusedError, match=r"'c' comes after 'b', which is missing; add `--only b`"):
        chosen(TASKS, states, Wanted(only=("c",)))
    assert (
        names(
            chosen(TASKS, {**states, "b": TaskState("queued", "", agent(3, status="queued"))}, Wanted(only=("c",))).run
        )
        == "c"
    )
    assert names(chosen(TASKS, {**states, "b": TaskState(OUTDATED)}, Wanted(only=("c",))).run) == "c"


def test_a_name_that_is_no_task_comes_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"--only unknown task 'aa'; did you mean 'a'\?"):
        launch.known(TASKS, ["aa"])
    with pytest.raises(UsageError, match="there are a, b, c"):
        launch.known(TASKS, ["zzzz"])


def test_after_is_a_name_of_the_request_the_id_of_one_on_its_way_or_nothing() -> None:
    states = {"a": TaskState(DONE), "b": TaskState("running", "", agent(3)), "c": TaskState(MISSING)}
    (only,) = specs(chosen(TASKS, states, Wanted()), states, RESULTS, Wanted())
    assert only["after"] == ["agent-003"]
    every = specs(chosen(TASKS, ALL_MISSING, Wanted()), ALL_MISSING, RESULTS, Wanted())
    assert [spec.get("after") for spec in every] == [None, ["a"], ["a", "b"]]
    assert every[0]["tokens"] == 10_000 + -(-len(TASKS[0].body) // 4)


def test_an_agent_is_what_the_file_says_and_the_command_line_where_it_says_nothing() -> None:
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


def test_prompts_name_the_results_to_read_wherever_they_are(tmp_path: Path) -> None:
    results = tmp_path / "results"
    result(tmp_path, "subtask-a")
    (results / ".prompts").mkdir()
    launch.write_prompts([TASKS[2]], results, tmp_path)
    text = (results / ".prompts/c.md").read_text()
    assert f"- {results}/subtask-a.md\n- {results}/b.md\n" in text
    assert f"    {results}/c.md\n" in text


def test_a_skill_that_is_found_stands_first(tmp_path: Path) -> None:
    skill = tmp_path / "skills/mine/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: mine\n---\n# How to\n")
    (tmp_path / "results/.prompts").mkdir(parents=True)
    launch.write_prompts([TaskFile(tmp_path, "a", "x", "mine")], tmp_path / "results", tmp_path)
    assert (tmp_path / "results/.prompts/a.md").read_text().startswith("# How to\n\n# a\n\nx\n")


def test_old_results_are_out_of_the_way_and_back_when_it_comes_to_nothing(tmp_path: Path) -> None:
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


def test_conditions_go_with_names_and_with_agents_that_are_on_their_way() -> None:
    choice = chosen(BEHIND, ALL_MISSING, Wanted())
    conditions = {spec["name"]: spec.get("after") for spec in specs(choice, ALL_MISSING, RESULTS, Wanted())}
    assert conditions == {"a": None, "b": ["a:failed"], "c": ["a", "b:any"]}
    states_running = {**ALL_MISSING, "a": TaskState("running", "", agent(3))}
    conditions = {
        spec["name"]: spec["after"]
        for spec in specs(chosen(BEHIND, states_running, Wanted()), states_running, RESULTS, Wanted())
    }
    assert conditions == {"b": ["agent-003:failed"], "c": ["agent-003", "b:any"]}


def test_what_is_not_needed_is_left_alone_unless_what_it_comes_after_runs_again() -> None:
    states = {"a": TaskState(DONE), "b": TaskState(UNNEEDED, "why"), "c": TaskState(MISSING)}
    choice = chosen(BEHIND, states, Wanted())
    assert (names(choice.run), names(choice.done), names(choice.unneeded)) == ("c", "a", "b")
    assert "after" not in specs(choice, states, RESULTS, Wanted())[0]
    second_choice = chosen(BEHIND, states, Wanted(is_again=True))
    assert (names(second_choice.run), names(second_choice.unneeded)) == ("abc", "")


@pytest.mark.parametrize(
    ("word", "runs"), [("failed", True), ("timed-out", True), ("lost", True), ("cancelled", False), (MISSING, False)]
)
def test_a_task_for_a_failure_runs_alone_after_one(word: str, runs: bool) -> None:
    states = {**ALL_MISSING, "a": TaskState(word, "", ended(3, status=word) if word != MISSING else None)}
    if runs:
        assert names(chosen(BEHIND, states, Wanted(only=("b",))).run) == "b"
        return
    with pytest.raises(RefusedError, match=f"'b' comes after 'a:failed', which is {word}"):
        chosen(BEHIND, states, Wanted(only=("b",)))


def test_a_prompt_marks_results_that_may_not_exist(tmp_path: Path) -> None:
    (tmp_path / ".prompts").mkdir()
    launch.write_prompts(BEHIND[1:], tmp_path, tmp_path, BEHIND)
    assert "a.md, if it exists: a has failed\n" in (tmp_path / ".prompts/b.md").read_text()
    assert "a.md\n" in (text := (tmp_path / ".prompts/c.md").read_text())
    assert "b.md, if it exists: b may have failed\n" in text
