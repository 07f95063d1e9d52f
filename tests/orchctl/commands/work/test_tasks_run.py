"""`orchctl tasks run`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Background, Orchctl
from tests.orchctl.tasks.files import aged, result, task

RUN = ("tasks", "run", "--runner", "mock")


@pytest.fixture
def tasks(tmp_path: Path, stopped: Instance) -> Path:
    """`a`, then `b` and `c` after it, a minute old; mock agents that take no time."""
    directory = tmp_path / "docs/tasks"
    for name, after in (("a", ""), ("b", "a"), ("c", "a")):
        aged(task(directory, name, f"goal: do {name}", f"after: [{after}]"), 60)
    stopped.env["ORCHD_MOCK_SECONDS"] = "0.01"
    return directory


def spawned(instance: Instance) -> list[tuple[str, str, list[str]]]:
    """Return name, status and dependencies of every agent in the history."""
    agents = sorted(instance.status("--all")["agents"], key=lambda agent: agent["id"])
    return [(agent["name"], agent["status"], agent["after"]) for agent in agents]


def test_all_tasks_are_spawned_in_one_request_with_their_dependencies(
    tasks: Path, instance: Instance, orchctl: Orchctl
) -> None:
    result = orchctl(*RUN, "--wait")
    assert result.code == 0
    assert result.out.splitlines()[:3] == ["agent-001", "agent-002", "agent-003"]
    assert [line.split()[:3] for line in result.out.splitlines()[3:]] == [
        ["agent-001", "a", "completed"],
        ["agent-002", "b", "completed"],
        ["agent-003", "c", "completed"],
    ]
    assert [after for _, _, after in spawned(instance)] == [[], ["agent-001"], ["agent-001"]]
    assert {path.name for path in (tasks / "results").glob("*.md")} == {"a.md", "b.md", "c.md"}
    events = [json.loads(line) for line in instance.ctl("events", "--since", "0", "--json").splitlines()]
    assert [event["event"] for event in events[1:4]] == ["agent-queued"] * 3, (
        "all are queued before anything else happens"
    )


def test_an_agent_gets_its_prompt_and_the_results_of_its_dependencies(
    tasks: Path, instance: Instance, orchctl: Orchctl
) -> None:
    orchctl(*RUN, "--wait")
    agent = instance.agent("agent-002")
    assert agent["stdin"] == str(tasks / "results/.prompts/b.md")
    assert agent["result"] == str(tasks / "results/b.md")
    text = (tasks / "results/.prompts/b.md").read_text()
    assert "do b" in text
    assert f"- {tasks}/results/a.md" in text
    assert "goal:" not in text


def test_a_done_task_is_not_run_again(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    orchctl(*RUN, "--wait")
    result = orchctl(*RUN, "--wait")
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == [
        *(f"{name} is done: docs/tasks/results/{name}.md exists; --again runs it again" for name in "abc"),
        "nothing to do: every task is done",
    ]
    assert len(spawned(instance)) == 3


def test_after_a_failure_only_missing_tasks_are_run(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    failing = {**instance.env, "ORCHD_MOCK_FAIL": "b"}
    result = orchctl(*RUN, "--wait", env=failing)
    assert result.code == 1
    assert [row[:2] for row in spawned(instance)] == [("a", "completed"), ("b", "failed"), ("c", "completed")]
    result = orchctl(*RUN, "--wait")
    assert (result.code, result.out.splitlines()[0]) == (0, "agent-004")
    assert spawned(instance)[3:] == [("b", "completed", [])], "what it comes after is done, and no matter any more"


def test_the_result_of_a_failed_agent_is_backed_up_and_replaced(
    tasks: Path, instance: Instance, orchctl: Orchctl
) -> None:
    left_result = str(tasks / "results/b.md")
    instance.spawn(
        "sh", "-c", f"mkdir -p {tasks}/results; echo half >{left_result}; exit 1", options=["--result", left_result]
    )
    orchctl("wait", "1")
    result = orchctl(*RUN, "--wait", "--only", "a", "--only", "b")
    assert result.code == 0
    assert "docs/tasks/results/b.md will be written again; the old result is b.md.bak\n" in result.err
    assert (tasks / "results/b.md.bak").read_text() == "half\n"
    assert "pretended" in (tasks / "results/b.md").read_text()


def test_a_changed_task_is_run_again_with_its_dependents(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    for name in "abc":
        aged(result(tasks, name), 30)
    os.utime(tasks / "subtask-a.md")
    assert orchctl(*RUN, "--wait").code == 0
    assert [name for name, _, _ in spawned(instance)] == ["a", "b", "c"]
    assert (tasks / "results/a.md.bak").read_text() == "# Result\n\nDone.\n"


def test_again_runs_a_done_task(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    for name in "abc":
        result(tasks, name, f"old {name}")
    assert orchctl(*RUN, "--again", "--only", "b", "--wait").code == 0
    assert [name for name, _, _ in spawned(instance)] == ["b"]
    assert (tasks / "results/b.md.bak").read_text() == "old b"
    assert (tasks / "results/a.md").read_text() == "old a"


def test_a_task_in_progress_is_waited_for_and_not_run_twice(
    tasks: Path, instance: Instance, orchctl: Orchctl, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    options = ["--name", "a", "--result", str(tasks / "results/a.md")]
    instance.spawn("sh", "-c", f"read x <{tmp_path}/gate; echo made >$ORCHD_RESULT", options=options)
    running = background(*RUN, "--wait", cwd=tmp_path)
    assert running.stdout is not None
    assert [running.stdout.readline().strip() for _ in range(3)] == ["agent-002", "agent-003", "agent-001"]
    assert [after for _, _, after in spawned(instance)] == [[], ["agent-001"], ["agent-001"]]
    gate()
    output = running.communicate(timeout=30)
    assert running.returncode == 0
    assert output[1] == "a is in progress: running: agent-001\n"
    assert len(output[0].splitlines()) == 3


def test_two_concurrent_commands_spawn_each_task_once(
    tasks: Path, instance: Instance, background: Background, tmp_path: Path
) -> None:
    processes = [background(*RUN, "--wait", cwd=tmp_path) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(name for name, _, _ in spawned(instance)) == ["a", "b", "c"]


def test_a_timed_out_wait_exits_with_75_and_agents_keep_running(
    tasks: Path, instance: Instance, orchctl: Orchctl
) -> None:
    result = orchctl(*RUN, "--wait", "--wait-timeout", "0.1", env={**instance.env, "ORCHD_MOCK_SECONDS": "60"})
    assert result.code == 75
    assert result.err.startswith("timed-out: agent-001 is running, ")
    assert [status for _, status, _ in spawned(instance)] == ["running", "queued", "queued"]


def test_run_json_is_one_object(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    result(tasks, "a")
    value = json.loads(orchctl(*RUN, "--json").out)
    assert ([agent["name"] for agent in value["agents"]], value["done"], value["going"]) == (["b", "c"], ["a"], [])
    process = orchctl(*RUN, "--json", "--wait")
    value = json.loads(process.out)
    assert (process.code, process.err, value["timed_out"]) == (0, "", False)
    assert [agent["status"] for agent in value["agents"] + value["going"]] == ["completed"] * len(value["agents"])
    value = json.loads(orchctl(*RUN, "--json", "--wait").out)
    assert value == {"agents": [], "going": [], "done": ["a", "b", "c"], "timed_out": False}


def test_a_client_that_gets_mock_agents_by_default_gets_a_warning(
    tasks: Path, instance: Instance, orchctl: Orchctl
) -> None:
    assert "using the mock runner, no real work is done" in orchctl("tasks", "run", "--wait").err


def test_a_client_that_requests_mock_agents_gets_no_warning(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        task(tmp_path / "docs/tasks", name, "goal: x", "runner: mock")
    assert orchctl("tasks", "run").err == ""
    instance.ctl("wait", "--all")
    task(tmp_path / "docs/tasks", "c", "goal: x")
    assert "no real work" in orchctl("tasks", "run", "--only", "c", "--wait").err


def test_invalid_tasks_are_not_run(tasks: Path, orchctl: Orchctl, stopped: Instance) -> None:
    task(tasks, "d", "goal: x", "files: [src]")
    task(tasks, "e", "goal: x", "files: [src]")
    result = orchctl(*RUN)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "not-independent: docs/tasks/subtask-e.md line 3: 'd' and 'e' can run at the same time "
    )
    assert not (tasks / "results").exists()
    assert not stopped.home.socket.exists()


def test_run_prints_one_mistake_and_refers_to_check_for_the_rest(tasks: Path, orchctl: Orchctl) -> None:
    task(tasks, "d", "goal: x", "after: [q, r]")
    assert "(1 more: see `orchctl tasks check docs/tasks`)" in orchctl(*RUN).err


def test_a_refused_request_leaves_results_unchanged(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    result(tasks, "a", "old")
    process = orchctl("tasks", "run", "--again", "--runner", "nowhere")
    assert process.code == 1
    assert process.err.startswith("unknown-runner: ")
    assert (tasks / "results/a.md").read_text() == "old"
    assert not list((tasks / "results").glob("*.bak"))


def test_wait_timeout_requires_wait(tasks: Path, orchctl: Orchctl) -> None:
    result = orchctl(*RUN, "--wait-timeout", "5")
    assert result.code == 2
    assert result.err.startswith("usage: --wait-timeout requires --wait")


def test_only_refuses_an_unknown_task_name(tasks: Path, orchctl: Orchctl) -> None:
    assert orchctl(*RUN, "--only", "aa").err == "unknown-task: --only 'aa': unknown task; did you mean 'a'?\n"


def test_tasks_run_by_an_agent_are_its_children(tasks: Path, instance: Instance, tmp_path: Path) -> None:
    script = f"cd {tmp_path} && orchctl tasks run --runner mock --wait"
    parent = instance.spawn("sh", "-c", script, options=["--nesting", "1"])
    instance.ctl("limit", "1")
    instance.ctl("wait", parent)
    assert {agent["parent"] for agent in instance.status("--all")["agents"] if agent["id"] != parent} == {parent}


def test_files_are_utf_8_under_the_c_locale(tmp_path: Path, instance: Instance, orchctl: Orchctl) -> None:
    path = task(tmp_path / "docs/tasks", "a", "goal: x", body="x")
    path.write_bytes(path.read_bytes() + "caf\u00e9\n".encode())
    bare = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    result = orchctl(*RUN, "--wait", env={**instance.env, **bare, "ORCHD_MOCK_SECONDS": "0.01"})
    assert result.code == 0, result
    assert b"caf\xc3\xa9" in (tmp_path / "docs/tasks/results/.prompts/a.md").read_bytes()


def test_a_mock_result_does_not_count_for_another_runner(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    instance.configure('[runners.real]\ncommand = ["sh", "-c", "echo real >$ORCHD_RESULT"]\nresult = "file"\n')
    instance.ctl("config", "reload")
    assert orchctl("tasks", "run", "--wait").code == 0
    assert "by the mock runner" in orchctl("tasks", "list").out
    assert orchctl("tasks", "run", "--runner", "real", "--wait").code == 0
    assert "by the mock runner" not in orchctl("tasks", "list").out
    assert "nothing to do" in orchctl("tasks", "run", "--runner", "real", "--wait").err


def test_a_command_task_runs_unchanged_between_runner_tasks(
    tmp_path: Path, instance: Instance, orchctl: Orchctl
) -> None:
    directory = tmp_path / "docs/tasks"
    script = 'grep -q "do a" && echo tested; test -z "$FAILS"'
    for name, lines in (
        ("a", ["goal: do a"]),
        ("b", [f"command: {json.dumps(['sh', '-c', script])}", "after: [a]", "goal: do a check"]),
        ("c", ["goal: do c", "after: [b]"]),
    ):
        aged(task(directory, name, *lines), 60)
    orchctl(*RUN, "--wait", env={**instance.env, "FAILS": "yes"})
    assert [status for _, status, _ in spawned(instance)] == ["completed", "failed", "skipped"]
    result = orchctl(*RUN, "--wait")
    assert (result.code, result.out.split()[:2]) == (0, ["agent-004", "agent-005"])
    agent = instance.agent("agent-004")
    assert (agent["command"], agent["runner"]) == (["sh", "-c", script], None)
    assert instance.ctl("logs", "agent-004") == "tested\n"
    assert "b.md, if it exists: the task is a command\n" in (directory / "results/.prompts/c.md").read_text()
    assert "b is done: agent-004 completed; --again runs it again\n" in orchctl(*RUN).err
    merged = orchctl("tasks", "merge")
    assert merged.code == 0
    assert "\n> The command completed without a result; `orchctl logs agent-004` shows its output.\n" in merged.out


def test_the_newest_agent_of_a_task_counts(tasks: Path, instance: Instance, orchctl: Orchctl) -> None:
    """An older agent that failed does not count."""
    only = ("--only", "a")
    orchctl(*RUN, *only, "--wait", env={**instance.env, "ORCHD_MOCK_FAIL": "a"})
    second_id = orchctl(*RUN, *only, env={**instance.env, "ORCHD_MOCK_SECONDS": "600"}).out.strip()
    third_result = orchctl(*RUN, *only)
    assert (third_result.code, third_result.out.strip()) == (0, second_id)
    instance.ctl("cancel", second_id)
    instance.ctl("wait", second_id, code=None)
