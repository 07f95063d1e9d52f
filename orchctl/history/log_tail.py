"""The ends of logs, read from the files that the daemon names, or through it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from orchctl.history.log_source import Source, opened
from orchd.protocol.errors import WireError

if TYPE_CHECKING:
    from orchctl.history.log_source import FarOutput

_LINE = 512  # bytes that a line is thought to take; what is longer shows its end


def tail(output: str | Path | FarOutput | None, count: int) -> list[str]:
    """The last `count` lines; none of a file that is not there."""
    if output is None:
        return []
    try:
        with closing(opened(Path(output) if isinstance(output, str) else output)) as source:
            return _end(source, _LINE * (count + 1)).decode(errors="replace").splitlines()[-count:]
    except (OSError, WireError):  # removed, or not yet there
        return []


def _end(source: Source, most: int) -> bytes:
    """The last bytes, so many at most, behind the gap if there is one."""
    gap = source.read(0, 1)[1]
    start = max(0, source.size() - most, gap.end if gap else 0)
    return source.read(start, most)[0]
