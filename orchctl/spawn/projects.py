"""What a request to spawn tells about the place that it is made in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.daemon.launcher import for_agents
from orchctl.spawn import attributes
from orchd.instance.projects import project_of


def asked_in(directory: Path) -> dict[str, Any]:
    """What a request to spawn says of where it is made: the directory, its project, and this environment."""
    where = {"cwd": str(directory), "project": str(project_of(directory))}
    return {**where, "env": for_agents(), "attributes": attributes.own()}
