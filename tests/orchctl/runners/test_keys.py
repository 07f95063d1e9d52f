"""Every key of `[runners.NAME]`, changed, and its effect on a runner seen. tests/e2e/test_config_keys.py has others."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.orchctl.runners.conftest import Ran, Stage

TOLD = {"t": "A", "other": "B", "no": "boom", "s": "s-1", "in": 1000, "out": 500, "read": 200, "write": 100, "c": 0.5}
OWN = {"command": '["mine"]', "result": '"json"', "text": '"t"', "args": '["{model}"]'}
COUNTED = {"input": "in", "output": "out", "cache_read": "read", "cache_write": "write"}
TOKENS = {f"{kind}_tokens": f'"{word}"' for kind, word in COUNTED.items()}
ARGUMENT = '"argument"\nrunners.mine.args = ["{prompt}"]'
JSON = '"json"\nrunners.mine.text = "t"'
ERRING = dict(OWN)
BARE = {"command": '["mine"]'}
PRICED = {**OWN, **TOKENS, "model": '"m"', "prices.m.input": "1000.0", "prices.m.output": "1000.0"}


class Seen(NamedTuple):
    """What a run left."""

    ran: Ran
    argv: list[str]
    env: dict[str, str]
    prompt: str
    result: str


Look = Callable[[Seen], object]
COST: Look = lambda seen: round(seen.ran.report["cost_usd"] or 0.0, 6)  # noqa: E731 - one of many in a table


def told(key: str) -> Look:
    """A value of the report."""
    return lambda seen: seen.ran.report[key]


# The runner, what its table says otherwise, the value, where it shows, and as what.
EFFECTS: dict[str, tuple[str, dict[str, str], str, Look, object]] = {
    "command": ("mine", OWN, '["mine", "-x"]', lambda seen: "-x" in seen.argv, True),
    "args": ("mine", OWN, '["-y", "{model}"]', lambda seen: "-y" in seen.argv, True),
    "model": ("mine", OWN, '"m9"', lambda seen: "m9" in seen.argv, True),
    "prompt": ("mine", BARE, ARGUMENT, lambda seen: "Build the API." in seen.argv, True),
    "result": ("mine", BARE, JSON, told("status"), "completed"),
    "text": ("mine", OWN, '"other"', lambda seen: seen.result, "B"),
    "error": ("mine", ERRING, '"no"', told("reason"), "boom"),
    "session": ("mine", OWN, '"s"', told("session_id"), "s-1"),
    "resume": ("mine", {**OWN, "session": '"s"'}, '["mine", "-r={session}"]', lambda seen: "-r=s-9" in seen.argv, True),
    "input_tokens": ("mine", OWN, '"in"', told("input_tokens"), 1000),
    "usage": ("mine", {**OWN, "input_tokens": '"in"'}, '"sum"', told("input_tokens"), 1007),
    "output_tokens": ("mine", OWN, '"out"', told("output_tokens"), 500),
    "cache_read_tokens": ("mine", OWN, '"read"', told("cache_read_tokens"), 200),
    "cache_write_tokens": ("mine", OWN, '"write"', told("cache_write_tokens"), 100),
    "cost": ("mine", OWN, '"c"', COST, 0.5),
    "subagents": ("claude", {}, "true", lambda seen: "--disallowedTools=Task,Agent,Workflow" in seen.argv, False),
    "prices.MODEL.input": ("mine", PRICED, "2000.0", COST, 3.1),
    "prices.MODEL.output": ("mine", PRICED, "2000.0", COST, 2.3),
    "prices.MODEL.cache_read": ("mine", PRICED, "0.0", COST, 1.6),
    "prices.MODEL.cache_write": ("mine", PRICED, "0.0", COST, 1.7),
    "env": ("mine", OWN, '{ COLOUR = "red" }', lambda seen: seen.env.get("COLOUR"), "red"),
    "unset": ("mine", OWN, '["EXTRA"]', lambda seen: "EXTRA" in seen.env, False),
}


def table(name: str, keys: dict[str, str]) -> str:
    """The lines of a runner's table."""
    return "\n".join(f"runners.{name}.{key.replace('MODEL', 'm')} = {value}" for key, value in keys.items())


def seen(stage: Stage, name: str, keys: dict[str, str]) -> Seen:
    """What a run with these keys leaves."""
    stage.config.write_text(table(name, keys))
    step = [{"in": 7}] if name == "mine" else []
    stage.says(name, *step, {"type": "result", "subtype": "success", "is_error": False, "result": "A"} | TOLD)
    stage.result.unlink(missing_ok=True)
    result = stage.run(name, EXTRA="1", ORCHD_RESUME_SESSION="s-9")
    return Seen(result, stage.argv, stage.env, stage.prompt, stage.result.read_text() if stage.result.exists() else "")


@pytest.fixture(scope="module")
def seen_runs() -> dict[str, Seen]:
    """Runs that several keys are looked for in, by their tables."""
    return {}


def once(seen_runs: dict[str, Seen], stage: Stage, name: str, keys: dict[str, str]) -> Seen:
    """The same, without a second run."""
    words = table(name, keys)
    if words not in seen_runs:
        seen_runs[words] = seen(stage, name, keys)
    return seen_runs[words]


@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_of_a_runner_has_its_effect(stage: Stage, seen_runs: dict[str, Seen], key: str) -> None:
    name, others, _, look, expected = EFFECTS[key]
    together = [other for other in EFFECTS if EFFECTS[other][1] is OWN] if others is OWN else [key]
    changes = {changed.replace("MODEL", "m"): EFFECTS[changed][2] for changed in together}
    before = look(once(seen_runs, stage, name, others))
    assert look(once(seen_runs, stage, name, {**others, **changes})) == expected != before
