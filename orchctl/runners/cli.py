"""What every runner with a CLI of its own has in common: it is started, read, judged, and reported of."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Protocol

from orchctl.runners import process, prompt
from orchctl.runners.attempt import Attempt, UnfitError
from orchctl.runners.log import Log
from orchctl.runners.outcome import FAILED, Outcome, keep_result, leave_report, stamp
from orchctl.runners.stream import Line, Lines

NOT_FOUND, NOT_RUN = 127, 126  # as a shell reports a program that there is not, or that cannot be run


class Cli(Protocol):
    """One kind of CLI: how it is called, and what its words mean."""

    outcome: Outcome
    argv: list[str]
    caps: dict[str, str]  # variables for it, unless the user has set them
    takes_stdin: bool  # whether the prompt is on its standard input
    is_read: bool  # whether its output is for us, or goes to the log as it is
    leaves_result: bool  # whether it has completed only if it leaves a result

    def hear(self, line: Line) -> None:
        """A line of its output."""

    def judge(self, code: int) -> None:
        """Complete the outcome: it has ended."""


def run(attempt: Attempt, cli: Cli, log: Log) -> int:
    """Run the CLI, leave result and report. Returns the runner's exit code."""
    before = stamp(attempt.result)
    outcome = cli.outcome
    try:
        ended = _ended(attempt, cli, log)
    except UnfitError as error:
        outcome.fault = str(error)
        return concluded(attempt, outcome, log, NOT_RUN)
    except OSError as error:
        outcome.fault = _unstarted(cli.argv, error)
        return concluded(attempt, outcome, log, NOT_FOUND if error.errno == errno.ENOENT else NOT_RUN)
    cli.judge(ended.code)
    if ended.stopped_by is not None:
        outcome.fault, outcome.retry_at = f"ended by {signal.Signals(ended.stopped_by).name}", None
        return concluded(attempt, outcome, log, 128 + ended.stopped_by)
    if outcome.fault is None and attempt.result is not None and cli.leaves_result:
        keep_result(outcome, attempt.result, before)
    return concluded(attempt, outcome, log, outcome.code(ended.code))


def concluded(attempt: Attempt, outcome: Outcome, log: Log, code: int = FAILED) -> int:
    """Say and report what became of it. Returns `code`."""
    outcome.model = outcome.model or attempt.model
    outcome.estimate(attempt.settings.prices)
    log.say(outcome.summary(attempt.runner))
    leave_report(outcome, attempt.report, log)
    return code


def _ended(attempt: Attempt, cli: Cli, log: Log) -> process.Ended:
    lines = Lines()

    def hear(data: bytes) -> None:
        for line in lines.feed(data):
            cli.hear(line)

    stdin = prompt.standing(attempt.env, log) if cli.takes_stdin else os.open(os.devnull, os.O_RDONLY)
    ended = process.run(cli.argv, attempt.environment(cli.caps), stdin, hear if cli.is_read else None)
    for line in lines.last():
        cli.hear(line)
    return ended


def _unstarted(argv: list[str], error: OSError) -> str:
    program = Path(argv[0]).name or argv[0]
    if error.errno == errno.ENOENT:
        return f"{program}: no such program; install it, put it on the PATH, or choose another runner"
    if error.errno == errno.E2BIG:
        return f'{program}: the prompt is too long for an argument; give it by prompt = "stdin" in config.toml'
    return f"{program} cannot be run: {error.strerror}"
