"""What can go wrong in the daemon that a person must be told about. WireError, for clients, lives with the wire."""

from __future__ import annotations

from collections.abc import Sequence

from orchd.protocol.schema import Violation


class OrchdError(Exception):
    """The base of them all; the message says what, where and what to do."""


class ConfigError(OrchdError):
    """The configuration cannot be used: all that is wrong with it."""

    def __init__(self, message: str, problems: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class StoreError(OrchdError):
    """The database cannot be used, or refused a commit. Nothing that was promised is lost; nothing new is promised."""


class DiskFull(StoreError):
    """The database needs room that the disk does not have."""


class AlreadyRunning(OrchdError):
    """Another daemon holds this home."""
