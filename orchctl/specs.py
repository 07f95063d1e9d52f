"""What command line and batch file have in common when they describe an agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_PATHS = ("cwd", "stdin", "output_dir", "result")


def placed(spec: Mapping[str, object], directory: Path) -> dict[str, object]:
    """`spec` with its paths made absolute: the daemon does not know where its client stands."""
    paths = {key: str(directory / path) for key in _PATHS if isinstance(path := spec.get(key), str) and path}
    return {**spec, **paths}
