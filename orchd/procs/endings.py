"""What an attempt left behind that says how it ended: its record and its runner's report."""

from __future__ import annotations

import os

from orchd.core.model import Report
from orchd.core.spending import Spent
from orchd.procs.procfs import BOOT, SHORTAGE, look
from orchd.wire import reports
from orchd.wire.opening import open_file

_LONGEST_RECORD = 4096  # bytes, several times what a shim can write


def report_in(path: str) -> Report | None:
    """What a runner left, in the core's words."""
    told = reports.read(path)
    if told is None:
        return None
    spent = Spent(
        told.input_tokens,
        told.output_tokens,
        told.cache_read_tokens,
        told.cache_write_tokens,
        told.cost_usd or 0.0,
    )
    return Report(
        None if told.status == "completed" else told.reason or told.status,
        spent,
        told.cost_source,
        told.session_id,
        told.model,
        told.turns,
        told.retry_at if told.status == "rate-limited" else None,
    )


def text_of(path: str) -> str:
    """What a record holds; nothing when it is gone, or an agent has made something else of it. Raises OSError when the
    machine lets nobody look."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in SHORTAGE:
            raise
        return ""
    try:
        return os.read(descriptor, _LONGEST_RECORD).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def is_left_alone(record: str, pid: int) -> bool:
    """Whether the pid of a shim that has ended can still name its session: nobody has it now, nor has had since a boot.

    While anybody is left in a session the kernel gives its number to no other process.
    """
    return text_of(record).partition("\n")[0] == BOOT.decode() and look(pid) is None
