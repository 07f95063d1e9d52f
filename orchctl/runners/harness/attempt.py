"""The attempt that a runner runs, as the variables from the daemon and config.toml describe it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchd.instance import environment as variables
from orchd.instance import runner_config
from orchd.instance.system import os_errors
from orchd.protocol import schema

# Variables that a coding agent's CLI sets for its children. An agent is no part of the session that spawned it, and
# a CLI that sees them refuses to start, or joins that session.
_OF_ANOTHER_SESSION = (
    *("CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_CHILD_SESSION"),
    *("CLAUDE_CODE_EXECPATH", "CLAUDE_CODE_SSE_PORT", "CLAUDE_EFFORT", "AI_AGENT"),
    *("CODEX_SESSION_ID", "CODEX_THREAD_ID", "CODEX_TOOL_CALL_ID", "CODEX_CI"),
    *("CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED"),
)


class UnfitError(Exception):
    """The reason why the attempt cannot start, with its fix."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt. `arguments` come from the spec and are for the runner's CLI."""

    runner: str
    settings: runner_config.RunnerSettings
    arguments: tuple[str, ...]
    env: Mapping[str, str]

    @property
    def model(self) -> str | None:
        """The model from the spec, or else from the settings."""
        return self.env.get(variables.ENV_MODEL) or self.settings.model

    @property
    def result(self) -> Path | None:
        """The file for the result."""
        path = self.env.get(variables.ENV_RESULT)
        return Path(path) if path else None

    @property
    def resumes(self) -> str | None:
        """The session of its CLI that it resumes."""
        return self.env.get(variables.ENV_RESUME_SESSION) or None

    @property
    def report(self) -> Path | None:
        """The file for the report; None when the runner was started by hand."""
        path = self.env.get(variables.ENV_REPORT)
        return Path(path) if path else None

    def environment(self, caps: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of its CLI: our public variables, `caps` unless the user set them, and the settings."""
        hidden = {*_OF_ANOTHER_SESSION, variables.ENV_REPORT, *self.settings.unset}
        env = {name: value for name, value in self.env.items() if name not in hidden}
        return {**caps, **env, **self.settings.env}


def attempt_of(env: Mapping[str, str], arguments: tuple[str, ...]) -> Attempt:
    """Return the attempt that these variables describe. Raises UnfitError when its runner does not exist."""
    name = env.get(variables.ENV_RUNNER, "")
    home = env.get(variables.ENV_HOME)
    try:
        runners = (
            runner_config.read(Path(home) / "config.toml") if home else runner_config.Runners(runner_config.MOCK, {})
        )
    except (schema.ShapeError, OSError) as error:
        raise UnfitError(f"{home}/config.toml: {os_errors.summary(error)}") from None
    if name not in runners.names:
        raise UnfitError(f"the runner {name!r} no longer exists: available runners: {', '.join(runners.names)}")
    return Attempt(name, runners.of(name), arguments, env)


def unfit(env: Mapping[str, str], arguments: tuple[str, ...]) -> Attempt:
    """Return an attempt without settings, so that the failure of `attempt_of` can be reported."""
    return Attempt(env.get(variables.ENV_RUNNER, "no runner"), runner_config.RunnerSettings(), arguments, env)


@contextmanager
def last_message(attempt: Attempt) -> Iterator[Path | None]:
    """Yield a temporary file for the last message of a CLI; None when no result is requested."""
    if attempt.result is None or attempt.report is None:
        yield None
        return
    path = attempt.report.with_name(f"{attempt.report.name}.last")
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()
