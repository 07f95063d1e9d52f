"""Messages of Codex: completed only when its turn was."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from tests.conftest import until
from tests.orchctl.runners.conftest import Stage

BEGUN = {"type": "thread.started", "thread_id": "t-1"}
USAGE = {"input_tokens": 130, "cached_input_tokens": 30, "output_tokens": 20, "cache_write_input_tokens": 10}
COMPLETED = {"type": "turn.completed", "usage": USAGE}
LAST = 'while [ "$1" != --output-last-message ]; do shift; done; printf "All done." > "$2"'
LIMIT = "You\u2019ve hit your usage limit. Upgrade to Pro, or try again in 3 minutes 5 seconds."


def item(kind: str, *, over: bool = True, **more: Any) -> dict[str, Any]:
    """Return an item of Codex."""
    return {"type": "item.completed" if over else "item.started", "item": {"id": "item_1", "type": kind, **more}}


def failed(message: str) -> list[dict[str, Any]]:
    """Return a turn that failed."""
    return [{"type": "error", "message": message}, {"type": "turn.failed", "error": {"message": message}}]


def test_codex_gets_the_prompt_and_its_last_message_is_written(stage: Stage) -> None:
    stage.says("codex", BEGUN, item("agent_message", text="All"), COMPLETED, first=LAST)
    result = stage.run("codex", "--sandbox", "read-only", ORCHD_MODEL="gpt-9")
    assert (result.code, result.status) == (0, "completed")
    assert stage.prompt.startswith("Build the API.\n")
    assert stage.argv == [
        *("exec", "--json", "--output-last-message", f"{stage.directory}/report.last"),
        *("-c", "allow_login_shell=false"),
        *("-c", "features.multi_agent=false", "-c", "features.multi_agent_v2=false"),
        *("--model", "gpt-9", "--sandbox", "read-only", "-"),
    ]
    assert stage.result.read_text() == "All done."
    assert not (stage.directory / "report.last").exists()
    assert {key: value for key, value in result.report.items() if value} == {
        "status": "completed",
        "input_tokens": 90,
        "output_tokens": 20,
        "cache_read_tokens": 30,
        "cache_write_tokens": 10,
        "session_id": "t-1",
        "model": "gpt-9",
        "turns": 1,
    }
    assert result.log == "codex, session t-1\nAll\ncodex completed (100 tokens in, 20 out, 30 from a cache)\n"


def test_a_result_file_written_by_codex_is_kept(stage: Stage) -> None:
    stage.says("codex", COMPLETED, first=f"echo mine > {stage.result}\n{LAST}")
    assert stage.run("codex").code == 0
    assert stage.result.read_text() == "mine\n"


def test_the_last_message_is_the_result_without_the_output_file(stage: Stage) -> None:
    stage.says("codex", item("agent_message", text="First"), item("agent_message", text="Last"), COMPLETED)
    assert stage.run("codex").code == 0
    assert stage.result.read_text() == "Last"


def test_usage_is_the_total_of_the_thread(stage: Stage) -> None:
    more = {"type": "turn.completed", "usage": {"input_tokens": 300, "output_tokens": 50}}
    stage.says("codex", COMPLETED, more, first=LAST)
    report = stage.run("codex").report
    assert (report["input_tokens"], report["output_tokens"], report["turns"]) == (300, 50, 2)


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        ([BEGUN], 0, "Codex exited without completing its turn"),
        ([], 0, "Codex exited without completing its turn"),
        ([COMPLETED, *failed("stream disconnected")], 0, "stream disconnected"),
        (failed("unexpected status 529: overloaded"), 1, "unexpected status 529: overloaded"),
        (failed("Quota exceeded. Check your plan and billing details."), 1, "Quota exceeded."),
        ([{"type": "turn.failed"}], 1, "its turn failed"),
        ([COMPLETED], 0, "no result at"),
        ([COMPLETED], 3, "exit code 3"),
        ([[1], {"type": 1}, {"type": "turn.completed", "usage": "x"}], 4, "exit code 4"),
    ],
)
def test_an_incomplete_turn_an_exit_code_or_no_result_is_a_failure(
    stage: Stage, messages: list[Any], code: int, reason: str
) -> None:
    stage.says("codex", *messages, code=code)
    result = stage.run("codex")
    assert (result.code, result.status) == (code or 1, "failed")
    assert result.reason.startswith(reason)


def test_an_error_followed_by_a_completed_turn_is_ignored(stage: Stage) -> None:
    stage.says("codex", {"type": "error", "message": "Reconnecting... 1/5"}, COMPLETED, first=LAST)
    assert stage.run("codex").code == 0


@pytest.mark.parametrize(
    ("message", "wait"),
    [
        (LIMIT, 185),
        ("exceeded retry limit, last status: 429 Too Many Requests", 60),
        ("rate limit exceeded: Rate limit reached for gpt-5. Please try again in 90.5s.", 90.5),
    ],
)
def test_a_rate_limited_codex_reports_when_to_retry(stage: Stage, message: str, wait: float) -> None:
    stage.says("codex", BEGUN, *failed(message), code=1)
    now = time.time()
    result = stage.run("codex")
    assert (result.code, result.status, result.reason) == (75, "rate-limited", message)
    assert 0 <= result.report["retry_at"] - now - wait < 20


def test_configured_prices_estimate_the_cost(stage: Stage) -> None:
    stage.config.write_text(
        '[runners.codex]\nmodel = "gpt-9"\n[runners.codex.prices.gpt-9]\ninput = 1.0\noutput = 10\ncache_read = 0.1\n'
    )
    stage.says("codex", COMPLETED, first=LAST)
    report = stage.run("codex").report
    assert (report["cost_usd"], report["cost_source"]) == (pytest.approx((90 + 200 + 3 + 10) / 1e6), "estimated")
    stage.config.write_text("[runners.codex.prices.gpt-8]\ninput = 1.0\noutput = 10\n")
    assert stage.run("codex").report["cost_usd"] is None


def test_subagents_in_config_allow_codex_one_agent_thread(stage: Stage) -> None:
    stage.config.write_text("[runners.codex]\nsubagents = true\n")
    stage.says("codex", COMPLETED, first=LAST)
    stage.run("codex", ORCHD_RESULT="")
    assert stage.argv == ["exec", "--json", "-c", "allow_login_shell=false", "-c", "agents.max_threads=1", "-"]


def test_codex_is_read_to_its_end_on_sigterm(stage: Stage) -> None:
    stage.program("codex", f"echo '{json.dumps(BEGUN)}'; exec sleep 60")
    process = stage.start("codex")
    until(lambda: "t-1" in stage.log)
    os.killpg(process.pid, signal.SIGTERM)
    result = stage.ended(process)
    assert (result.code, result.reason, result.report["session_id"]) == (143, "ended by SIGTERM", "t-1")


def test_the_log_shows_commands_changes_tools_and_errors(stage: Stage) -> None:
    stage.says(
        "codex",
        item("command_execution", over=False, command="make test"),
        item("command_execution", command="make test", status="failed", exit_code=2, aggregated_output="a\nbroken\n"),
        item("command_execution", command="true", status="completed"),
        item("file_change", changes=[{"path": "/a"}, {"path": "/b"}]),
        item("mcp_tool_call", server="s", tool="t", status="failed"),
        item("web_search", query="x"),
        item("collab_tool_call", tool="wait"),
        item("error", message="Model metadata not found"),
        item("reasoning", text="hidden"),
        item("todo_list", items=[]),
        *failed("stream disconnected"),
        first="echo plain",
        code=1,
    )
    assert stage.run("codex").log.splitlines() == [
        "plain",
        "command: make test",
        "  exit 2: broken",
        "file change: /a, /b",
        "mcp tool call failed: s t",
        "web search: x",
        "collab tool call: wait",
        "note: Model metadata not found",
        "error: stream disconnected",
        "codex failed: stream disconnected; ended before it reported its usage: tokens and cost are unknown",
    ]


def test_sandbox_refusals_are_reported_as_denied_permissions(stage: Stage) -> None:
    rejected = "ERROR codex_core::tools::router: error=patch rejected: ...; rejected by user approval settings"
    output = "/bin/bash: line 1: /usr/x: Read-only file system\n"
    kept_out = item("command_execution", status="failed", exit_code=1, aggregated_output=output)
    done_item = item("command_execution", status="completed")
    stage.says("codex", kept_out, item("agent_message", text="I could not."), COMPLETED, first=f"echo '{rejected}' >&2")
    result = stage.run("codex")
    assert result.report["notes"] == [
        ["permissions-denied", "2 permissions denied"],
        ["nothing-permitted", "no tool that makes changes was permitted"],
    ]
    assert f"{rejected}\n" in result.log
    stage.says("codex", kept_out, done_item, COMPLETED, first=LAST)
    assert [code for code, _ in stage.run("codex").report["notes"]] == ["permissions-denied"]
