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


def test_it_gets_the_prompt_and_what_it_says_last_is_kept(stage: Stage) -> None:
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


def test_a_result_that_it_wrote_itself_stays(stage: Stage) -> None:
    stage.says("codex", COMPLETED, first=f"echo mine > {stage.result}\n{LAST}")
    assert stage.run("codex").code == 0
    assert stage.result.read_text() == "mine\n"


def test_without_the_file_its_last_message_is_the_result(stage: Stage) -> None:
    stage.says("codex", item("agent_message", text="First"), item("agent_message", text="Last"), COMPLETED)
    assert stage.run("codex").code == 0
    assert stage.result.read_text() == "Last"


def test_totals_are_those_of_the_thread(stage: Stage) -> None:
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
        ([COMPLETED], 0, "it left no result at"),
        ([COMPLETED], 3, "exit code 3"),
        ([[1], {"type": 1}, {"type": "turn.completed", "usage": "x"}], 4, "exit code 4"),
    ],
)
def test_a_cli_that_did_not_complete_its_turn_has_failed(
    stage: Stage, messages: list[Any], code: int, reason: str
) -> None:
    stage.says("codex", *messages, code=code)
    result = stage.run("codex")
    assert (result.code, result.status) == (code or 1, "failed")
    assert result.reason.startswith(reason)


def test_an_error_that_it_got_past_is_none(stage: Stage) -> None:
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
def test_a_cli_that_was_turned_away_says_when_to_come_back(stage: Stage, message: str, wait: float) -> None:
    stage.says("codex", BEGUN, *failed(message), code=1)
    now = time.time()
    result = stage.run("codex")
    assert (result.code, result.status, result.reason) == (75, "rate-limited", message)
    assert 0 <= result.report["retry_at"] - now - wait < 20


def test_prices_estimate_what_it_cost(stage: Stage) -> None:
    stage.config.write_text(
        '[runners.codex]\nmodel = "gpt-9"\n[runners.codex.prices.gpt-9]\ninput = 1.0\noutput = 10\ncache_read = 0.1\n'
    )
    stage.says("codex", COMPLETED, first=LAST)
    report = stage.run("codex").report
    assert (report["cost_usd"], report["cost_source"]) == (pytest.approx((90 + 200 + 3 + 10) / 1e6), "estimated")
    stage.config.write_text("[runners.codex.prices.gpt-8]\ninput = 1.0\noutput = 10\n")
    assert stage.run("codex").report["cost_usd"] is None


def test_config_may_leave_it_one_agent_of_its_own(stage: Stage) -> None:
    stage.config.write_text("[runners.codex]\nsubagents = true\n")
    stage.says("codex", COMPLETED, first=LAST)
    stage.run("codex", ORCHD_RESULT="")
    assert stage.argv == ["exec", "--json", "-c", "allow_login_shell=false", "-c", "agents.max_threads=1", "-"]


def test_on_sigterm_it_is_read_to_its_end(stage: Stage) -> None:
    stage.program("codex", f"echo '{json.dumps(BEGUN)}'; exec sleep 60")
    process = stage.start("codex")
    until(lambda: "t-1" in stage.log)
    os.killpg(process.pid, signal.SIGTERM)
    result = stage.ended(process)
    assert (result.code, result.reason, result.report["session_id"]) == (143, "ended by SIGTERM", "t-1")


def test_the_log_says_what_it_does(stage: Stage) -> None:
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


def test_what_its_sandbox_keeps_out_was_denied(stage: Stage) -> None:
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
