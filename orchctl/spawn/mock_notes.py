"""Mock agents: a note when they are used by default, and the mark in their results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchctl.terminal import console

MARK = "This agent only pretended."
"""The second paragraph of every result that the mock runner writes."""
_HEAD = 1024  # bytes; the name of the agent is before the mark


def note_pretenders(agents: Iterable[Mapping[str, Any]], runner: str | None) -> None:
    """Print a note when `agents`, as a reply shows them, are mock agents and no `runner` was requested."""
    used = {agent["runner"] for agent in agents}
    if runner is not None or used == {None}:
        return
    from orchd.instance import runner_config  # an agent that is a command needs none of that

    if runner_config.MOCK in used:
        console.warn(
            "using the mock runner, no real work is done: choose a runner with --runner NAME, or set `runner` in "
            "config.toml"
        )


def is_pretended(result: Path) -> bool:
    """Return whether the mock runner wrote this result; False when it cannot be read."""
    from orchd.instance.system import open_file as opening

    try:
        with os.fdopen(opening.open_file(result, os.O_RDONLY, follow=True), "rb") as file:
            return f"\n\n{MARK}\n".encode() in file.read(_HEAD)
    except OSError:
        return False
