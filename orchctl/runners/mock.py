"""The mock runner, which simulates an agent for tests and demos: it reads its prompt, waits, and writes a result.

Whether it fails depends on ORCHD_MOCK_SEED, its name and its attempt alone. docs/guides/runners.md has its variables.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orchctl.runners.harness import prompt, rate_limits
from orchctl.runners.harness.attempt import Attempt, UnfitError
from orchctl.runners.harness.log import RunnerLog
from orchctl.runners.harness.outcome import RunnerOutcome, keep_result, stamp
from orchctl.runners.harness.supervise import concluded
from orchctl.spawn.mock_notes import MARK
from orchd.instance import environment
from orchd.protocol import statuses

_STEPS = 4
_SECONDS = 0.5
_LONGEST = 1e6  # seconds
_BASE, _SPREAD, _ANSWER = 2000, 8000, 10  # tokens: the least input, its spread, and input for each output token
_INPUT_PRICE, _OUTPUT_PRICE = 3e-6, 15e-6  # dollars a token


class _Ended(Exception):
    """A signal arrived."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def run(attempt: Attempt, log: RunnerLog) -> int:
    """Run a mock agent: work through its steps, and write the result. Returns the exit code."""
    env = {**attempt.env, **attempt.settings.env}
    outcome = RunnerOutcome(model=attempt.model or "mock", cost_source=statuses.SIMULATED, turns=0)
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _end)
        before = stamp(attempt.result)
        name = env.get(environment.ENV_NAME) or "mock"
        chance = _chance(env, name)
        length = len(prompt.text(env, log))
        log.say(f"{name}: read a prompt of {length} characters")
        seconds = _number(env, "ORCHD_MOCK_SECONDS", _SECONDS)
        for step in range(1, _STEPS + 1):
            signal.sigtimedwait([], seconds / _STEPS)
            whole = _BASE + length // 4 + int(chance * _SPREAD)
            outcome.input_tokens = whole * step // _STEPS
            outcome.output_tokens = outcome.input_tokens // _ANSWER
            outcome.cost_usd = outcome.input_tokens * _INPUT_PRICE + outcome.output_tokens * _OUTPUT_PRICE
            outcome.turns = step
            log.say(f"{name}: step {step} of {_STEPS}")
        outcome.fault = _fault(env, name, chance, outcome)
        read = [path for path in environment.paths(env.get(environment.ENV_RESULTS, "")) if Path(path).exists()]
        outcome.result = "\n".join([f"# {name}", "", MARK, "", *(f"- has read {path}" for path in read)]) + "\n"
        if outcome.fault is None and attempt.result is not None:
            keep_result(outcome, attempt.result, before)
        return concluded(attempt, outcome, log, outcome.code(0))
    except _Ended as ended:
        outcome.fault = f"ended by {signal.Signals(ended.number).name}"
        return concluded(attempt, outcome, log, 128 + ended.number)


def _end(number: int, _: object) -> None:
    raise _Ended(number)


def _fault(env: Mapping[str, str], name: str, chance: float, outcome: RunnerOutcome) -> str | None:
    """Return why this attempt fails; None when it does not."""
    limited = dict(pair.rpartition(":")[::2] for pair in env.get("ORCHD_MOCK_RATE_LIMIT", "").split(",") if pair)
    if name in limited and env.get(environment.ENV_ATTEMPT, "1") == "1":
        outcome.retry_at = rate_limits.now() + _number(limited, name, 0.0)
        return "rate-limited, as set by ORCHD_MOCK_RATE_LIMIT"
    if name in env.get("ORCHD_MOCK_FAIL", "").split(","):
        return "failed, as set by ORCHD_MOCK_FAIL"
    if chance < _number(env, "ORCHD_MOCK_FAILURE_RATE", 0.0):
        return "failed by chance, as set by ORCHD_MOCK_FAILURE_RATE"
    return None


def _chance(env: Mapping[str, str], name: str) -> float:
    """Return a number between 0 and 1, always the same for the same seed, name and attempt."""
    from hashlib import blake2b

    drawn = f"{env.get('ORCHD_MOCK_SEED', '')}\0{name}\0{env.get(environment.ENV_ATTEMPT, '1')}"
    return int.from_bytes(blake2b(os.fsencode(drawn), digest_size=6).digest(), "big") / 2**48


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    """Return the number in a variable. Raises UnfitError when it is not a number."""
    value = -1.0
    with suppress(ValueError):
        value = float(env.get(name) or default)
    if not 0 <= value <= _LONGEST:
        raise UnfitError(f"{name} must be a number that is 0 or more, not {env[name]!r}")
    return value
