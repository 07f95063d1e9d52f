"""Room on the disk of the home: looked at in every turn, which costs a microsecond, and told when it matters."""

from __future__ import annotations

import os
from pathlib import Path

from orchd.core.inputs import SpaceSeen
from orchd.wire.settings import Config

LOOK_AGAIN = 2.0  # seconds, while somebody is queued for want of room: no kernel tells of room


class Space:
    """The disk that a directory is on."""

    def __init__(self, directory: Path, floor: int) -> None:
        self._directory = directory
        self._floor = floor

    def heed(self, config: Config) -> None:
        """Go by this configuration from now on."""
        self._floor = config.free_bytes

    def look(self, *, is_short: bool) -> SpaceSeen | None:
        """What there is, where that is not what is known."""
        try:
            found = os.statvfs(self._directory)
        except OSError:  # whoever writes there will say what is wrong
            return None
        free = found.f_bavail * found.f_frsize
        if is_short == (free < self._floor):
            return None
        return SpaceSeen(free, self._floor)
