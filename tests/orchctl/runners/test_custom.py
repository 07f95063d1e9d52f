"""Runners of config.toml."""

from __future__ import annotations

import time

import pytest

from tests.orchctl.runners.conftest import Stage

JSON = '[runners.mine]\ncommand = ["mine"]\nresult = "json"\ntext = "a.-1.b"\nerror = "e"\ncost = "c"\nsession = "s"\n'
TOKENS = "".join(f'{kind}_tokens = "t.{kind}"\n' for kind in ("input", "output", "cache_read", "cache_write"))


def test_a_custom_cli_reads_stdin_and_its_exit_code_decides(stage: Stage) -> None:
    stage.config.write_text(
        '[runners.mine]\ncommand = ["mine", "--goal={goal}", "-m={model}", "{name} {skill}", "--in", "{cwd}", "{"]\n'
        'args = ["{result}", "{task_id}"]\nmodel = "m1"\n'
    )
    stage.says("mine", first='echo done >"$ORCHD_RESULT"')
    result = stage.run("mine", "more")
    assert (result.code, result.status) == (0, "completed")
    assert stage.prompt.startswith("Build the API.\n")
    assert stage.argv == [
        *("--goal=Build the API.", "-m=m1", "--in", str(stage.directory), "{"),
        *(str(stage.result), "more"),
    ]
    stage.says("mine", code=4)
    assert stage.run("mine")[::2] == (4, result.report | {"status": "failed", "reason": "exit code 4"})


def test_the_prompt_may_be_an_argument(stage: Stage) -> None:
    stage.config.write_text('[runners.mine]\ncommand = ["mine", "-p", "{prompt}"]\nprompt = "argument"\n')
    stage.says("mine")
    assert stage.run("mine", ORCHD_RESULT="").code == 0
    assert (stage.argv, stage.prompt) == (["-p", "Build the API."], "")
    stage.stdin = b"From a \0file."
    assert stage.run("mine", ORCHD_RESULT="").code == 0
    assert stage.argv == ["-p", "From a file."]
    stage.stdin = b"x" * 131_072
    result = stage.run("mine")
    assert (result.code, result.status) == (1, "failed")
    assert result.reason.startswith("a prompt of 131,072 bytes is too long for an argument: set prompt")


@pytest.mark.parametrize("decides", ["file", "exit-code"])
def test_a_missing_requested_result_file_is_a_failure(stage: Stage, decides: str) -> None:
    stage.config.write_text(f'[runners.mine]\ncommand = ["mine"]\nresult = "{decides}"\n')
    stage.result.write_text("old")
    stage.says("mine")
    result = stage.run("mine")
    assert (result.code, result.reason) == (1, f"no result at {stage.result}")
    stage.says("mine", first=f"echo new > {stage.result}")
    assert stage.run("mine").code == 0
    stage.says("mine")
    assert stage.run("mine", ORCHD_RESULT="").code == 0


def test_result_usage_and_session_are_read_from_json_output(stage: Stage) -> None:
    stage.config.write_text(JSON + TOKENS)
    tokens = {"input": 1, "output": 2, "cache_read": 3, "cache_write": 4}
    stage.says(
        "mine", {"a": [{"b": "no"}], "s": "s-1"}, {"a": [0, {"b": "yes"}], "c": 0.5, "t": tokens}, first="echo hi"
    )
    result = stage.run("mine")
    assert (result.code, stage.result.read_text()) == (0, "yes")
    assert {key: value for key, value in result.report.items() if value} == {
        "status": "completed",
        **{f"{kind}_tokens": number for kind, number in tokens.items()},
        "cost_usd": 0.5,
        "cost_source": "cli",
        "session_id": "s-1",
    }
    assert result.log.startswith('hi\n{"a": [{"b": "no"}], "s": "s-1"}\n')


