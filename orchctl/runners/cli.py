"""A coding agent's CLI with the prompt on stdin.

An exit code of 0 is not enough to complete: what the CLI itself says of its outcome counts, and a member that leaves no
result has been cut off. Claude Code's words are those of `--output-format json`: one object of type `result`, complete
when `subtype` is `success` and `is_error` is not true. Codex writes its last message to the file after
`--output-last-message`. The result's text goes to ORCHD_RESULT, unless the agent has written that file itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

FAILED = 1  # when the CLI ended with 0 and has not completed all the same


class CutOffError(Exception):
    """Why what ended with 0 has not completed."""


def main(words: Sequence[str], env: Mapping[str, str]) -> int:
    """Run the CLI that `words` name. Returns the exit code."""
    name, *options = words
    result = Path(env["ORCHD_RESULT"]) if env.get("ORCHD_RESULT") else None
    before = _stamp(result)
    try:
        code, text = RUN[name](options, result)
        if code == 0 and result is not None:
            _keep(result, text, before)
    except CutOffError as error:
        sys.stderr.write(f"{name} ended with 0 and has not completed: {error}\n")
        return FAILED
    except FileNotFoundError:
        sys.stderr.write(f"{name}: no such program; install it, or choose another runner with --runner\n")
        return 127
    return code


def _claude(options: Sequence[str], _: Path | None) -> tuple[int, str | None]:
    done = subprocess.run(
        ["claude", "-p", "--output-format", "json", *options],  # noqa: S607 - it is the user's own, on their PATH
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        sys.stdout.write(done.stdout.decode(errors="replace"))
        return done.returncode, None
    outcome = _outcome(done.stdout)
    text = str(outcome.get("result") or "")
    sys.stdout.write(f"{text}\n")
    if outcome.get("subtype") != "success" or outcome.get("is_error"):
        raise CutOffError(
            f"its result says {outcome.get('subtype')!r}{', is_error' if outcome.get('is_error') else ''}"
        )
    return 0, text


def _outcome(output: bytes) -> dict[str, Any]:
    lines = output.strip().splitlines()
    try:
        outcome = json.loads(lines[-1]) if lines else None
    except ValueError:
        outcome = None
    if not isinstance(outcome, dict) or outcome.get("type") != "result":
        raise CutOffError("it printed no result")
    return outcome


def _codex(options: Sequence[str], result: Path | None) -> tuple[int, str | None]:
    last = ["--output-last-message", str(result)] if result is not None else []
    return subprocess.run(["codex", "exec", *options, *last, "-"], check=False).returncode, None  # noqa: S607 - as above


RUN: dict[str, Callable[[Sequence[str], Path | None], tuple[int, str | None]]] = {"claude": _claude, "codex": _codex}


def _keep(result: Path, text: str | None, before: tuple[int, int] | None) -> None:
    """Leave a result: the agent's own file if it has written one, its last words otherwise."""
    if (stamp := _stamp(result)) is not None and stamp != before:
        return
    if not text:
        raise CutOffError(f"it left no result at {result}")
    result.write_text(text)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """What tells one version of a file from the next; None when there is none or it is empty."""
    try:
        found = path.stat() if path is not None else None
    except FileNotFoundError:
        return None
    return (found.st_mtime_ns, found.st_size) if found is not None and found.st_size else None
