"""Messages of Claude Code: completed only when exit code, results and tasks agree."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.conftest import until
from tests.orchctl.runners.conftest import Stage

INIT = {"type": "system", "subtype": "init", "session_id": "s-1", "model": "opus-9", "claude_code_version": "2.1.197"}
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "All done.", "num_turns": 2}
MODELS = {
    "opus-9": {"inputTokens": 100, "outputTokens": 20, "cacheReadInputTokens": 7, "cacheCreationInputTokens": 3},
    "haiku-9": {"inputTokens": 10, "outputTokens": 2},
}
USAGE = {"input_tokens": 50, "output_tokens": 4, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 2}


def text_message(text: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a message of the model."""
    return {
        "type": "assistant",
        "message": {"id": f"m{number}", "content": [{"type": "text", "text": text}], "usage": USAGE},
        **more,
    }


def failed(**more: Any) -> dict[str, Any]:
    """Return a result that says success and is an error."""
    return {**DONE, "is_error": True, "result": "API Error: Overloaded", **more}


def task(subtype: str, **more: Any) -> dict[str, Any]:
    """Return an event of a background task."""
    return {"type": "system", "subtype": subtype, "task_id": "t1", **more}


def limit(status: str, **more: Any) -> dict[str, Any]:
    """Return an event of a rate limit."""
    return {"type": "rate_limit_event", "rate_limit_info": {"status": status, **more}}


def test_claude_gets_the_prompt_and_its_result_is_written(stage: Stage) -> None:
    stage.says("claude", INIT, text_message("I begin."), {**DONE, "total_cost_usd": 0.25, "modelUsage": MODELS})
    result = stage.run("claude", "--max-turns", "5", ORCHD_MODEL="opus", ORCHD_RESULT=str(stage.result))
    assert (result.code, result.status) == (0, "completed")
    assert stage.prompt.startswith("Build the API.\n")
    assert stage.argv == [
        *("-p", "--output-format", "stream-json", "--verbose", "--disallowedTools=Task,Agent,Workflow"),
        *("--model", "opus", "--max-turns", "5"),
    ]
    assert stage.result.read_text() == "All done."
    assert {key: value for key, value in result.report.items() if value} == {
        "status": "completed",
        "input_tokens": 110,
        "output_tokens": 22,
        "cache_read_tokens": 7,
        "cache_write_tokens": 3,
        "cost_usd": 0.25,
        "cost_source": "cli",
        "session_id": "s-1",
        "model": "opus-9",
        "turns": 2,
    }
    assert result.log == (
        "claude 2.1.197, session s-1\nI begin.\nclaude completed (113 tokens in, 22 out, 7 from a cache, $0.2500)\n"
    )


def test_a_result_file_written_by_claude_is_kept(stage: Stage) -> None:
    stage.says("claude", DONE, first=f"echo mine > {stage.result}")
    assert stage.run("claude").code == 0
    assert stage.result.read_text() == "mine\n"


def test_a_result_of_an_earlier_attempt_is_replaced(stage: Stage) -> None:
    stage.result.write_text("old")
    stage.says("claude", DONE)
    assert stage.run("claude").code == 0
    assert stage.result.read_text() == "All done."


def test_the_result_joins_the_text_of_every_turn(stage: Stage) -> None:
    stage.says("claude", DONE, {**DONE, "result": "The tests pass too.", "origin": {"kind": "task-notification"}})
    assert stage.run("claude").report["turns"] == 4
    assert stage.result.read_text() == "All done.\n\nThe tests pass too."


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([failed()], "Claude reported an error: API Error: Overloaded"),
        ([failed(api_error_status=529)], "Claude reported an error (529): API Error: Overloaded"),
        ([{"type": "result", "subtype": "error_max_turns", "is_error": True}], "Claude reported error_max_turns"),
        (
            [{"type": "result", "subtype": "error_during_execution", "errors": ["broken", 7]}],
            "Claude reported error_during_execution: broken",
        ),
        ([DONE, failed()], "Claude reported an error: API Error: Overloaded"),
        ([{**DONE, "result": ""}], "no result at"),
        ([INIT, text_message("I begin.")], "Claude exited without a result"),
        ([], "Claude exited without a result"),
        ([[1]], "Claude exited without a result, last output: [1]"),
        ([{"type": 7}], "Claude exited without a result"),
        ([{"type": "result"}], "Claude reported no result type"),
        ([task("task_started", description="tests"), DONE], "Claude exited before its background tasks ended: tests"),
        (
            [task("task_started", description="tests"), task("task_progress"), task("task_updated", patch={}), DONE],
            "Claude exited before its background tasks ended: tests",
        ),
    ],
)
def test_errors_and_cut_off_work_are_failures_despite_exit_code_0(
    stage: Stage, messages: list[Any], reason: str
) -> None:
    stage.says("claude", *messages)
    result = stage.run("claude")
    assert (result.code, result.status) == (1, "failed")
    assert result.reason.startswith(reason)
    assert not stage.result.exists()


