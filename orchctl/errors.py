"""What can go wrong on the client's side of the wire. `exits` says which exit code each has."""

from __future__ import annotations

from collections.abc import Mapping


class ClientError(Exception):
    """Something to tell a person or a script: a kebab-case `code`, a sentence, and `details` to compute with."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class UsageError(ClientError):
    """The words on the command line, or in a batch file, do not make a request."""

    code = "usage"


class NoDaemonError(ClientError):
    """No daemon answers, and none could be started."""

    code = "no-daemon"


class TimedOutError(ClientError):
    """What was waited for did not come in time."""

    code = "timed-out"


class RefusedError(ClientError):
    """The request was understood and cannot be done."""

    code = "refused"
