"""What every runner with a CLI of its own has in common: it is started, read, judged, and reported of."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from orchctl.runners.harness import leftovers, process, prompt, resuming
from orchctl.runners.harness.attempt import Attempt, UnfitError
from orchctl.runners.harness.lines import Line, Lines
from orchctl.runners.harness.log import Log, short
from orchctl.runners.harness.outcome import FAILED, Outcome, keep_result, leave_report, stamp
from orchd.instance import environment as variables
from orchd.instance import runner_config, runner_report

NOT_FOUND, NOT_RUN = 127, 126  # as a shell reports a program that there is not, or that cannot be run


class Cli(Protocol):
    """One kind of CLI: how it is called, and what its words mean."""

    outcome: Outcome
    argv: list[str]
    caps: dict[str, str]  # variables for it, unless the user has set them
    takes_stdin: bool  # whether the prompt is on its standard input
    is_read: bool  # whether its output is for us, or goes to the log as it is
    resumed: str | None  # the session that it goes on with
    is_interrupted: bool  # whether it is ended by SIGINT, on which it says what it took, before SIGTERM
    reads_errors: bool  # whether what it puts out as errors says something
    is_answered: bool  # whether its result is there, and it begins no other turn as far as is known

    def hear(self, line: Line) -> None:
        """A line of its output."""

    def hear_error(self, line: Line) -> None:
        """A line of its standard error, where `reads_errors`; the log has it already."""

    def patience(self) -> float | None:
        """How many seconds without more output the CLI has to exit; None while it may work."""

    def so_far(self) -> Outcome:
        """What is known of what it took, for the case that nothing more can be reported."""

    def judge(self, code: int, left: list[leftovers.Process]) -> None:
        """Complete the outcome: it has ended. `left` are processes of the attempt as of its last result."""


def run(attempt: Attempt, cli: Cli, log: Log) -> int:
    """Run the CLI, leave result and report. Returns the runner's exit code."""
    before = stamp(attempt.result)
    outcome = cli.outcome
    left: list[leftovers.Process] = []
    try:
        ended = _ended(attempt, cli, log, left)
    except UnfitError as error:
        outcome.fault = str(error)
        return concluded(attempt, outcome, log, NOT_RUN)
    except OSError as error:
        outcome.fault = _unstarted(cli.argv, error)
        return concluded(attempt, outcome, log, NOT_FOUND if error.errno == errno.ENOENT else NOT_RUN)
    code = 0 if ended.is_overdue else ended.code
    cli.judge(code, left)
    if ended.stopped_by is not None:
        outcome.fault, outcome.retry_at = f"ended by {signal.Signals(ended.stopped_by).name}", None
        return concluded(attempt, outcome, log, 128 + ended.stopped_by)
    if ended.is_overdue:
        outcome.note(runner_report.CLI_ENDED, "its CLI did not exit after the result and was ended")
    _look_at_rest(attempt, cli, left)
    if outcome.fault is None and attempt.result is not None:
        keep_result(outcome, attempt.result, before)
    return concluded(attempt, outcome, log, outcome.code(code))


def _look_at_rest(attempt: Attempt, cli: Cli, left: list[leftovers.Process]) -> None:
    """Work that the CLI has left behind ends with its agent, and so is not done; a server is only noted.

    Of a CLI whose results are heard, `left` are the processes that had left it by then: its own helpers take a moment
    to follow it. Of another CLI it is all that there is now.
    """
    outcome = cli.outcome
    begun = [one for one in left if not one.is_below] if cli.is_answered else leftovers.of_attempt(attempt.env)
    jobs = []
    for command, is_staying in leftovers.trees(leftovers.still(begun)) if begun else ():
        if is_staying:
            outcome.note(runner_report.BACKGROUND_KILLED, f"background work killed: {short(command)}")
        else:
            jobs.append(short(command))
    if jobs and outcome.fault is None:
        outcome.fault = f"it ended and left work behind, which was cut off: {', '.join(jobs)}"


def concluded(attempt: Attempt, outcome: Outcome, log: Log, code: int = FAILED) -> int:
    """Say and report what became of it. Returns `code`."""
    outcome.model = outcome.model or attempt.model
    _note_commits(attempt, outcome)
    outcome.estimate(attempt.settings.prices)
    log.say(outcome.summary(attempt.runner))
    leave_report(outcome, attempt.report, log)
    return code


