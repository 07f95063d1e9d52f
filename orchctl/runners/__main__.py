"""`python -m orchctl.runners [ARGUMENT]...`, started by the daemon: the runner that ORCHD_RUNNER names."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from orchctl.runners import mock
from orchctl.runners.harness import supervise
from orchctl.runners.harness.attempt import UnfitError, attempt_of, last_message, unfit
from orchctl.runners.harness.log import RunnerLog
from orchctl.runners.harness.outcome import RunnerOutcome
from orchd.instance import environment, runner_config
from orchd.instance.system import utf8


def main() -> int:
    """Run the agent. Returns its exit code."""
    utf8.ensure()
    if os.environ.get(environment.ENV_WORKTREE):
        from orchctl.worktrees import create

        if (code := create.enter(os.environ, sys.argv[1:])) is not None:
            return code
    return run(os.environ, tuple(sys.argv[1:]), RunnerLog())


def run(env: Mapping[str, str], arguments: tuple[str, ...], log: RunnerLog) -> int:
    """Run the attempt that `env` describes, with its runner. Returns the exit code.

    Only the module of that runner is imported, so that it starts fast.
    """
    attempt = unfit(env, arguments)
    try:
        attempt = attempt_of(env, arguments)
        if attempt.runner == runner_config.MOCK:
            return mock.run(attempt, log)
        if attempt.runner == runner_config.CLAUDE:
            from orchctl.runners.claude import Claude

            return supervise.run(attempt, Claude(attempt, log), log)
        if attempt.runner == runner_config.CODEX:
            from orchctl.runners.codex import Codex

            with last_message(attempt) as last:
                return supervise.run(attempt, Codex(attempt, log, last), log)
        from orchctl.runners.custom import Own

        return supervise.run(attempt, Own(attempt, log), log)
    except UnfitError as error:
        return supervise.concluded(attempt, RunnerOutcome(fault=str(error)), log)


if __name__ == "__main__":
    sys.exit(main())
