"""What a line of the daemon's log looks like: with its time in a file, with its priority for the journal."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TextIO

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


def configure(stream: TextIO, environ: Mapping[str, str]) -> None:
    """Log to `stream`, in the form of whoever reads it."""
    handler = logging.StreamHandler(stream)
    is_journal = goes_to_the_journal(stream.fileno(), environ)
    handler.setFormatter(
        JournalFormatter("%(message)s") if is_journal else logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def goes_to_the_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether this very file is the journal's. The variable alone says little: a shell in a service inherits it too."""
    status = os.fstat(descriptor)
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalFormatter(logging.Formatter):
    """`<4>text` (sd-daemon(3)). The journal knows the time, and takes every line for an entry of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """All lines of a message have its priority."""
        level = next((number for least, number in _PRIORITIES if record.levelno >= least), _DEBUG)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines() or [""])
