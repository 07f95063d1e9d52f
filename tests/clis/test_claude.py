"""The real Claude Code, from `orchctl spawn` to `orchctl status`."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.clis.conftest import Clis
from tests.clis.standin import prompt
from tests.conftest import processes_of, until
from tests.witness import Witness

NEEDED = ("claude",)
pytestmark = [pytest.mark.clis, pytest.mark.slow]


def test_a_claude_agent_completes_with_result_tokens_and_session(clis: Clis, tmp_path: Path) -> None:
    steps = [{"bash": "echo hi; exit 3"}, {"say": "All done."}]
    agent = clis.ended(clis.spec("claude", *steps, result=str(tmp_path / "result.md")))
    assert (agent["status"], agent["exit_code"], agent["reason"]) == ("completed", 0, None)
    assert (tmp_path / "result.md").read_text() == "All done."
    assert (agent["tokens"], agent["turns"], agent["cost_source"]) == (2 * (1000 + 20 + 40), 2, "cli")
    assert agent["cost_usd"] > 0
    assert len(agent["cli_session"]) == 36
    log = clis.log(agent["id"])
    assert f"session {agent['cli_session']}\nBash: echo hi; exit 3\n  failed: Exit code 3" in log
    assert "\nAll done.\nclaude completed (2,080 tokens in, 40 out, 600 from a cache, $" in log


def test_an_agent_spawned_inside_claude_is_a_child_of_its_spawner(clis: Clis) -> None:
    command = 'test $CLAUDECODE && orchctl spawn --runner claude --goal \'STEPS [{"say": "child"}]\' -- --verbose'
    agent = clis.ended(clis.spec("claude", {"bash": f"orchctl wait $({command})"}, {"say": "ok"}, nesting=1))
    assert agent["status"] == "completed"
    child = clis.instance.agent("agent-002")
    assert (child["parent"], child["level"], child["status"]) == (agent["id"], "sub-skill", "completed")
    assert child["cli_session"] != agent["cli_session"]


def test_a_claude_agent_has_no_subagent_tools_by_default(clis: Clis) -> None:
    below = {"description": "x", "prompt": prompt({"say": "below"}), "subagent_type": "general-purpose"}
    agent = clis.ended(clis.spec("claude", {"tool": "Task", "input": below}, {"say": "ok"}))
    assert agent["status"] == "completed"
    (first, *_) = clis.service.requests("/messages")
    assert not {tool["name"] for tool in first["tools"]} & {"Task", "Agent", "Workflow"}
    assert len(clis.service.requests("/messages")) == 2
    assert "No such tool available" in clis.log(agent["id"])


def test_allowed_claude_subagents_count_in_tokens_result_and_log(clis: Clis, tmp_path: Path) -> None:
    (clis.instance.home.config).write_text("[runners.claude]\nsubagents = true\n")
    below = {"description": "look around", "prompt": prompt({"bash": "sleep 0.2"}, {"say": "below"})}
    task = {"tool": "Task", "input": {**below, "subagent_type": "general-purpose", "run_in_background": True}}
    spec = clis.spec("claude", task, {"say": "It looks."}, {"say": "It has."}, result=str(tmp_path / "result.md"))
    agent = clis.ended(spec)
    assert (agent["status"], agent["tokens"]) == ("completed", 5 * 1060)
    assert (tmp_path / "result.md").read_text() == "It looks.\n\nIt has."
    assert "completed: look around" in clis.log(agent["id"])


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"status": 529, "type": "overloaded_error"}, "Claude reported an error (529): API Error: 529"),
        ({"cut": True}, "Claude reported an error: API Error: Connection to the API was lost"),
    ],
    ids=["529", "cut"],
)
def test_an_api_error_fails_the_agent(clis: Clis, step: dict[str, object], reason: str) -> None:
    agent = clis.ended(clis.spec("claude", step))
    assert (agent["status"], agent["exit_code"]) == ("failed", 1)
    assert agent["reason"].startswith(reason)


def test_a_killed_claude_process_fails_its_agent_without_a_result(clis: Clis) -> None:
    (agent_id,) = clis.spawn(clis.spec("claude", {"hang": True}))
    clis.until_asked("/messages")
    (pid,) = (pid for pid, line in processes_of(clis.instance.directory).items() if line.startswith("claude -p"))
    os.kill(pid, signal.SIGKILL)
    clis.instance.ctl("wait", agent_id, code=1)
    agent = clis.instance.agent(agent_id)
    assert (agent["status"], agent["exit_code"]) == ("failed", 137)
    assert agent["reason"] == "Claude exited with 137 without a result"
    assert agent["cli_session"]


@pytest.mark.parametrize(
    ("how", "status"), [("cancel", "cancelled"), ("timeout", "timed-out"), ("silence", "timed-out")]
)
def test_a_stopped_agent_reports_its_cost_and_its_budget_counts_it(clis: Clis, how: str, status: str) -> None:
    bound = {} if how == "cancel" else {how: 15.0}
    clis.instance.ctl("session", "new", "--max-cost", "0.0001", cwd=clis.directory)
    (agent_id,) = clis.spawn(clis.spec("claude", {"bash": "sleep 600"}, **bound))
    until(lambda: "Bash: sleep 600" in clis.log(agent_id), what="the tool")
    if how == "cancel":
        clis.instance.ctl("cancel", agent_id)
    clis.instance.ctl("wait", agent_id, code=1)
    agent = clis.instance.agent(agent_id)
    assert (agent["status"], agent["exit_code"]) == (status, 143)
    assert (agent["cost_source"], agent["cost_unknown"], agent["notes"]) == ("cli", 0, [])
    assert agent["cost_usd"] > 0.0001
    (another,) = clis.spawn(clis.spec("claude", {"say": "ok"}))
    assert "is used up: $" in clis.instance.agent(another)["reason"]
    assert agent["tokens"] >= 1041  # its tool was ended too, and it may have asked once more before it was


@pytest.mark.parametrize("is_subscription", [False, True])
def test_a_rate_limited_agent_reports_when_to_retry(clis: Clis, *, is_subscription: bool) -> None:
    reset = int(time.time()) + 600
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(reset),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    env = {"CLAUDE_CODE_OAUTH_TOKEN": "any", "ANTHROPIC_API_KEY": ""} if is_subscription else {}
    step = {"status": 429, "type": "rate_limit_error", "headers": headers if is_subscription else {}}
    (agent_id,) = clis.spawn(clis.spec("claude", step), **env)
    report, code = clis.reported(agent_id)
    assert (code, report["status"]) == (75, "rate-limited")
    assert report["reason"].startswith("Claude reported an error (429): ")
    if is_subscription:
        assert report["retry_at"] == reset
    else:
        assert 30 < report["retry_at"] - time.time() <= 60


def test_at_most_seven_agents_work_at_a_limit_of_seven(clis: Clis, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    gate = os.open(tmp_path / "gate", os.O_RDWR)
    waits = f"read x <{tmp_path}/gate"
    nested = f"{waits}; orchctl spawn -- sh -c '{waits}' && orchctl spawn -- sh -c '{waits}'; orchctl wait --children"
    lead = clis.spec("claude", {"bash": nested}, {"say": "ok"}, nesting=1)
    specs = [lead, *[clis.spec("claude", {"bash": waits}, {"say": "ok"})] * 7]
    with closing(Witness(clis.instance.directory, limit=7, resident=28)) as witness:
        ids = clis.spawn(*specs)
        until(lambda: witness.peak_working == 7, what="7 at work")
        until(lambda: len(clis.service.requests("/messages")) >= 7, what="7 answers")
        witness.next_window()
        os.write(gate, b"\n" * 64)
        clis.instance.ctl("wait", *ids, code=None)
    os.close(gate)
    assert witness.violations == []
    agents = clis.instance.status("--all")["agents"]
    assert [(agent["status"], agent["reason"]) for agent in agents] == [("completed", None)] * 10
    assert [agent["parent"] for agent in agents if agent["level"] == "sub-skill"] == [ids[0]] * 2


JOB = {"tool": "Bash", "input": {"command": "sleep 25; make", "description": "the job", "run_in_background": True}}
SERVER = {"command": "exec python3 -m http.server 0", "description": "the server", "run_in_background": True}


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (JOB, "Claude exited before its background tasks ended: the job"),
        ({"bash": "(sleep 25; make) & echo begun"}, "it exited and left work running, which was killed: "),
        (
            {"tool": "CronCreate", "input": {"cron": "*/5 * * * *", "prompt": "look again"}},
            "Claude exited to be woken later",
        ),
        (
            {"tool": "ScheduleWakeup", "input": {"delaySeconds": 60, "reason": "CI", "prompt": "x"}},
            "Claude exited to be woken",
        ),
    ],
    ids=["task", "process", "timer", "wake-up"],
)
def test_unfinished_background_work_fails_the_agent(clis: Clis, step: dict[str, object], reason: str) -> None:
    spec = clis.spec("claude", step, {"say": "I have begun, and will look again."})
    agent = clis.ended({**spec, "command": ["--allowedTools", "Bash", "CronCreate", "ScheduleWakeup"]})
    assert (agent["status"], agent["exit_code"]) == ("failed", 1)
    assert agent["reason"].startswith(reason)


def test_an_agent_with_a_background_job_that_ends_in_time_completes(clis: Clis, tmp_path: Path) -> None:
    job = {"tool": "Bash", "input": {**JOB["input"], "command": f"sleep 1; echo x > {tmp_path}/marker"}}  # type: ignore[dict-item]
    agent = clis.ended(clis.spec("claude", job, {"say": "I have begun."}, {"say": "It is over."}))
    assert (agent["status"], agent["notes"]) == ("completed", [])
    assert (tmp_path / "marker").exists()


def test_a_killed_background_server_is_noted(clis: Clis) -> None:
    agent = clis.ended(clis.spec("claude", {"tool": "Bash", "input": SERVER}, {"say": "It serves."}))
    assert agent["status"] == "completed"
    assert agent["notes"] == [{"code": "background-killed", "text": "background work killed: the server"}]


@pytest.mark.parametrize("goal", ["/login returns 500 ", "- the login returns 500 ", "--help is wrong "])
def test_a_goal_reaches_the_model_as_text(clis: Clis, goal: str) -> None:
    output = clis.instance.ctl(
        *("spawn", "--runner", "claude", f"--goal={goal}{prompt({'say': 'Fixed.'})}", "--wait", "--json"),
        env=clis.env,
        cwd=clis.directory,
    )
    assert json.loads(output.splitlines()[-1])
    agent = clis.instance.agent("agent-001")
    assert (agent["status"], agent["turns"]) == ("completed", 1)
    (request,) = clis.service.requests("/messages")
    assert goal in json.dumps(request["messages"])


def test_a_prompt_that_the_cli_handles_without_the_model_fails(clis: Clis, tmp_path: Path) -> None:
    (tmp_path / "prompt").write_text("/login")
    agent = clis.ended({"runner": "claude", "stdin": str(tmp_path / "prompt"), "cwd": str(tmp_path)})
    assert (agent["status"], agent["reason"].partition(":")[0]) == ("failed", "the model was not called")


def test_denied_permissions_are_noted(clis: Clis) -> None:
    write = {"tool": "Write", "input": {"file_path": str(clis.directory / "made"), "content": "x"}}
    agent = clis.ended({**clis.spec("claude", write, write, {"say": "I could not."}), "command": []})
    assert (agent["status"], [note["code"] for note in agent["notes"]]) == (
        "completed",
        ["permissions-denied", "nothing-permitted"],
    )
    assert "exit 0; 2 permissions denied; no tool that makes changes was permitted" in clis.instance.ctl("status")


def test_a_rate_limited_agent_resumes_its_cli_session(clis: Clis, tmp_path: Path) -> None:
    agent = clis.goes_on("claude", tmp_path)
    assert agent["tokens"] == 2 * 1060


def test_a_retry_resumes_the_cli_session_on_request(clis: Clis, tmp_path: Path) -> None:
    step = {"bash": "echo step >> steps"}
    agent = clis.ended(clis.spec("claude", step, {"status": 500, "times": 1}, {"say": "All done."}))
    assert agent["status"] == "failed"
    clis.instance.ctl("retry", agent["id"], "--resume-session")
    clis.instance.ctl("wait", agent["id"])
    assert (tmp_path / "steps").read_text() == "step\n"
    other = clis.instance.spawn("false")
    clis.instance.ctl("wait", other, code=1)
    refused = clis.instance.ctl("retry", other, "--resume-session", code=1)
    assert refused == ""
