"""Supervises the CLI of a runner: starts it, reads its output, judges its end, and reports it."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from orchctl.runners.harness import leftovers, process, prompt, resuming
from orchctl.runners.harness.attempt import Attempt, UnfitError
from orchctl.runners.harness.lines import Lines, OutputLine
from orchctl.runners.harness.log import RunnerLog, short
from orchctl.runners.harness.outcome import FAILED, RunnerOutcome, keep_result, leave_report, stamp
from orchd.instance import environment as variables
from orchd.instance import runner_config, runner_report

NOT_FOUND, NOT_RUN = 127, 126  # as a shell reports a missing program, and a program that cannot be run


class Cli(Protocol):
    """A kind of CLI: its command, and the meaning of its output."""

    outcome: RunnerOutcome
    argv: list[str]
    caps: dict[str, str]  # variables for it, unless the user has set them
    takes_stdin: bool  # whether the prompt is on its standard input
    is_read: bool  # whether its output is parsed, or goes to the log as it is
    resumed: str | None  # the session that it resumes
    is_interrupted: bool  # whether it gets SIGINT, on which it reports its usage, before SIGTERM
    reads_errors: bool  # whether its standard error is parsed
    is_answered: bool  # whether it has given its result and has begun no other turn

    def hear(self, line: OutputLine) -> None:
        """Take a line of its output."""

    def hear_error(self, line: OutputLine) -> None:
        """Take a line of its standard error, where `reads_errors`; the log has it already."""

    def patience(self) -> float | None:
        """Return the seconds without more output in which the CLI must exit; None while it may work."""

    def so_far(self) -> RunnerOutcome:
        """Return the usage known so far, for the case that nothing more can be reported."""

    def judge(self, code: int, left: list[leftovers.LeftProcess]) -> None:
        """Complete the outcome after the exit. `left` are the processes of the attempt as of its last result."""


def run(attempt: Attempt, cli: Cli, log: RunnerLog) -> int:
    """Run the CLI and write result and report. Returns the runner's exit code."""
    before = stamp(attempt.result)
    outcome = cli.outcome
    left: list[leftovers.LeftProcess] = []
    try:
        ended = _run(attempt, cli, log, left)
    except UnfitError as error:
        outcome.fault = str(error)
        return concluded(attempt, outcome, log, NOT_RUN)
    except OSError as error:
        program = Path(cli.argv[0]).name or cli.argv[0]
        outcome.fault = f"{program} cannot be run: {error.strerror}"
        if error.errno == errno.ENOENT:
            what = "no such program; install it, put it on the PATH, or choose another runner"
            outcome.fault = f"{program}: {what}"
        elif error.errno == errno.E2BIG:
            what = 'the prompt is too long for an argument; set prompt = "stdin" in config.toml'
            outcome.fault = f"{program}: {what}"
        return concluded(attempt, outcome, log, NOT_FOUND if error.errno == errno.ENOENT else NOT_RUN)
    code = 0 if ended.is_overdue else ended.code
    cli.judge(code, left)
    if ended.stopped_by is not None:
        outcome.fault, outcome.retry_at = f"ended by {signal.Signals(ended.stopped_by).name}", None
        return concluded(attempt, outcome, log, 128 + ended.stopped_by)
    if ended.is_overdue:
        outcome.note(runner_report.CLI_ENDED, "its CLI did not exit after the result and was killed")
    _check_leftovers(attempt, cli, left)
    if outcome.fault is None and attempt.result is not None:
        keep_result(outcome, attempt.result, before)
    return concluded(attempt, outcome, log, outcome.code(code))


def _check_leftovers(attempt: Attempt, cli: Cli, left: list[leftovers.LeftProcess]) -> None:
    """Set a fault for unfinished work that the CLI left running; a server is only noted.

    For a CLI whose results are parsed, `left` are the processes at its last result, of which its own helpers do not
    count as they take a moment to exit. For another CLI all current processes count.
    """
    outcome = cli.outcome
    begun = [member for member in left if not member.is_below] if cli.is_answered else leftovers.of_attempt(attempt.env)
    jobs = []
    for command, is_staying in leftovers.trees(leftovers.still(begun)) if begun else ():
        if is_staying:
            outcome.note(runner_report.BACKGROUND_KILLED, f"background work killed: {short(command)}")
        else:
            jobs.append(short(command))
    if jobs and outcome.fault is None:
        outcome.fault = f"it exited and left work running, which was killed: {', '.join(jobs)}"