def _note_commits(attempt: Attempt, outcome: Outcome) -> None:
    """Note that nothing was committed in a worktree: nothing else of it is kept. The mock only pretends to work."""
    if not (worktree := attempt.env.get(variables.ENV_WORKTREE)) or attempt.runner == runner_config.MOCK:
        return
    from orchctl.worktrees import commits

    if (made := commits.made_in(Path(worktree))) is not None and not made.commits:
        files = f", {made.changed} changed file{'s' * (made.changed != 1)} left" if made.changed else ""
        outcome.note(runner_report.NOTHING_COMMITTED, f"nothing committed{files}")


class _Listening:
    """What is heard of the CLI, by lines, and which processes there were at its last result."""

    def __init__(self, attempt: Attempt, cli: Cli, log: Log, left: list[leftovers.Process]) -> None:
        self._env = attempt.env
        self._cli = cli
        self._left = left
        self._lines, self._errors = Lines(), Lines()
        self._has_looked = False
        self._log, self._path = log, attempt.report
        self._reported: runner_report.Report | None = None

    def report(self) -> None:
        """Leave a report of what was taken so far, if it has changed: the runner may be killed at any time."""
        outcome = self._cli.so_far()
        outcome.fault = "its runner was killed"
        if (report := outcome.report()) != self._reported:
            self._reported = report
            leave_report(outcome, self._path, self._log)

    def hear(self, data: bytes) -> None:
        """A piece of its output."""
        for line in self._lines.feed(data):
            self._cli.hear(line)
        self.report()

    def hear_error(self, data: bytes) -> None:
        """A piece of its standard error."""
        _pass_on(data)
        for line in self._errors.feed(data):
            self._cli.hear_error(line)

    def patience(self, pid: int) -> float | None:
        """How long it has to exit; the result may be the last."""
        if self._cli.is_answered:
            self._look(pid)
        return self._cli.patience()

    def close(self) -> None:
        """It has exited, maybe before its last words were heard."""
        for line in self._lines.last():
            self._cli.hear(line)
        if self._cli.is_answered and not self._has_looked:
            self._look()

    def _look(self, pid: int = 0) -> None:
        self._has_looked = True
        self._left[:] = leftovers.of_attempt(self._env, pid)


def _ended(attempt: Attempt, cli: Cli, log: Log, left: list[leftovers.Process]) -> process.Ended:
    """Run the CLI; `left` is filled with the processes of the attempt as of its last result."""
    ears = _Listening(attempt, cli, log, left)
    ears.report()
    stdin = _prompt(attempt, cli, log) if cli.takes_stdin else os.open(os.devnull, os.O_RDONLY)
    hear = ears.hear if cli.is_read else None
    hear_error = ears.hear_error if cli.reads_errors else None
    end_rest = partial(_end_rest, attempt) if cli.is_interrupted else None
    ended = process.run(cli.argv, attempt.environment(cli.caps), stdin, hear, ears.patience, hear_error, end_rest)
    ears.close()
    return ended


def _prompt(attempt: Attempt, cli: Cli, log: Log) -> int:
    """A descriptor of the prompt; a session that goes on knows its task."""
    return prompt.standing(attempt.env, log) if cli.resumed is None else prompt.in_memory(resuming.GO_ON)


def _end_rest(attempt: Attempt) -> None:
    """SIGTERM to what the CLI has started: the daemon has told the runner alone."""
    for one in leftovers.of_attempt(attempt.env):
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGTERM)


def _pass_on(data: bytes) -> None:
    """To our own standard error, which is the log, as it is."""
    with suppress(OSError):  # a full disk: the agent goes on
        while data:
            data = data[os.write(2, data) :]


def _unstarted(argv: list[str], error: OSError) -> str:
    program = Path(argv[0]).name or argv[0]
    if error.errno == errno.ENOENT:
        return f"{program}: no such program; install it, put it on the PATH, or choose another runner"
    if error.errno == errno.E2BIG:
        return f'{program}: the prompt is too long for an argument; give it by prompt = "stdin" in config.toml'
    return f"{program} cannot be run: {error.strerror}"
