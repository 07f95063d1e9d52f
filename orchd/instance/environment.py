"""Environment variables that describe an agent to itself. Variables without a value are not set."""

from __future__ import annotations

import re
from collections.abc import Iterable

ENV_HOME = "ORCHD_HOME"
ENV_CONNECT = "ORCHCTL_CONNECT"  # the client's: which other machine's daemon is meant; never an agent's
ENV_PROFILE = "ORCHCTL_PROFILE"
ENV_AGENT = "ORCHD_AGENT"
ENV_ATTEMPT = "ORCHD_ATTEMPT"
ENV_NAME = "ORCHD_NAME"
ENV_GOAL = "ORCHD_GOAL"
ENV_SKILL = "ORCHD_SKILL"
ENV_TASK_ID = "ORCHD_TASK_ID"
ENV_RUNNER = "ORCHD_RUNNER"
ENV_DEFAULT_RUNNER = "ORCHD_DEFAULT_RUNNER"  # a person's: what runs a goal that names no runner; passes to all below
ENV_MODEL = "ORCHD_MODEL"
ENV_RESULT = "ORCHD_RESULT"  # the file that it is to write its result to
ENV_RESULTS = "ORCHD_RESULTS"  # what others wrote and it may read: a JSON array of paths
ENV_RESUME_SESSION = "ORCHD_RESUME_SESSION"  # the session of its CLI that it goes on with
ENV_OUTPUT_DIR = "ORCHD_OUTPUT_DIR"
ENV_REPORT = "ORCHD_REPORT"  # where its runner reports what became of the attempt; not for the agent itself
ENV_WORKTREE = "ORCHD_WORKTREE"  # the git worktree that its runner makes for it
ENV_BASE = "ORCHD_WORKTREE_BASE"  # the commit that it begins at
ENV_BEFORE = "ORCHD_WORKTREE_AFTER"  # ids, separated by commas: agents with worktrees whose work it begins with
ENV_CHECKOUT = "ORCHD_CHECKOUT"  # the checkout that the worktree was made from; of the set-up command

OF_ONE_AGENT = frozenset(
    {
        *(ENV_AGENT, ENV_ATTEMPT, ENV_NAME, ENV_GOAL, ENV_SKILL, ENV_TASK_ID, ENV_RUNNER, ENV_MODEL),
        *(ENV_CONNECT, ENV_PROFILE),
        *(ENV_RESULT, ENV_RESULTS, ENV_OUTPUT_DIR, ENV_REPORT, ENV_WORKTREE),
        ENV_RESUME_SESSION,
        *(ENV_BASE, ENV_BEFORE, ENV_CHECKOUT),
    }
)
"""Variables that must not pass from an agent to the agents that it spawns."""

_NAME = re.compile(r"[^\s=\0]+")


def listed(paths: Iterable[str]) -> str:
    """Return `paths` as a JSON array, which preserves any path. Bytes that are not UTF-8 stay bytes."""
    import json  # not every client needs it

    return json.dumps(list(paths), ensure_ascii=False)


def paths(text: str) -> list[str]:
    """Return the paths in a variable: an array, or separated by colons, as in runs from before an upgrade."""
    if not text.startswith("["):
        return [path for path in text.split(":") if path]
    import json

    items: list[str] = json.loads(text)
    return items


def is_name(text: str) -> bool:
    """Return whether a user may name a variable so. Programs read names with other characters than letters too."""
    return _NAME.fullmatch(text) is not None
