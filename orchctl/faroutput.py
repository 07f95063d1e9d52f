"""The output of an attempt on another machine, read piece by piece as a file here is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchd.wire import afar, gaps

if TYPE_CHECKING:
    from orchctl.client import Client


class FarOutput:
    """A source of pieces: each is asked for by itself, so nothing is held open."""

    def __init__(self, client: Client, agent: str, attempt: int) -> None:
        self._client = client
        self._asked = {"id": agent, "attempt": attempt}

    def size(self) -> int:
        """How many bytes it has."""
        return int(self._piece(-1, 1)["size"])

    def read(self, position: int, count: int) -> tuple[bytes, gaps.Gap | None]:
        """What is there, and the next gap."""
        piece = self._piece(position, min(count, afar.MOST_BYTES))
        return piece["data"], gaps.Gap(*piece["gap"]) if piece["gap"] else None

    def close(self) -> None:
        """There is nothing to give back."""

    def _piece(self, offset: int, count: int) -> dict[str, Any]:
        return self._client.call("output", {**self._asked, "offset": offset, "count": count})