def test_json_output_may_span_several_lines(stage: Stage) -> None:
    stage.config.write_text(JSON)
    stage.says("mine", first='printf \'{\\n "a": [\\n  {"b": "yes"}\\n ]\\n}\\n\'')
    assert stage.run("mine").code == 0
    assert stage.result.read_text() == "yes"


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ({"x": 1}, 0, "its output has no text at a.-1.b"),
        ({"a": [{"b": 7}]}, 0, "its output has no text at a.-1.b"),
        ({"a": [{"b": "yes"}], "e": "broken"}, 0, "broken"),
        ({"a": [{"b": "yes"}], "e": {"code": 7}}, 0, 'its output has {"code": 7} at e'),
        ({"a": [{"b": "yes"}], "e": False}, 3, "exit code 3"),
        ({"a": [{"b": ""}]}, 0, "no result at"),
    ],
)
def test_json_output_with_an_error_or_without_text_is_a_failure(
    stage: Stage, message: object, code: int, reason: str
) -> None:
    stage.config.write_text(JSON)
    stage.says("mine", message, code=code)  # type: ignore[arg-type]
    result = stage.run("mine")
    assert (result.code, result.status) == (code or 1, "failed")
    assert result.reason.startswith(reason)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"e": "Rate limit reached, try again in 5m"}, 75),
        ({"e": {"type": "rate_limit_error", "message": "slow down"}}, 75),
        ({"e": {"error": {"code": 429}}}, 75),
        ({"e": "slow down", "status": 429}, 75),
        ({"e": "Tests failed: test_rate_limit_middleware expected 429"}, 1),
        ({"e": {"failed": ["test_rate_limit", "expected status 429"]}}, 1),
        ({"e": None, "status": 429}, 1),
    ],
)
def test_rate_limits_are_distinguished_from_errors_that_mention_limits(
    stage: Stage, message: dict[str, object], code: int
) -> None:
    stage.config.write_text(JSON)
    stage.says("mine", message, code=1)
    assert stage.run("mine").code == code


CUT = [
    '{"a": [{"b": "second st',
    '{"e": "boom"',
    '{"a": [1,',
    '{"a": tru',
    '{"a": -',
    '{"a": 1.',
    '{"a": "\\u12',
    "{",
    '{\n "a": [\n  {"b": "inner"},\n',
]


# of more than is kept, only values on one line are read
@pytest.mark.parametrize(("end", "flood"), [*((end, False) for end in CUT), *((end, True) for end in CUT[:3])])
def test_output_that_ends_inside_of_a_value_is_a_cut_stream(stage: Stage, end: str, *, flood: bool) -> None:
    stage.config.write_text(JSON)
    (stage.directory / "end").write_text(end)
    lines = f'yes \'{{"x": "{"y" * 100_000}"}}\' | head -n 50' if flood else "true"
    stage.program("mine", f'echo \'{{"a": [{{"b": "first"}}]}}\'; {lines}; cat {stage.directory}/end')
    result = stage.run("mine")
    assert (result.code, result.reason) == (1, "its output is cut off inside a JSON value")
    assert not stage.result.exists()


@pytest.mark.parametrize("end", ["[info] bye", "[1/2] done", '{"not": json}', "{a", 'so {"a": 1', '{"c": 1}\n\n'])
def test_other_last_lines_are_no_cut_stream(stage: Stage, end: str) -> None:
    stage.config.write_text(JSON)
    (stage.directory / "end").write_text(end)
    stage.program("mine", f'echo \'{{"a": [{{"b": "yes"}}]}}\'; cat {stage.directory}/end')
    assert stage.run("mine").code == 0


@pytest.mark.parametrize(
    "message",
    [
        {"e": "429 Too Many Requests. Retry after 3 seconds"},
        {"e": {"code": 429, "message": "Please retry in 3 seconds"}},
        {"e": {"code": 429, "detail": "x" * 1000, "retry_after": 3}},
    ],
)
def test_the_retry_time_is_read_from_the_error(stage: Stage, message: dict[str, object]) -> None:
    stage.config.write_text(JSON)
    stage.says("mine", message)
    begin_time = time.time()
    assert stage.run("mine").report["retry_at"] - begin_time < 30


