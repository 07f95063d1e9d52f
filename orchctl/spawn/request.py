"""A request to spawn: its directory, project and environment, and the paths of each agent in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchctl.client import target
from orchctl.daemon.launcher import for_agents
from orchctl.errors import UsageError
from orchctl.spawn import attributes
from orchd.instance.projects import project_of

_PATHS = ("cwd", "stdin", "output_dir", "result")


def origin(directory: Path) -> dict[str, Any]:
    """Return what a request has of the place it is sent from: the directory, its project and this environment."""
    where = {"cwd": str(directory), "project": str(project_of(directory))}
    return {**where, "env": for_agents(), "attributes": attributes.own()}


def with_absolute_paths(spec: Mapping[str, object], directory: Path) -> dict[str, object]:
    """Return `spec` with its paths made absolute: the daemon does not know the directory of its client."""
    if target.is_remote():
        if not spec.get("cwd"):
            raise UsageError(
                "the agent starts on another machine: set its working directory there with --cwd and an absolute path"
            )
        for key in _PATHS:
            if isinstance(path := spec.get(key), str) and path and not path.startswith("/"):
                flag = f"--{key.replace('_', '-')}"
                raise UsageError(f"{flag} {path}: the agent starts on another machine, so the path must be absolute")
    paths = {key: str(directory / path) for key in _PATHS if isinstance(path := spec.get(key), str) and path}
    return {**spec, **paths}