@pytest.mark.parametrize(
    "ending",
    [
        task("task_notification", status="completed"),
        task("task_updated", patch={"status": "failed"}),
    ],
)
def test_a_background_task_that_ended_by_itself_is_finished(stage: Stage, ending: dict[str, Any]) -> None:
    stage.says("claude", task("task_started", description="tests"), DONE, ending)
    assert stage.run("claude").code == 0


@pytest.mark.parametrize(
    "ending", [task("task_notification", status="stopped"), task("task_updated", patch={"status": "killed"})]
)
def test_a_killed_background_task_is_a_failure_only_after_the_result(stage: Stage, ending: dict[str, Any]) -> None:
    task_started = task("task_started", description="tests")
    stage.says("claude", task_started, ending, DONE)
    assert stage.run("claude").code == 0
    stage.says("claude", task_started, DONE, ending)
    result = stage.run("claude")
    assert (result.code, result.reason) == (1, "Claude exited before its background tasks ended: tests")


def test_the_exit_code_of_claude_is_passed_on(stage: Stage) -> None:
    stage.says("claude", DONE, code=3)
    result = stage.run("claude")
    assert (result.code, result.status, result.reason) == (3, "failed", "exit code 3")
    stage.says("claude", code=3, first="echo 'no such option'")
    result = stage.run("claude")
    assert (result.code, result.reason) == (3, "Claude exited with 3 without a result, last output: no such option")


def test_an_empty_result_completes_if_no_result_file_is_requested(stage: Stage) -> None:
    stage.says("claude", {**DONE, "result": ""})
    assert stage.run("claude", ORCHD_RESULT="").code == 0


@pytest.mark.parametrize(
    ("messages", "wait"),
    [
        ([failed(api_error_status=429)], 60),
        ([text_message("no", error="rate_limit"), failed()], 60),
        ([limit("rejected", resetsAt=1), failed()], 60),
        ([limit("rejected", resetsAt=4000), failed()], 4000),
        ([limit("rejected", resetsAt=4000)], 4000),
        ([failed(api_error_status=429, result="Try again in 2 minutes.")], 120),
    ],
)
def test_a_rate_limited_claude_reports_when_to_retry(stage: Stage, messages: list[dict[str, Any]], wait: int) -> None:
    now = time.time()
    for message in messages:
        info = message.get("rate_limit_info", {})
        if "resetsAt" in info:
            message["rate_limit_info"] = {**info, "resetsAt": now + info["resetsAt"] if info["resetsAt"] > 1 else 1}
    stage.says("claude", *messages, code=1)
    result = stage.run("claude")
    assert (result.code, result.status) == (75, "rate-limited")
    assert 0 <= result.report["retry_at"] - now - wait < 30


@pytest.mark.parametrize(
    "messages",
    [
        [limit("rejected"), limit("allowed"), failed()],
        [limit("rejected", isUsingOverage=True), failed()],
        [limit("allowed_warning"), failed()],
        [text_message("no", error="rate_limit", parent_tool_use_id="x"), failed()],
        [failed(api_error_status=529)],
        [text_message("no", error="overloaded"), failed()],
    ],
)
def test_other_errors_are_not_reported_as_rate_limited(stage: Stage, messages: list[dict[str, Any]]) -> None:
    stage.says("claude", *messages, code=1)
    result = stage.run("claude")
    assert (result.code, result.status, result.report["retry_at"]) == (1, "failed", None)


