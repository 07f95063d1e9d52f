"""The real Codex, from `orchctl spawn` to `orchctl status`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.clis.conftest import Clis
from tests.conftest import processes_of

NEEDED = ("codex",)
pytestmark = [pytest.mark.clis, pytest.mark.slow]


def test_a_codex_agent_completes_with_result_tokens_and_session(clis: Clis, tmp_path: Path) -> None:
    steps = [{"bash": "echo no; exit 3"}, {"say": "All done."}]
    agent = clis.ended(clis.spec("codex", *steps, result=str(tmp_path / "result.md")))
    assert (agent["status"], agent["exit_code"], agent["reason"]) == ("completed", 0, None)
    assert (tmp_path / "result.md").read_text() == "All done."
    assert (agent["tokens"], agent["turns"], agent["cost_source"]) == (2 * (1000 + 20), 1, "estimated")
    assert agent["cost_usd"] == pytest.approx(2 * (1000 + 200 + 30) / 1e6)
    assert len(agent["cli_session"]) == 36
    log = clis.log(agent["id"])
    assert "exit 3'\n  exit 3: no\nAll done.\ncodex completed (2,000 tokens in, 40 out, 600 from a cache, $" in log


def test_an_agent_spawned_inside_codex_is_a_child_of_its_spawner(clis: Clis) -> None:
    agent = clis.ended(clis.spec("codex", {"bash": "orchctl spawn -- true"}, {"say": "ok"}))
    assert agent["status"] == "completed"
    assert clis.instance.agent("agent-002")["parent"] == agent["id"]


def test_a_codex_agent_has_no_subagent_tools_by_default(clis: Clis) -> None:
    assert clis.ended(clis.spec("codex", {"say": "ok"}))["status"] == "completed"
    (first,) = clis.service.requests("/responses")
    assert not {tool.get("name") for tool in first["tools"]} & {"multi_agent_v1", "collaboration"}


def test_allowed_codex_subagents_are_limited_to_one_at_a_time(clis: Clis) -> None:
    clis.instance.home.config.write_text('[runners.codex]\nsubagents = true\nargs = ["--skip-git-repo-check"]\n')
    below = {"tool": "spawn_agent", "namespace": "multi_agent_v1", "input": {"message": "Look around."}}
    agent = clis.ended(clis.spec("codex", below, below, {"say": "ok"}))
    assert "agent thread limit reached" in clis.log(agent["id"])


@pytest.mark.parametrize(
    ("step", "reason"),
    [({"status": 529}, "unexpected status 529"), ({"cut": True}, "stream disconnected before completion")],
    ids=["529", "cut"],
)
def test_an_api_error_fails_the_agent(clis: Clis, step: dict[str, object], reason: str) -> None:
    agent = clis.ended(clis.spec("codex", step))
    assert (agent["status"], agent["exit_code"]) == ("failed", 1)
    assert agent["reason"].startswith(reason)


def test_a_killed_codex_process_fails_its_agent(clis: Clis) -> None:
    (agent_id,) = clis.spawn(clis.spec("codex", {"hang": True}))
    clis.until_asked("/responses")
    for pid, line in processes_of(clis.instance.directory).items():
        if "exec --json" in line:
            os.kill(pid, signal.SIGKILL)
    clis.instance.ctl("wait", agent_id, code=1)
    agent = clis.instance.agent(agent_id)
    assert (agent["status"], agent["exit_code"], agent["reason"]) == ("failed", 137, "exit code 137")


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        ({"type": "usage_limit_reached", "plan_type": "plus", "resets_at": 7200}, 7200),
        ({"type": "usage_limit_reached", "plan_type": "plus", "resets_at": 3 * 86400}, 3 * 86400),
        ({}, 60),
    ],
    ids=["today", "later", "unsaid"],
)
def test_a_rate_limited_agent_reports_when_to_retry(clis: Clis, error: dict[str, object], wait: int) -> None:
    now = time.time()
    reset = {"resets_at": int(now) + wait} if "resets_at" in error else {}
    (agent_id,) = clis.spawn(clis.spec("codex", {"status": 429, "error": {**error, **reset}}))
    report, code = clis.reported(agent_id)
    assert (code, report["status"]) == (75, "rate-limited")
    assert abs(report["retry_at"] - now - wait) <= 60  # it says the time to the minute


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("sleep 20; make", "Codex exited before its commands ended: sleep 20; make"),
        (
            "setsid sh -c 'sleep 25; make' >/dev/null 2>&1 & echo begun",
            "it exited and left work running, which was killed: ",
        ),
    ],
    ids=["command", "process"],
)
def test_unfinished_background_work_fails_the_agent(clis: Clis, command: str, reason: str) -> None:
    begun = {"tool": "exec_command", "input": {"cmd": command, "yield_time_ms": 1000}}
    agent = clis.ended(clis.spec("codex", begun, {"say": "I have begun."}))
    assert (agent["status"], agent["exit_code"]) == ("failed", 1)
    assert agent["reason"].startswith(reason)


def test_a_killed_background_server_is_noted(clis: Clis) -> None:
    begun = {"tool": "exec_command", "input": {"cmd": "python3 -m http.server 0", "yield_time_ms": 1000}}
    agent = clis.ended(clis.spec("codex", begun, {"say": "It serves."}))
    assert (agent["status"], [note["code"] for note in agent["notes"]]) == ("completed", ["background-killed"])


def test_a_write_refused_by_the_codex_sandbox_is_noted_as_denied(clis: Clis) -> None:
    clis.instance.home.config.write_text(
        '[runners.codex]\nargs = ["--skip-git-repo-check", "--sandbox", "read-only"]\n'
    )
    patch = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: made\n+x\n*** End Patch\nEOF"
    agent = clis.ended(clis.spec("codex", {"bash": patch}, {"say": "I could not."}))
    assert (agent["status"], [note["code"] for note in agent["notes"]]) == (
        "completed",
        ["permissions-denied", "nothing-permitted"],
    )


def test_a_rate_limited_agent_resumes_its_cli_session(clis: Clis, tmp_path: Path) -> None:
    clis.goes_on("codex", tmp_path)
