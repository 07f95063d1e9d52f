"""Runs git in a directory, with a wait for locks that other git processes hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from orchctl.errors import RefusedError

if TYPE_CHECKING:
    from subprocess import CompletedProcess

PATIENCE = 30.0  # seconds that a lock of another git may take
_ADVICE = ("hint:", "Preparing worktree", "warning:")  # beginnings of lines that name no error
_PAUSE = 0.05  # seconds between two tries
# Errors that pass soon: a lock that another git holds, and a worktree that it is just making.
_PASSING = (".lock': File exists", "could not lock config file", "/commondir: ")
# What makes git look at another repository than that of its directory (`git rev-parse --local-env-vars`): set where a
# hook runs, and wrong for everything in a worktree.
ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)

FAILED = "git-failed"
NO_HOOKS = ("-c", "core.hooksPath=/dev/null")  # options


class Git:
    """git in `directory`. Every call raises RefusedError when git is missing, or fails (`git-failed`).

    `options` come before the command.
    """

    def __init__(self, directory: Path, patience: float = PATIENCE, options: tuple[str, ...] = ()) -> None:
        self._directory = directory
        self._options = options
        self._patience = patience

    def ask(self, *words: str) -> str:
        """Return the output of a command that only reads, without the last newline; not even the index is refreshed."""
        return self._patiently(words, {"GIT_OPTIONAL_LOCKS": "0"})

    def entries(self, command: str, *words: str) -> list[str]:
        """List the entries that a command prints; it must take `-z`, as paths may have any character."""
        return [entry for entry in self.ask(command, "-z", *words).split("\0") if entry]

    def tell(self, *words: str) -> str:
        """Return the output of a command that changes something, without the last newline."""
        return self._patiently(words, {})

    def maybe(self, *words: str) -> str | None:
        """Return the output of a command that only reads; None when git fails."""
        try:
            return self.ask(*words)
        except RefusedError as error:
            if error.code != FAILED:
                raise
            return None

    def is_true(self, *words: str) -> bool:
        """Whether the command exits with 0, which means yes for some commands."""
        return self._run(words, {"GIT_OPTIONAL_LOCKS": "0"}).returncode == 0

    def _patiently(self, words: tuple[str, ...], env: Mapping[str, str]) -> str:
        """Return the output; the command is repeated while another git holds a lock."""
        import signal
        import time

        until = time.monotonic() + self._patience
        while (done := self._run(words, env)).returncode:
            lines = [line.strip() for line in os.fsdecode(done.stderr).splitlines() if line.strip()]
            errors = [line for line in lines if not line.startswith(_ADVICE)]
            texts = [line.removeprefix("fatal: ").removeprefix("error: ") for line in errors]
            cause = " / ".join(texts) or f"exit code {done.returncode}"
            if not any(text in cause for text in _PASSING) or time.monotonic() >= until:
                raise RefusedError(f"`git {words[0]}` in {self._directory}: {cause}", code=FAILED)
            signal.sigtimedwait([], _PAUSE)
        return os.fsdecode(done.stdout).removesuffix("\n")

    def _run(self, words: tuple[str, ...], env: Mapping[str, str]) -> CompletedProcess[bytes]:
        from subprocess import DEVNULL, CompletedProcess, run

        try:
            with _memory() as out, _memory() as err:
                process = run(
                    ["git", *self._options, *words],  # noqa: S607 - it is the user's own, on their PATH
                    cwd=self._directory,
                    env={**surroundings(os.environ), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **env},
                    stdin=DEVNULL,  # an agent's prompt is on it
                    stdout=out,
                    stderr=err,
                    check=False,
                )
                return CompletedProcess(process.args, process.returncode, _content(out), _content(err))
        except FileNotFoundError:
            if not self._directory.is_dir():
                raise RefusedError(f"no such directory: {self._directory}", code=FAILED) from None
            raise RefusedError("git is not on the PATH: install it, or leave out --worktree", code="no-git") from None


def _memory() -> IO[bytes]:
    """Open a file in memory for the output: a process that a hook leaves behind would keep a pipe open."""
    return os.fdopen(os.memfd_create("git"), "w+b")


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def surroundings(env: Mapping[str, str]) -> dict[str, str]:
    """Return `env` without the variables that make git use another repository than that of its directory."""
    return {name: value for name, value in env.items() if name not in ELSEWHERE}