def test_a_rate_limit_followed_by_success_is_ignored(stage: Stage) -> None:
    stage.says("claude", limit("rejected"), text_message("no", error="rate_limit"), DONE)
    assert stage.run("claude").status == "completed"


def test_claude_is_read_to_its_end_on_sigterm_and_its_usage_is_reported(stage: Stage) -> None:
    more = [text_message("a", 1), text_message("b", 1), text_message("c", 2)]  # two parts of one message, and another
    stage.program(
        "claude",
        f"trap 'echo {json.dumps(json.dumps(more[2]))}; exit 143' INT\n"
        f"printf '%s\\n' '{json.dumps(INIT)}' '{json.dumps(more[0])}' '{json.dumps(more[1])}'\n"
        "while :; do sleep 0.01; done",
    )
    process = stage.start("claude")
    until(lambda: "b\n" in stage.log)
    process.terminate()
    result = stage.ended(process)
    assert (result.code, result.status, result.reason) == (143, "failed", "ended by SIGTERM")
    assert "c\n" in result.log
    token_keys = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    assert [result.report[key] for key in token_keys] == [100, 8, 12, 4]
    assert result.report["session_id"] == "s-1"
    assert (result.report["cost_usd"], result.report["cost_source"]) == (pytest.approx(0.002238), "estimated")
    assert [code for code, _ in result.report["notes"]] == ["usage-estimated"]


def tool_call(name: str, written: str, number: int) -> dict[str, Any]:
    """Return a message that calls a tool with this input."""
    message = text_message("x", number)
    message["message"]["content"] = [{"type": "tool_use", "id": "t", "name": name, "input": {"command": written}}]
    return message


ANSWERED = {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]}}
SPENT = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_usd")


@pytest.mark.parametrize(
    ("messages", "tokens", "dollars", "note"),
    [
        ([INIT], [0, 0, 0, 0], None, "usage-unknown"),
        ([INIT, tool_call("Bash", "y" * 986, 1)], [50, 500, 6, 2], 0.038319, "usage-estimated"),
        ([INIT, tool_call("Bash", "y" * 986, 1), ANSWERED], [50, 500, 6, 64], 0.040179, "usage-estimated"),
        (
            [{**DONE, "total_cost_usd": 0.5, "usage": USAGE}, INIT, text_message("b", 2)],
            [100, 8, 12, 4],
            0.501119,
            "usage-estimated",
        ),
        ([{**DONE, "total_cost_usd": 0.5, "usage": USAGE}, INIT], [50, 4, 6, 2], 0.5, "usage-unknown"),
    ],
    ids=["nothing shown", "a message", "a request on its way", "after a result", "a request after a result"],
)
def test_the_usage_of_a_killed_claude_is_estimated_at_its_maximum(
    stage: Stage, messages: list[dict[str, Any]], tokens: list[int], dollars: float | None, note: str
) -> None:
    stage.says("claude", *messages, {"type": "system", "subtype": "api_retry"}, code=137)
    report = stage.run("claude").report
    assert [report[key] for key in SPENT] == [*tokens, dollars if dollars is None else pytest.approx(dollars)]
    assert [code for code, _ in report["notes"]] == [note]


def test_a_killed_runner_leaves_the_usage_reported_so_far(stage: Stage) -> None:
    lines = " ".join(f"'{json.dumps(message)}'" for message in (INIT, text_message("begun", 1)))
    stage.program("claude", f"printf '%s\\n' {lines}; while :; do sleep 0.01; done")
    process = stage.start("claude")
    until(lambda: "begun\n" in stage.log and stage.reported().get("input_tokens"))
    clis = psutil.Process(process.pid).children(recursive=True)  # of a daemon these would end with the agent's tree
    process.kill()
    result = stage.ended(process)
    for cli in clis:
        with suppress(psutil.NoSuchProcess):
            cli.kill()
    assert (result.status, result.reason, result.report["session_id"]) == ("failed", "its runner was killed", "s-1")
    assert (result.report["input_tokens"], result.report["cost_source"]) == (50, "estimated")


