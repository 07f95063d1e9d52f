"""The mock runner."""

from __future__ import annotations

import json
import os
import signal

import pytest

from orchctl.runners import mock
from tests.conftest import until
from tests.orchctl.runners.conftest import Stage

QUICK = {"ORCHD_MOCK_SECONDS": "0.001"}


def test_the_mock_runner_reads_inputs_and_writes_a_result(stage: Stage) -> None:
    (stage.directory / "before.md").write_text("x")
    inputs = json.dumps([f"{stage.directory}/before.md", f"{stage.directory}/nothing.md"])
    stage.stdin = b"Do it."
    result = stage.run("mock", **QUICK, ORCHD_RESULTS=inputs)
    assert (result.code, result.status) == (0, "completed")
    assert stage.result.read_text() == (
        f"# api\n\nThis agent only pretended.\n\n- has read {stage.directory}/before.md\n"
    )
    assert result.log.startswith("api: read a prompt of 6 characters\napi: step 1 of 4\n")


def test_the_mock_runner_reports_simulated_usage(stage: Stage) -> None:
    report = stage.run("mock", **QUICK).report
    assert report["cost_source"] == "simulated"
    assert 2000 <= report["input_tokens"] <= 11_000
    assert report["output_tokens"] == report["input_tokens"] // 10
    assert 0 < report["cost_usd"] < 1
    assert report == stage.run("mock", **QUICK).report
    assert report != stage.run("mock", **QUICK, ORCHD_MOCK_SEED="2").report


def test_an_agent_named_in_the_fail_variable_fails(stage: Stage) -> None:
    result = stage.run("mock", **QUICK, ORCHD_MOCK_FAIL="ui,api")
    assert (result.code, result.status, result.reason) == (1, "failed", "failed, as set by ORCHD_MOCK_FAIL")
    assert not stage.result.exists()
    assert stage.run("mock", **QUICK, ORCHD_MOCK_FAIL="ui").code == 0


def test_chance_depends_on_seed_name_and_attempt_alone() -> None:
    def drawn(seed: str = "1", name: str = "api", **more: str) -> list[float]:
        env = {"ORCHD_MOCK_SEED": seed, **more}
        return [mock._chance({**env, "ORCHD_ATTEMPT": str(attempt)}, name) for attempt in range(1, 200)]

    assert drawn() == drawn(ORCHD_GOAL="Something else.", ORCHD_AGENT="agent-007")
    assert not set(drawn()) & set(drawn(seed="2"))
    assert not set(drawn()) & set(drawn(name="ui"))
    assert 0.4 < sum(number < 0.5 for number in drawn()) / 199 < 0.6
    assert mock._chance({}, "api") == mock._chance({"ORCHD_ATTEMPT": "1"}, "api")


@pytest.mark.parametrize(("rate", "code"), [("0", 0), ("1", 1)])
def test_a_failure_rate_of_0_or_1_is_deterministic(stage: Stage, rate: str, code: int) -> None:
    assert stage.run("mock", **QUICK, ORCHD_MOCK_FAILURE_RATE=rate).code == code


def test_an_agent_is_rate_limited_only_at_its_first_attempt(stage: Stage) -> None:
    env = {**QUICK, "ORCHD_MOCK_RATE_LIMIT": "ui:1,api:20.5"}
    result = stage.run("mock", **env)
    assert (result.code, result.status) == (75, "rate-limited")
    assert result.report["retry_at"] > 0
    assert stage.run("mock", **env, ORCHD_ATTEMPT="2").code == 0
    assert stage.run("mock", **env, ORCHD_NAME="b").code == 0


def test_an_invalid_variable_is_reported(stage: Stage) -> None:
    for name in ("ORCHD_MOCK_SECONDS", "ORCHD_MOCK_FAILURE_RATE"):
        result = stage.run("mock", **{**QUICK, name: "soon"})
        assert (result.code, result.reason) == (1, f"{name} must be a number that is 0 or more, not 'soon'")


def test_config_sets_the_variables_of_the_mock_runner(stage: Stage) -> None:
    stage.config.write_text('[runners.mock]\nenv = { ORCHD_MOCK_FAIL = "api", ORCHD_MOCK_SECONDS = "0.001" }\n')
    assert stage.run("mock").code == 1


def test_the_mock_runner_reports_its_usage_on_sigterm(stage: Stage) -> None:
    process = stage.start("mock", ORCHD_MOCK_SECONDS="400")
    until(lambda: "read a prompt" in stage.log)
    os.killpg(process.pid, signal.SIGTERM)
    result = stage.ended(process)
    assert (result.code, result.reason, result.report["input_tokens"]) == (143, "ended by SIGTERM", 0)
