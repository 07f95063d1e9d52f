"""The ends of logs, read from the files that the daemon names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchd.wire import WireError

if TYPE_CHECKING:
    from orchctl.faroutput import FarOutput

_LINE = 512  # bytes that a line is thought to take; what is longer shows its end


def tail(path: str | Path | FarOutput | None, count: int) -> list[str]:
    """The last `count` lines; none of a file that is not there."""
    if path is None:
        return []
    try:
        with (Path(path) if isinstance(path, str) else path).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LINE * (count + 1)))
            return log.read().decode(errors="replace").splitlines()[-count:]
    except (OSError, WireError):  # removed, or not yet there
        return []
