"""Format of the daemon's log lines: with a time in a file, with a priority in the journal."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TextIO

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


def configure(stream: TextIO, environ: Mapping[str, str]) -> None:
    """Log to `stream`, in the format for the journal or for a file."""
    handler = logging.StreamHandler(stream)
    is_journal = goes_to_the_journal(stream.fileno(), environ)
    handler.setFormatter(
        JournalFormatter("%(message)s") if is_journal else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def goes_to_the_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Return whether a descriptor is the journal's; the variable is no proof: a shell in a service inherits it."""
    status = os.fstat(descriptor)
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalFormatter(logging.Formatter):
    """Formats `<4>text` (sd-daemon(3)). The journal adds the time, and makes every line an entry."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message with its priority on every line."""
        level = next((number for least, number in _PRIORITIES if record.levelno >= least), _DEBUG)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines() or [""])
