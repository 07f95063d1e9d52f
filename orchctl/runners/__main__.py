"""`python -m orchctl.runners [ARGUMENT]...`, started by the daemon: the runner that ORCHD_RUNNER names."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from orchctl.runners import cli, mock
from orchctl.runners.attempt import Attempt, UnfitError, attempt_of, last_message, unfit
from orchctl.runners.log import Log
from orchctl.runners.outcome import Outcome
from orchd.wire import runners, utf8, variables


def main() -> int:
    """Run the agent. Returns its exit code."""
    utf8.ensure()
    if os.environ.get(variables.ENV_WORKTREE):
        from orchctl import worktrees

        if (code := worktrees.entered(os.environ, sys.argv[1:])) is not None:
            return code
    return run(os.environ, tuple(sys.argv[1:]), Log())


def run(env: Mapping[str, str], arguments: tuple[str, ...], log: Log) -> int:
    """Run the attempt that `env` tells of, with its runner. Returns the exit code."""
    attempt = unfit(env, arguments)
    try:
        attempt = attempt_of(env, arguments)
        return _run(attempt, log)
    except UnfitError as error:
        return cli.concluded(attempt, Outcome(fault=str(error)), log)


def _run(attempt: Attempt, log: Log) -> int:
    if attempt.runner == runners.MOCK:
        return mock.run(attempt, log)
    if attempt.runner == runners.CLAUDE:
        from orchctl.runners.claude import Claude

        return cli.run(attempt, Claude(attempt, log), log)
    if attempt.runner == runners.CODEX:
        from orchctl.runners.codex import Codex

        with last_message(attempt) as last:
            return cli.run(attempt, Codex(attempt, log, last), log)
    from orchctl.runners.own import Own

    return cli.run(attempt, Own(attempt, log), log)


if __name__ == "__main__":
    sys.exit(main())