def concluded(attempt: Attempt, outcome: RunnerOutcome, log: RunnerLog, code: int = FAILED) -> int:
    """Write the last line of the log and the report. Returns `code`."""
    outcome.model = outcome.model or attempt.model
    worktree = attempt.env.get(variables.ENV_WORKTREE)
    if worktree and attempt.runner != runner_config.MOCK:  # the mock runner only pretends to work
        from orchctl.worktrees import commits

        if (work := commits.work_in(Path(worktree))) is not None and not work.commits:
            files = f", {work.changed} changed file{'s' * (work.changed != 1)} left" if work.changed else ""
            outcome.note(runner_report.NOTHING_COMMITTED, f"nothing committed{files}")
    outcome.estimate(attempt.settings.prices)
    log.say(outcome.summary(attempt.runner))
    leave_report(outcome, attempt.report, log)
    return code


class _Listener:
    """Passes output on to the CLI's class line by line, and keeps the processes that ran at its last result."""

    def __init__(self, attempt: Attempt, cli: Cli, log: RunnerLog, left: list[leftovers.LeftProcess]) -> None:
        self._env = attempt.env
        self._cli = cli
        self._left = left
        self._lines, self._errors = Lines(), Lines()
        self._has_looked = False
        self._log, self._path = log, attempt.report
        self._reported: runner_report.RunnerReport | None = None

    def report(self) -> None:
        """Write a report of the usage so far, if it has changed: the runner may be killed at any time."""
        outcome = self._cli.so_far()
        outcome.fault = "its runner was killed"
        if (report := outcome.report()) != self._reported:
            self._reported = report
            leave_report(outcome, self._path, self._log)

    def hear(self, data: bytes) -> None:
        """Take a piece of its output."""
        for line in self._lines.feed(data):
            self._cli.hear(line)
        self.report()

    def hear_error(self, data: bytes) -> None:
        """Take a piece of its standard error, and pass it on to our own, which is the log."""
        rest = data
        with suppress(OSError):  # a full disk: the agent goes on
            while rest:
                rest = rest[os.write(2, rest) :]
        for line in self._errors.feed(data):
            self._cli.hear_error(line)

    def patience(self, pid: int) -> float | None:
        """Return the seconds in which the CLI must exit; its result may be the last."""
        if self._cli.is_answered:
            self._look(pid)
        return self._cli.patience()

    def end_rest(self) -> None:
        """Send SIGTERM to the processes that the CLI has started: the daemon has signalled the runner alone."""
        for member in leftovers.of_attempt(self._env):
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGTERM)

    def close(self) -> None:
        """Take the rest of the output, after the exit."""
        for line in self._lines.last():
            self._cli.hear(line)
        if self._cli.is_answered and not self._has_looked:
            self._look()

    def _look(self, pid: int = 0) -> None:
        self._has_looked = True
        self._left[:] = leftovers.of_attempt(self._env, pid)


def _run(attempt: Attempt, cli: Cli, log: RunnerLog, left: list[leftovers.LeftProcess]) -> process.Ended:
    """Run the CLI; `left` is filled with the processes of the attempt as of its last result."""
    listener = _Listener(attempt, cli, log, left)
    listener.report()
    if not cli.takes_stdin:
        stdin = os.open(os.devnull, os.O_RDONLY)
    elif cli.resumed is None:
        stdin = prompt.standing(attempt.env, log)
    else:
        stdin = prompt.in_memory(resuming.GO_ON)
    hear = listener.hear if cli.is_read else None
    hear_error = listener.hear_error if cli.reads_errors else None
    end_rest = listener.end_rest if cli.is_interrupted else None
    ended = process.run(cli.argv, attempt.environment(cli.caps), stdin, hear, listener.patience, hear_error, end_rest)
    listener.close()
    return ended