@pytest.mark.parametrize(("resume", "argv"), [('["mine", "--resume={session}"]', ["--resume=-s"]), ("[]", [])])
def test_a_session_is_resumed_if_the_config_has_a_resume_command(stage: Stage, resume: str, argv: list[str]) -> None:
    stage.config.write_text(f"{JSON}resume = {resume}\n")
    stage.says("mine", {"a": [{"b": "yes"}], "s": "-s"})
    assert stage.run("mine", ORCHD_RESUME_SESSION="-s").code == 0
    assert [word for word in stage.argv if word] == argv
    assert ("Continue your task" in stage.prompt) is bool(argv)


def test_a_runner_missing_from_the_config_is_reported(stage: Stage) -> None:
    result = stage.run("mine")
    assert (result.code, result.reason) == (
        1,
        "the runner 'mine' no longer exists: available runners: mock, claude, codex",
    )
    stage.config.write_text("[runners.mine]\n")
    result = stage.run("mine")
    assert result.reason.startswith(f"{stage.config}: runners.mine.command is missing")


PRETTY = (
    r"""printf 'Loaded cached credentials.\n[info] go\n{\n "a": [\n  {"b": "inner"},\n  {"b": "yes"}\n ]\n}\n'"""
    r"""; printf 'Bye {"a": 1\n'"""
)


def test_json_between_other_lines_is_read(stage: Stage) -> None:
    stage.config.write_text(JSON)
    stage.says("mine", first=PRETTY)
    assert stage.run("mine").code == 0
    assert stage.result.read_text() == "yes"


def test_an_inner_json_value_on_its_own_line_is_ignored(stage: Stage) -> None:
    stage.config.write_text(JSON.replace("a.-1.b", "b"))
    stage.says("mine", first=PRETTY)
    assert stage.run("mine").reason == "its output has no text at b"


def test_output_beyond_the_buffer_is_read_line_by_line(stage: Stage) -> None:
    stage.config.write_text(JSON + TOKENS)
    flood = f'yes \'{{"x": "{"y" * 1000}"}}\' | head -n 5000'
    stage.says("mine", {"a": [{"b": "yes"}]}, first=f"{PRETTY}; {flood}; echo '{{\"c\": 0.5}}'")
    result = stage.run("mine")
    assert (result.code, result.report["cost_usd"], stage.result.read_text()) == (0, 0.5, "yes")


@pytest.mark.parametrize(("usage", "tokens", "cost"), [("last", 4, 0.25), ("sum", 7, 0.75)])
def test_usage_is_the_last_step_or_the_sum_of_all_steps(stage: Stage, usage: str, tokens: int, cost: float) -> None:
    stage.config.write_text(f'{JSON}{TOKENS}usage = "{usage}"\n')
    steps: list[dict[str, object]] = [{"t": {"input": 3}, "c": 0.5}, {"t": {"input": 4}, "c": 0.25}]
    stage.says("mine", *steps, {"a": [{"b": "yes"}]})
    report = stage.run("mine").report
    assert (report["input_tokens"], report["cost_usd"]) == (tokens, cost)


@pytest.mark.parametrize("goal", ["- fix it", "--help"])
def test_a_goal_that_begins_with_a_dash_is_not_an_option(stage: Stage, goal: str) -> None:
    stage.config.write_text(
        '[runners.mine]\ncommand = ["mine", "{prompt}", "{goal}", "-p{goal}"]\nprompt = "argument"\n'
    )
    stage.says("mine")
    assert stage.run("mine", ORCHD_RESULT="", ORCHD_GOAL=goal).code == 0
    assert stage.argv == ["## Goal", "", goal, f" {goal}", f"-p{goal}"]
