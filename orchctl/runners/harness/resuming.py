"""Resuming the session of a CLI, if the CLI still has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchctl.runners.harness.attempt import Attempt
from orchctl.runners.harness.log import RunnerLog
from orchd.instance import runner_config

# Where each CLI keeps a session: a variable, the directory in the home without it, and a pattern for the file.
_PLACES = {
    runner_config.CLAUDE: ("CLAUDE_CONFIG_DIR", ".claude", "projects/*/{}.jsonl"),
    runner_config.CODEX: ("CODEX_HOME", ".codex", "sessions/*/*/*/rollout-*-{}.jsonl"),
}
GO_ON = "You were interrupted. Continue your task from where you stopped; do not repeat work that is done.\n"


def session(attempt: Attempt, env: Mapping[str, str], log: RunnerLog) -> str | None:
    """Return the session to resume; None when the attempt starts a new session. `env` is that of its CLI.

    A session that its CLI has not kept would be an error, so the attempt starts a new session instead.
    """
    if (session_id := attempt.resumes) is None:
        return None
    variable, below, pattern = _PLACES[attempt.runner]
    place = Path(env.get(variable) or Path(env.get("HOME") or Path.home()) / below)
    if session_id.replace("-", "").isalnum() and any(place.glob(pattern.format(session_id))):
        log.say(f"resuming session {session_id}")
        return session_id
    log.say(f"session {session_id} is not in {place}: starting a new session")
    return None
