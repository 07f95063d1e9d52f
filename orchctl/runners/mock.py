"""An agent that only pretends, for trying compositions out; it reads a prompt on stdin.

It prints its progress, takes ORCHD_MOCK_SECONDS (0.5 when not set), writes its result to ORCHD_RESULT and completes; it
fails when its name is one of ORCHD_MOCK_FAIL, a list separated by commas.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

_STEPS = 4


def main(env: Mapping[str, str]) -> int:
    """Pretend. Returns the exit code."""
    prompt = sys.stdin.read()
    name = Path(env.get("ORCHD_RESULT") or "mock").stem
    _say(f"{name}: read a prompt of {len(prompt)} characters")
    seconds = float(env.get("ORCHD_MOCK_SECONDS") or 0.5)
    for step in range(1, _STEPS + 1):
        _pass(seconds / _STEPS)
        _say(f"{name}: step {step} of {_STEPS}")
    if name in env.get("ORCHD_MOCK_FAIL", "").split(","):
        _say(f"{name}: failed, as ORCHD_MOCK_FAIL says")
        return 1
    if env.get("ORCHD_RESULT"):
        Path(env["ORCHD_RESULT"]).write_text(_result(name, env.get("ORCHD_RESULTS", "")))
    _say(f"{name}: done")
    return 0


def _result(name: str, inputs: str) -> str:
    read = [path for path in inputs.split(os.pathsep) if path and Path(path).exists()]
    return (
        "\n".join([f"# {name}", "", "This agent only pretended.", "", *(f"- has read {path}" for path in read)]) + "\n"
    )


def _pass(seconds: float) -> None:
    """Let time go by; a signal that ends the agent does so at once."""
    signal.sigtimedwait([], seconds)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
