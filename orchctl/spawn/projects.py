"""Which project a directory belongs to: its session is that of everything begun there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.daemon.launcher import for_agents
from orchctl.spawn import attributes


def project_of(directory: Path) -> Path:
    """The root of the git checkout that `directory` is in, or the directory itself where there is none."""
    return next((one for one in (directory, *directory.parents) if (one / ".git").exists()), directory)


def asked_in(directory: Path) -> dict[str, Any]:
    """What a request to spawn says of where it is made: the directory, its project, and this environment."""
    where = {"cwd": str(directory), "project": str(project_of(directory))}
    return {**where, "env": for_agents(), "attributes": attributes.own()}