def test_configured_prices_estimate_the_cost_of_a_killed_claude(stage: Stage) -> None:
    stage.config.write_text('[runners.claude.prices."*"]\ninput = 1.0\noutput = 100.0\ncache_read = 0\n')
    stage.says("claude", text_message("a"), code=137)
    report = stage.run("claude").report
    assert (report["cost_usd"], report["cost_source"]) == (pytest.approx((50 + 2 + 400) / 1e6), "estimated")


def test_the_log_shows_messages_tools_and_errors(stage: Stage) -> None:
    def used(name: str, **usage: Any) -> dict[str, Any]:
        return {"type": "tool_use", "name": name, "input": usage}

    def answered(content: Any) -> dict[str, Any]:
        block = {"type": "tool_result", "is_error": True, "content": content}
        return {"type": "user", "message": {"content": [block]}}

    stage.says(
        "claude",
        text_message("One\n\ttwo\x1b[2J\r\x9b3"),
        {"type": "assistant", "message": {"content": [used("Bash", description="x", command="ls\n-l")]}},
        {"type": "assistant", "message": {"content": [used("Odd", first=1, second="y" * 500), used("Bare"), 7]}},
        text_message("below", 2, parent_tool_use_id="x"),
        answered("No such file"),
        answered([{"type": "text", "text": "Nor this"}]),
        task("task_started", description="tests"),
        task("task_notification", status="failed"),
        {"type": "system", "subtype": "api_retry", "retry_delay_ms": 1500, "error_status": 529, "error": "overloaded"},
        limit("rejected", rateLimitType="five_hour"),
        {**DONE, "permission_denials": [{"tool_name": "Write", "tool_input": {"file_path": "/x"}}]},
        first="printf 'plain \\033[1m words\\n'; echo straight >&2",
    )
    lines = stage.run("claude").log.splitlines()
    lines.remove("straight")  # comes when it comes
    assert lines[:-1] == [
        "plain ?[1m words",
        "One",
        "\ttwo?[2J??3",
        "Bash: ls -l",
        f"Odd: {'y' * 157}...",
        "Bare:",
        "  below",
        "  failed: No such file",
        "  failed: Nor this",
        "  failed: tests",
        "the service failed (529 overloaded), retrying in 1.5 s",
        "rate limit five_hour: rate-limited by the service",
        "not permitted: Write: /x",
    ]


def test_config_and_user_variables_set_arguments_and_environment(stage: Stage) -> None:
    stage.config.write_text(
        '[runners.claude]\ncommand = ["my-claude", "--debug"]\nargs = ["--permission-mode", "acceptEdits"]\n'
        'model = "sonnet"\nsubagents = true\nunset = ["SECRET"]\nenv = { GIVEN = "yes" }\n'
    )
    stage.says("my-claude", DONE)
    env = {"CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS": "4", "SECRET": "x", "CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "x"}
    env["BASH_DEFAULT_TIMEOUT_MS"] = "300000"
    assert stage.run("claude", "--max-turns=1", **env).code == 0
    assert stage.argv == [
        *("--debug", "-p", "--output-format", "stream-json", "--verbose", "--model", "sonnet"),
        *("--permission-mode", "acceptEdits", "--max-turns=1"),
    ]
    environment = stage.env
    assert (environment["BASH_DEFAULT_TIMEOUT_MS"], environment["BASH_MAX_TIMEOUT_MS"]) == ("300000", "86400000")
    assert (
        environment["CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS"],
        environment["CLAUDE_CODE_MAX_SUBAGENT_SPAWN_DEPTH"],
    ) == ("4", "1")
    assert environment["GIVEN"] == "yes"
    assert not {"SECRET", "CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "ORCHD_REPORT"} & set(environment)
    assert environment["ORCHD_RESULT"] == str(stage.result)


def test_a_missing_claude_program_is_reported(stage: Stage) -> None:
    result = stage.run("claude", PATH=str(stage.bin))
    assert (result.code, result.status) == (127, "failed")
    assert result.reason.startswith("claude: no such program; install it")
    (stage.bin / "claude").write_text("")
    assert stage.run("claude", PATH=str(stage.bin)).code == 126
