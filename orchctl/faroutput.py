"""The output of an attempt on another machine, read piece by piece as if it were a file here."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from orchd.wire import afar

if TYPE_CHECKING:
    from orchctl.client import Client


class FarOutput:
    """It, to be opened as often as one likes."""

    def __init__(self, client: Client, agent: str, attempt: int) -> None:
        self._client = client
        self._asked = {"id": agent, "attempt": attempt}

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """As `Path.open` does it."""
        del mode
        return cast("BinaryIO", io.BufferedReader(_Pieces(self._client, self._asked), afar.MOST_BYTES))


class _Pieces(io.RawIOBase):
    def __init__(self, client: Client, asked: dict[str, Any]) -> None:
        self._client = client
        self._asked = asked
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            offset += int(self._piece(-1, 1)["size"])
        elif whence == os.SEEK_CUR:
            offset += self._at
        self._at = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._piece(self._at, min(len(buffer), afar.MOST_BYTES))["data"]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _piece(self, offset: int, count: int) -> dict[str, Any]:
        return self._client.call("output", {**self._asked, "offset": offset, "count": count})
