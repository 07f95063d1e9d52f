"""Errors of the daemon that an operator must fix. WireError, the error that clients get, is in the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from orchd.protocol.schema import Violation


class OrchdError(Exception):
    """Base of these errors; its message names the fault, its place and the remedy."""


class ConfigError(OrchdError):
    """The configuration cannot be used; has all problems of the file."""

    def __init__(self, message: str, problems: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class StoreError(OrchdError):
    """The database cannot be used, or refused a commit: no acknowledged change is lost, and none is acknowledged."""


class DiskFull(StoreError):
    """The database needs room that the disk does not have."""


class AlreadyRunning(OrchdError):
    """Another daemon holds this home."""
