"""Runs `bd`, the program of Beads: a single process at a time, with a timeout; its output is validated.

The output goes to files and not to pipes: a daemon that `bd` leaves behind would keep a pipe open.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from orchctl.errors import RefusedError

TIMEOUT = 30.0  # seconds: the waits of `bd` itself for a lock are shorter
_ID = re.compile(r"[^-].{0,199}", re.DOTALL)  # 200 characters at most, as the daemon takes; no option
_EXCERPT = 200  # characters of its output in a message


class Bd:
    """Runs `bd` in a directory. Raises RefusedError: `no-bd`, `bd-hung`, `bd-failed` or `bd-nonsense`."""

    def __init__(self, directory: Path, timeout: float = TIMEOUT) -> None:
        self._directory = directory
        self._timeout = timeout

    def issues(self, *words: str) -> list[dict[str, Any]]:
        """Return the issues in the output of a command, in any of its forms."""
        output = self.run(*words, "--json")
        try:
            value = json.loads(output)
        except (ValueError, RecursionError):
            value = {}
        if isinstance(value, dict) and "data" in value:  # the envelope `{schema_version, data}`
            value = value["data"]
        issues = value if isinstance(value, list) else [value]
        for issue in issues:
            issue_id = issue.get("id", "") if isinstance(issue, dict) else ""
            if not isinstance(issue_id, str) or not _ID.fullmatch(issue_id) or not issue_id.isprintable():
                what = f"the output of `bd {words[0]}` is not a list of issues: {output[:_EXCERPT]!r}"
                raise RefusedError(f"{what}; try `bd {words[0]} --json`", code="bd-nonsense")
        return issues

    def run(self, *words: str) -> str:
        """Run a command and return its output."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = self._exit_code(words, out, err)
            output, errors = _text(out), _text(err)
        if code:
            what = f"`bd {' '.join(words[:2])}`: {_error_in(errors) or f'exit code {code}'}"
            raise RefusedError(what, code="bd-failed")
        return output

    def _exit_code(self, words: tuple[str, ...], out: IO[bytes], err: IO[bytes]) -> int:
        """Run a command to its end, or kill it with all its descendants when it times out."""
        import signal
        import subprocess

        try:
            started = subprocess.Popen(
                ["bd", *words],  # noqa: S607 - it is the user's own, on their PATH
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except FileNotFoundError:
            what = "bd, the program of Beads, is not on the PATH: install it, or give a list with --tasks FILE"
            raise RefusedError(what, code="no-bd") from None
        try:
            return started.wait(self._timeout)
        except subprocess.TimeoutExpired:
            what = (
                f"`bd {words[0]}` did not answer within {self._timeout:g} s: another bd may hold its lock; run "
                f"`bd {words[0]}` yourself, or set a longer --bd-timeout"
            )
            raise RefusedError(what, code="bd-hung") from None
        finally:
            if started.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                started.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()


def _error_in(output: str) -> str:
    """Return the error in the output on stderr: the `error` of the object there, or the last lines."""
    for line in reversed(output.splitlines()):
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if message := _of_object(value):
                return message
    with suppress(ValueError, RecursionError):  # the object may be spread over many lines
        if message := _of_object(json.loads(output)):
            return message
    return " / ".join(output.split("\n"))[-_EXCERPT:]


def _of_object(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("data"), dict):
        value = value["data"]
    if not isinstance(value, dict) or not isinstance(value.get("error"), str):
        return ""
    failed = value.get("failed")
    each = (
        [str(failure.get("error")) for failure in failed if isinstance(failure, dict)]
        if isinstance(failed, list)
        else []
    )
    return ", ".join(each) or value["error"]
