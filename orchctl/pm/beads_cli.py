"""`bd`, the program of Beads: one at a time, with a time-out, through whatever it may answer.

Its answers go to files and not to pipes: a daemon that it leaves behind would hold a pipe open for ever.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from orchctl.errors import RefusedError

TIMEOUT = 30.0  # seconds: its own waits for a lock are shorter
_LONGEST_ID = 200  # characters: what the daemon takes
_SHOWN = 200  # characters of what it said


class Bd:
    """`bd` in a directory. Raises RefusedError: `no-bd`, `bd-hung`, `bd-failed` or `bd-nonsense`."""

    def __init__(self, directory: Path, timeout: float = TIMEOUT) -> None:
        self._directory = directory
        self._timeout = timeout

    def issues(self, *words: str) -> list[dict[str, Any]]:
        """The issues that a command answers with, in whichever form."""
        said = self.run(*words, "--json")
        try:
            found = list(_issues(json.loads(said)))
        except (ValueError, RecursionError):
            found = [{}]
        if not all(isinstance(one, dict) and _is_id(one.get("id")) for one in found):
            what = f"`bd {words[0]}` answered what is no list of issues: {said[:_SHOWN]!r}; try `bd {words[0]} --json`"
            raise RefusedError(what, code="bd-nonsense")
        return found

    def run(self, *words: str) -> str:
        """What it prints."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = self._ended(words, out, err)
            said, wrong = _text(out), _text(err)
        if code:
            raise RefusedError(f"`bd {' '.join(words[:2])}`: {_error(wrong) or f'exit code {code}'}", code="bd-failed")
        return said

    def _ended(self, words: tuple[str, ...], out: IO[bytes], err: IO[bytes]) -> int:
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
            raise self._hung(words[0]) from None
        finally:
            if started.poll() is None:
                _kill(started.pid)
                started.wait()

    def _hung(self, verb: str) -> RefusedError:
        return RefusedError(
            f"`bd {verb}` did not answer within {self._timeout:g} s: another bd may hold its lock; see whether "
            f"`bd {verb}` answers you, or give it more with --bd-timeout",
            code="bd-hung",
        )


def _kill(group: int) -> None:
    import signal

    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()


def _issues(value: Any) -> Iterator[Any]:
    """The issues in an array, an envelope `{schema_version, data}`, or an object that is one."""
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    yield from value if isinstance(value, list) else [value]


def _is_id(value: Any) -> bool:
    is_short = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID
    return is_short and value.isprintable() and not value.startswith("-")


def _error(said: str) -> str:
    """What stderr says: the `error` of the object there, or its last lines."""
    for line in reversed(said.splitlines()):
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if found := _of_object(value):
                return found
    with suppress(ValueError, RecursionError):  # it may be spread over many lines
        if found := _of_object(json.loads(said)):
            return found
    return " / ".join(said.split("\n"))[-_SHOWN:]


def _of_object(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("data"), dict):
        value = value["data"]
    if not isinstance(value, dict) or not isinstance(value.get("error"), str):
        return ""
    failed = value.get("failed")
    each = [str(one.get("error")) for one in failed if isinstance(one, dict)] if isinstance(failed, list) else []
    return ", ".join(each) or value["error"]
