"""Every key of `[runners.NAME]`, and its effect on a runner. tests/e2e/test_config_keys.py has the other tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.orchctl.runners.conftest import RunnerResult, Stage

REPORTED = {
    "t": "A",
    "other": "B",
    "no": "boom",
    "s": "s-1",
    "in": 1000,
    "out": 500,
    "read": 200,
    "write": 100,
    "c": 0.5,
}
OWN = {"command": '["mine"]', "result": '"json"', "text": '"t"', "args": '["{model}"]'}
COUNTED = {"input": "in", "output": "out", "cache_read": "read", "cache_write": "write"}
TOKENS = {f"{kind}_tokens": f'"{word}"' for kind, word in COUNTED.items()}
ARGUMENT = '"argument"\nrunners.mine.args = ["{prompt}"]'
JSON = '"json"\nrunners.mine.text = "t"'
ERRING = dict(OWN)
BARE = {"command": '["mine"]'}
PRICED = {**OWN, **TOKENS, "model": '"m"', "prices.m.input": "1000.0", "prices.m.output": "1000.0"}


class RunOutput(NamedTuple):
    """The report, the arguments, the environment, the prompt and the result of a run."""

    run: RunnerResult
    argv: list[str]
    env: dict[str, str]
    prompt: str
    result: str


Look = Callable[[RunOutput], object]
COST: Look = lambda output: round(output.run.report["cost_usd"] or 0.0, 6)  # noqa: E731 - one of many in a table


def reported(key: str) -> Look:
    """Return a reader of a value of the report."""
    return lambda output: output.run.report[key]


# The runner, what its table says otherwise, the value, where it shows, and as what.
EFFECTS: dict[str, tuple[str, dict[str, str], str, Look, object]] = {
    "command": ("mine", OWN, '["mine", "-x"]', lambda output: "-x" in output.argv, True),
    "args": ("mine", OWN, '["-y", "{model}"]', lambda output: "-y" in output.argv, True),
    "model": ("mine", OWN, '"m9"', lambda output: "m9" in output.argv, True),
    "prompt": ("mine", BARE, ARGUMENT, lambda output: "Build the API." in output.argv, True),
    "result": ("mine", BARE, JSON, reported("status"), "completed"),
    "text": ("mine", OWN, '"other"', lambda output: output.result, "B"),
    "error": ("mine", ERRING, '"no"', reported("reason"), "boom"),
    "session": ("mine", OWN, '"s"', reported("session_id"), "s-1"),
    "resume": (
        "mine",
        {**OWN, "session": '"s"'},
        '["mine", "-r={session}"]',
        lambda output: "-r=s-9" in output.argv,
        True,
    ),
    "input_tokens": ("mine", OWN, '"in"', reported("input_tokens"), 1000),
    "usage": ("mine", {**OWN, "input_tokens": '"in"'}, '"sum"', reported("input_tokens"), 1007),
    "output_tokens": ("mine", OWN, '"out"', reported("output_tokens"), 500),
    "cache_read_tokens": ("mine", OWN, '"read"', reported("cache_read_tokens"), 200),
    "cache_write_tokens": ("mine", OWN, '"write"', reported("cache_write_tokens"), 100),
    "cost": ("mine", OWN, '"c"', COST, 0.5),
    "subagents": ("claude", {}, "true", lambda output: "--disallowedTools=Task,Agent,Workflow" in output.argv, False),
    "prices.MODEL.input": ("mine", PRICED, "2000.0", COST, 3.1),
    "prices.MODEL.output": ("mine", PRICED, "2000.0", COST, 2.3),
    "prices.MODEL.cache_read": ("mine", PRICED, "0.0", COST, 1.6),
    "prices.MODEL.cache_write": ("mine", PRICED, "0.0", COST, 1.7),
    "env": ("mine", OWN, '{ COLOUR = "red" }', lambda output: output.env.get("COLOUR"), "red"),
    "unset": ("mine", OWN, '["EXTRA"]', lambda output: "EXTRA" in output.env, False),
}


def table(name: str, keys: dict[str, str]) -> str:
    """Return the lines of a runner's table."""
    return "\n".join(f"runners.{name}.{key.replace('MODEL', 'm')} = {value}" for key, value in keys.items())


def run_output(stage: Stage, name: str, keys: dict[str, str]) -> RunOutput:
    """Run with these keys and return the output."""
    stage.config.write_text(table(name, keys))
    step = [{"in": 7}] if name == "mine" else []
    stage.says(name, *step, {"type": "result", "subtype": "success", "is_error": False, "result": "A"} | REPORTED)
    stage.result.unlink(missing_ok=True)
    result = stage.run(name, EXTRA="1", ORCHD_RESUME_SESSION="s-9")
    return RunOutput(
        result, stage.argv, stage.env, stage.prompt, stage.result.read_text() if stage.result.exists() else ""
    )


@pytest.fixture(scope="module")
def seen_runs() -> dict[str, RunOutput]:
    """Outputs of runs, by their tables; several keys are checked in one run."""
    return {}


def cached_output(seen_runs: dict[str, RunOutput], stage: Stage, name: str, keys: dict[str, str]) -> RunOutput:
    """Return the output without a second run of the same table."""
    words = table(name, keys)
    if words not in seen_runs:
        seen_runs[words] = run_output(stage, name, keys)
    return seen_runs[words]


@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_of_a_runner_has_its_effect(stage: Stage, seen_runs: dict[str, RunOutput], key: str) -> None:
    name, others, _, look, expected = EFFECTS[key]
    together = [other for other in EFFECTS if EFFECTS[other][1] is OWN] if others is OWN else [key]
    changes = {changed.replace("MODEL", "m"): EFFECTS[changed][2] for changed in together}
    before = look(cached_output(seen_runs, stage, name, others))
    assert look(cached_output(seen_runs, stage, name, {**others, **changes})) == expected != before
