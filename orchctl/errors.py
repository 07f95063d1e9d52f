"""The errors of the client. `exit_codes` has the exit code of each."""

from __future__ import annotations

from collections.abc import Mapping


class ClientError(Exception):
    """An error for people and scripts: a kebab-case `code`, a sentence, and `details` as data."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class UsageError(ClientError):
    """The command line, or a line of a batch file, is not a valid request."""

    code = "usage"


class NoDaemonError(ClientError):
    """No daemon answers, and the client could not start a daemon."""

    code = "no-daemon"


class TimedOutError(ClientError):
    """The wait exceeded its timeout."""

    code = "timed-out"


class RefusedError(ClientError):
    """The request is valid and was refused."""

    code = "refused"
