"""The last lines of logs, read from their files or through the daemon."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from orchctl.history.log_source import open_source
from orchd.protocol.errors import WireError

if TYPE_CHECKING:
    from orchctl.history.log_source import RemoteLog

_LINE = 512  # bytes that a line is expected to take; of a longer line its end is returned


def tail(output: str | Path | RemoteLog | None, count: int) -> list[str]:
    """Return the last `count` lines, all after the gap if there is one; none if the file does not exist."""
    if output is None:
        return []
    try:
        with closing(open_source(Path(output) if isinstance(output, str) else output)) as source:
            size = _LINE * (count + 1)
            gap = source.read(0, 1)[1]
            start = max(0, source.size() - size, gap.end if gap else 0)
            return source.read(start, size)[0].decode(errors="replace").splitlines()[-count:]
    except (OSError, WireError):  # removed, or not yet there
        return []
