"""The error that replies carry. Its code is part of the wire protocol; its text may change."""

from __future__ import annotations

from collections.abc import Mapping


class WireError(Exception):
    """A refusal: a kebab-case `code`, a sentence for users and, for programs, `details`."""

    def __init__(self, code: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
