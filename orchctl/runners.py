"""What runs a sub-skill: each runner makes the command that reads the prompt on its standard input."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping

from orchctl.composition import SubSkill


def _cli(name: str) -> Callable[[SubSkill], list[str]]:
    """The CLI of that name behind `orchctl.cli_agent`, which knows what else than the exit code tells its outcome."""

    def command(sub_skill: SubSkill) -> list[str]:
        model = ["--model", sub_skill.model] if sub_skill.model else []
        return [sys.executable, "-m", "orchctl.cli_agent", name, *model]

    return command


def _mock(_: SubSkill) -> list[str]:
    return [sys.executable, "-m", "orchctl.mock_agent"]


RUNNERS: Mapping[str, Callable[[SubSkill], list[str]]] = {
    "claude": _cli("claude"),
    "codex": _cli("codex"),
    "mock": _mock,
    "command": lambda sub_skill: list(sub_skill.command),
}


def default() -> str:
    """`claude` where it is installed, `mock` otherwise."""
    return "claude" if shutil.which("claude") else "mock"


def runner_of(sub_skill: SubSkill, chosen: str) -> str:
    """Its own command, or else its own runner, or else the one that was chosen for the run."""
    return "command" if sub_skill.command else sub_skill.runner or chosen


def command(sub_skill: SubSkill, chosen: str) -> list[str]:
    """The program and its arguments."""
    return RUNNERS[runner_of(sub_skill, chosen)](sub_skill)
