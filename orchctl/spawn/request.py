"""What command line and batch file have in common when they describe an agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchctl.client import target
from orchctl.errors import UsageError

_PATHS = ("cwd", "stdin", "output_dir", "result")


def placed(spec: Mapping[str, object], directory: Path) -> dict[str, object]:
    """`spec` with its paths made absolute: the daemon does not know where its client stands."""
    if target.is_far():
        _check_far(spec)
    paths = {key: str(directory / path) for key in _PATHS if isinstance(path := spec.get(key), str) and path}
    return {**spec, **paths}


def _check_far(spec: Mapping[str, object]) -> None:
    """Raises UsageError for what means a place on this machine."""
    if not spec.get("cwd"):
        raise UsageError("the agent starts on another machine: say in which directory there with an absolute --cwd")
    for key in _PATHS:
        if isinstance(path := spec.get(key), str) and path and not path.startswith("/"):
            flag = f"--{key.replace('_', '-')}"
            raise UsageError(f"{flag} {path}: the agent starts on another machine, so the path must be absolute there")
