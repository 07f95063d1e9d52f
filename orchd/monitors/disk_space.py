"""Free space on the disk of the home: read in every turn, which costs a microsecond, and reported when it matters."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from orchd.core.handlers.processes import lacks_room
from orchd.core.inputs import DiskSpaceChanged
from orchd.instance.config import Config
from orchd.instance.system.open_file import open_file

log = logging.getLogger("orchd")

_USUAL = 256 << 20  # bytes that shall be free where the configuration has no number
_OF_SMALL = 20  # of a small disk, this part of it
RESERVE = 1 << 20  # bytes of the reserve, and bytes that must be free before a daemon writes again
_OF_TINY = 16  # of a tiny disk, this part of it
LOOK_AGAIN = 2.0  # seconds, while an agent is queued for want of room: no kernel reports room


def has_room(directory: Path) -> bool:
    """Return whether a file of the size of the reserve can be written: only a trial respects quotas. Raises nothing."""
    probe = directory / ".room"
    try:
        _allocate(probe, _reserve_of(directory))
    except OSError:
        return False
    finally:
        with suppress(OSError):
            probe.unlink()
    return True


def keep_reserve(reserve: Path) -> None:
    """Keep a file that can be deleted when the disk is full, so that pruning has room to begin."""
    try:
        wanted = _reserve_of(reserve.parent)
        if reserve.exists() and reserve.stat().st_blocks * 512 >= wanted:
            return
        disk = os.statvfs(reserve.parent)
        if disk.f_bavail * disk.f_frsize > 2 * wanted:
            _allocate(reserve, wanted)
    except OSError as error:
        log.warning("cannot reserve disk space for pruning in %s: %s", reserve, error.strerror)
        with suppress(OSError):
            reserve.unlink()


def _reserve_of(directory: Path) -> int:
    disk = os.statvfs(directory)
    return min(RESERVE, disk.f_blocks * disk.f_frsize // _OF_TINY)


def _allocate(path: Path, size: int) -> None:
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


class DiskSpace:
    """The free space of the disk of a directory."""

    def __init__(self, directory: Path, floor: int | None) -> None:
        self._directory = directory
        self._floor = floor

    def reconfigure(self, config: Config) -> None:
        """Use this configuration from now on."""
        self._floor = config.free_bytes

    def look(self, *, has_disk_pressure: bool) -> DiskSpaceChanged | None:
        """Return the free space, if disk pressure begins or ends with it; None otherwise."""
        try:
            disk = os.statvfs(self._directory)
        except OSError:  # the next write there reports the error
            return None
        free = disk.f_bavail * disk.f_frsize
        usual = min(_USUAL, disk.f_blocks * disk.f_frsize // _OF_SMALL)
        floor = usual if self._floor is None else self._floor
        if has_disk_pressure == lacks_room(free, floor, was_short=has_disk_pressure):
            return None
        if has_disk_pressure:
            log.info("low disk space has ended: %d bytes are free", free)
        else:
            log.warning(
                "low disk space: %d bytes are free on the disk of the home, below the minimum of %d; no agent starts",
                free,
                floor,
            )
        return DiskSpaceChanged(free, floor)
