"""Each ending of docs/guides/done.md, run through the runner: its status and its notes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchd.instance import runner_report
from tests.conftest import until
from tests.orchctl.runners.conftest import RunnerResult, Stage

PAGE = Path(__file__).parents[3] / "docs/guides/done.md"
MARKS = {"ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "1"}
OWN = '[runners.own]\ncommand = ["own"]\nresult = "json"\ntext = "text"\nerror = "error"\n'
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "All done.", "num_turns": 2}
TURN = {"type": "turn.completed", "usage": {"input_tokens": 130, "output_tokens": 20}}
LIMIT = "usage limit reached, try again in 5m"
Message = dict[str, Any]


class Case(NamedTuple):
    """A cell of the table: the CLI, and the status and notes that the page promises."""

    ending: str
    cli: str
    status: str
    notes: tuple[str, ...]


def text_message(text: str) -> Message:
    """Return a text of Claude's model."""
    return {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": text}]}}


def tool_call(name: str, number: int = 1, **parts: Any) -> Message:
    """Return a tool call of Claude."""
    block = {"type": "tool_use", "id": f"call-{number}", "name": name, "input": parts}
    return {"type": "assistant", "message": {"id": f"c{number}", "content": [block]}}


def tool_result(number: int = 1, *, is_error: bool = False, **result: Any) -> Message:
    """Return the result of a tool call."""
    block = {"type": "tool_result", "tool_use_id": f"call-{number}", "is_error": is_error, "content": "x"}
    return {"type": "user", "message": {"content": [block]}, "tool_use_result": result}


def task(subtype: str, **more: Any) -> Message:
    """Return an event of a background task of Claude."""
    return {"type": "system", "subtype": subtype, "task_id": "t1", **more}


def background(command: str) -> list[Message]:
    """Return the messages of a background command that Claude starts and that has not ended."""
    task_started = task("task_started", tool_use_id="call-1", description="the job")
    return [tool_call("Bash", command=command, run_in_background=True), task_started, tool_result(), DONE]


def message(text: str) -> Message:
    """Return a text of Codex's model."""
    return {"type": "item.completed", "item": {"id": "m1", "type": "agent_message", "text": text}}


def command(status: str, *, over: bool = True, line: str = "make test") -> Message:
    """Return a command of Codex."""
    item = {"id": "i1", "type": "command_execution", "command": f"/bin/bash -c '{line}'", "status": status}
    return {"type": "item.completed" if over else "item.started", "item": item}


def failed_turn(text: str) -> list[Message]:
    """Return a failed turn of Codex."""
    return [{"type": "error", "message": text}, {"type": "turn.failed", "error": {"message": text}}]


PLAIN: dict[str, list[Message]] = {
    "claude": [text_message("All done."), DONE],
    "codex": [message("All done."), TURN],
    "own": [{"text": "All done."}],
}
KILLED = task("task_updated", patch={"status": "killed"})
# what the CLI prints; endings that need more than words have a function below
WORDS: dict[tuple[str, str], list[Message]] = {
    **{("it completes", cli): messages for cli, messages in PLAIN.items()},
    ("its own background work is cut off", "claude"): [*background("sleep 25; make"), KILLED],
    ("its own background work is cut off", "codex"): [command("in_progress", over=False), *PLAIN["codex"]],
    ("its own background server is cut off", "claude"): [*background("cd web && npm run dev"), KILLED],
    ("its own background server is cut off", "codex"): [
        command("in_progress", over=False, line="cd web && npm run dev"),
        *PLAIN["codex"],
    ],
    ("a wake-up never comes", "claude"): [tool_call("CronCreate", prompt="look again"), tool_result(id="c1"), DONE],
    ("zero turns", "claude"): [text_message("/login isn't available"), {**DONE, "num_turns": 0}],
    ("zero turns", "codex"): [{"type": "turn.completed", "usage": {"input_tokens": 0, "output_tokens": 0}}],
    ("all tools denied", "claude"): [
        *(tool_call("Read"), tool_result(), tool_call("Write", 2, file_path="/x"), tool_result(2, is_error=True)),
        {**DONE, "permission_denials": [{"tool_name": "Write", "tool_use_id": "call-2", "tool_input": {}}]},
    ],
    ("all tools denied", "codex"): [command("declined"), *PLAIN["codex"]],
    ("an empty result after a text", "claude"): [text_message("All done."), {**DONE, "result": ""}],
    ("an empty result after a text", "codex"): [message("All done."), message(""), TURN],
    ("an empty result after a text", "own"): [{"text": "All done."}, {"text": ""}],
    ("a NUL in its reason", "claude"): [{"type": "result", "subtype": "error", "errors": ["a \0 b"], "num_turns": 1}],
    ("a NUL in its reason", "codex"): failed_turn("a \0 b"),
    ("a NUL in its reason", "own"): [{"text": "", "error": "a \0 b"}],
    ("its stream is cut", "claude"): [text_message("I begin.")],
    ("its stream is cut", "codex"): [message("I begin.")],
    ("its stream is cut", "own"): [{"other": 1}],
    ("its turns are used up", "claude"): [{"type": "result", "subtype": "error_max_turns", "is_error": True}],
    ("a limit of its service", "claude"): [{**DONE, "is_error": True, "result": LIMIT, "api_error_status": 429}],
    ("a limit of its service", "codex"): failed_turn(LIMIT),
    ("a limit of its service", "own"): [{"error": LIMIT}],
}
MOCK = {"it completes": {}, "an exit code": {"ORCHD_MOCK_FAIL": "api"}}
MOCK["a limit of its service"] = {"ORCHD_MOCK_RATE_LIMIT": "api:600"}


def leaves(job: str) -> Callable[[Stage, str], RunnerResult]:
    """The CLI leaves this job running and completes."""

    def run_cli(stage: Stage, cli: str) -> RunnerResult:
        start_job = f"{job} </dev/null >/dev/null 2>&1 &\necho $! > {stage.directory}/left"
        # started by a shell that ends at once, as the tools of CLIs do
        stage.says(cli, *PLAIN[cli], first=f"sh -c '{start_job}'\nsleep 0.2")
        result = stage.run(cli, **MARKS)
        with suppress(ProcessLookupError):
            os.kill(int((stage.directory / "left").read_text()), signal.SIGKILL)
        return result

    return run_cli


def hangs(stage: Stage, cli: str) -> RunnerResult:
    """The CLI prints its result and does not exit."""
    stage.says(cli, *PLAIN[cli])
    stage.program(cli, f"cat > /dev/null; cat {stage.directory}/stream; exec sleep 300")
    return stage.run(cli)


def exits(stage: Stage, cli: str) -> RunnerResult:
    """The CLI completes, and exits with a code."""
    if cli == "mock":
        return stage.run(cli, **MOCK["an exit code"])
    stage.says(cli, *PLAIN[cli], code=3)
    return stage.run(cli)


def is_ended(stage: Stage, cli: str) -> RunnerResult:
    """The daemon ends the tree of the CLI."""
    stage.program(cli, "echo ready; exec sleep 300")
    process = stage.start(cli, ORCHD_MOCK_SECONDS="300")
    until(lambda: ("read a prompt" if cli == "mock" else "ready") in stage.log)
    os.killpg(process.pid, signal.SIGTERM)
    return stage.ended(process)


def commits_nothing(stage: Stage, cli: str) -> RunnerResult:
    """The CLI completes in a worktree without a change."""
    with worktree(stage) as env:
        if cli != "mock":
            stage.says(cli, *PLAIN[cli])
        return stage.run(cli, **env)


def commits(stage: Stage, cli: str) -> RunnerResult:
    """The CLI commits something in its worktree."""
    with worktree(stage) as env:
        stage.says(cli, *PLAIN[cli], first="git commit -q --allow-empty -m done")
        return stage.run(cli, **env)


@contextmanager
def worktree(stage: Stage) -> Iterator[dict[str, str]]:
    """Make the stage a repository, with a worktree for the agent."""
    identity = {f"GIT_{role}_{part}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    env = {**identity, "HOME": str(stage.directory), "PATH": os.environ["PATH"]}
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(["git", *words], cwd=stage.directory, env=env, check=True)
    yield {**identity, "ORCHD_WORKTREE": str(stage.directory / "worktrees/agent-001"), "ORCHD_ATTEMPT": "1"}


RUNS: dict[str, Callable[[Stage, str], RunnerResult]] = {
    "it leaves a job running": leaves('setsid nohup sh -c "sleep 300; echo"'),
    "it leaves a server running": leaves("setsid tail -f /dev/null"),
    "a result and no exit": hangs,
    "an exit code": exits,
    "SIGTERM": is_ended,
    "nothing committed": commits_nothing,
    "something committed": commits,
}


def table() -> Iterator[Case]:
    """Yield the cell of docs/guides/done.md for each ending and CLI."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    head = next(row for row in rows if row[0] == "ending")
    for row in rows[rows.index(head) + 1 :]:
        if len(row) != len(head) or row[0].startswith("-"):
            continue
        for cli, cell in zip(head[1:], row[1:], strict=True):
            if cell != "-":
                yield Case(row[0], cli, cell.partition(",")[0], tuple(re.findall(r"`([a-z-]+)`", cell)))


CASES = list(table())


@pytest.mark.parametrize("case", CASES, ids=[f"{case.cli}: {case.ending}" for case in CASES])
def test_each_ending_has_the_documented_status_and_notes(case: Case, stage: Stage) -> None:
    stage.config.write_text(OWN)
    if (run := RUNS.get(case.ending)) is not None:
        result = run(stage, case.cli)
    elif case.cli == "mock":
        result = stage.run("mock", **MOCK[case.ending])
    else:
        stage.says(case.cli, *WORDS[case.ending, case.cli])
        result = stage.run(case.cli)
    codes = tuple(code for code, _ in result.report["notes"])
    assert (result.status, codes) == (case.status, case.notes), result.report
    assert (result.code == 0) == (case.status == "completed")
    report_kept = runner_report.read(str(stage.directory / "report"))
    assert report_kept is not None
    if case.status == "completed" and case.cli != "mock":
        assert stage.result.read_text() == "All done."


def test_the_documentation_lists_every_tested_ending() -> None:
    played_endings = {case.ending for case in CASES}
    assert played_endings == {ending for ending, _ in WORDS} | set(RUNS) | set(MOCK)
    assert {(case.ending, case.cli) for case in CASES} >= set(WORDS)


def test_the_documentation_lists_every_note() -> None:
    text = PAGE.read_text()
    assert [code for code in runner_report.NOTES if f"| `{code}` |" not in text] == []


def test_reasons_name_the_work_that_was_cut_off(stage: Stage) -> None:
    stage.config.write_text(OWN)
    stage.says("claude", *WORDS["its own background work is cut off", "claude"])
    assert stage.run("claude").reason == "Claude exited before its background tasks ended: the job"
    stage.says("codex", *WORDS["its own background work is cut off", "codex"])
    assert stage.run("codex").reason == "Codex exited before its commands ended: make test"
    result = RUNS["it leaves a job running"](stage, "own")
    assert result.reason.startswith("it exited and left work running, which was killed: sh -c sleep 300; echo")
    stage.says("claude", *WORDS["a wake-up never comes", "claude"])
    assert stage.run("claude").reason == "Claude exited to be woken later, which is not supported: look again"


def test_a_background_job_that_ends_in_time_is_no_failure(stage: Stage) -> None:
    stage.config.write_text(OWN)
    stage.says("own", *PLAIN["own"], first="sh -c 'sleep 0.5 </dev/null >/dev/null 2>&1 & echo $!'; sleep 0.1")
    assert stage.run("own", **MARKS).status == "completed"


def test_a_cancelled_or_past_wake_up_is_no_failure(stage: Stage) -> None:
    messages = [tool_call("CronCreate", prompt="look again"), tool_result(id="c1")]
    stage.says("claude", *messages, tool_call("CronDelete", 2, id="c1"), tool_result(2), DONE)
    assert stage.run("claude").status == "completed"
    stage.says(
        "claude", tool_call("ScheduleWakeup", reason="CI"), tool_result(), tool_call("Bash", 2), tool_result(2), DONE
    )
    assert stage.run("claude").status == "completed"
    stage.says("claude", tool_call("ScheduleWakeup", reason="CI"), tool_result(), DONE)
    assert stage.run("claude").reason == "Claude exited to be woken later, which is not supported: CI"


def test_an_unfinished_claude_turn_after_the_result_is_a_failure(stage: Stage) -> None:
    stage.says("claude", DONE, text_message("The job is over, so now"))
    result = stage.run("claude")
    assert (result.status, result.reason) == (
        "failed",
        "Claude exited in the middle of a turn that began after its result",
    )


def test_an_unfinished_codex_turn_after_another_turn_is_a_failure(stage: Stage) -> None:
    turn_started = {"type": "turn.started"}
    stage.says("codex", {"type": "thread.started", "thread_id": "t"}, turn_started, message("A"), TURN, turn_started)
    result = stage.run("codex")
    assert (result.status, result.code) == ("failed", 1)
    assert result.reason == "Codex exited in the middle of a turn that began after its result"
    stage.says("codex", turn_started, message("A"), TURN, turn_started, message("B"), TURN)
    assert stage.run("codex").code == 0


@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_output_on_stderr_extends_the_time_to_exit(stage: Stage, cli: str) -> None:
    stage.says(cli, *PLAIN[cli])
    stage.program(cli, f"cat >/dev/null; cat {stage.directory}/stream; for x in 1 2 3 4; do sleep 1; echo $x >&2; done")
    result = stage.run(cli)
    assert (result.status, result.report["notes"]) == ("completed", [])
    assert "4" in result.log.splitlines()


def test_a_turn_after_the_result_may_exceed_the_exit_timeout(stage: Stage) -> None:
    """The task ends, and the model thinks longer about that than a CLI may take to exit."""
    output_lines = "".join(f"{json.dumps(message)}\n" for message in [*background("make"), text_message("Now")])
    (stage.directory / "begun").write_text(output_lines)
    result_line = json.dumps({**DONE, "result": "It is over."})
    stage.program(
        "claude", f"cat > /dev/null; cat {stage.directory}/begun; sleep 5; echo '{KILLED_BEFORE}'; echo '{result_line}'"
    )
    assert stage.run("claude").status == "completed"
    assert stage.result.read_text() == "All done.\n\nIt is over."


KILLED_BEFORE = json.dumps(task("task_updated", patch={"status": "completed"}))


def test_usage_without_a_model_breakdown_is_counted(stage: Stage) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 500}
    stage.says("claude", text_message("All done."), {**DONE, "usage": usage}, {**DONE, "usage": usage})
    report = stage.run("claude").report
    assert (report["input_tokens"], report["output_tokens"]) == (2000, 1000)


def test_a_leftover_job_is_detected_if_the_last_line_has_no_newline(stage: Stage) -> None:
    """A line without an end is read when the CLI has exited."""
    job = "setsid sh -c 'sleep 300; true' </dev/null >/dev/null 2>&1 &"
    stage.program("claude", f"cat >/dev/null; {job} echo $! > {stage.directory}/left; printf '%s' '{json.dumps(DONE)}'")
    result = stage.run("claude", **MARKS)
    os.kill(int((stage.directory / "left").read_text()), signal.SIGKILL)
    assert result.reason.startswith("it exited and left work running, which was killed: ")
