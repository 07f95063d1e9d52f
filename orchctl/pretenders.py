"""A word to whoever gets mock agents without having asked for any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchctl import out


def note_pretenders(agents: Iterable[Mapping[str, Any]], asked: str | None) -> None:
    """Say so when `agents`, as a reply shows them, only pretend, and no runner was `asked` for."""
    used = {agent["runner"] for agent in agents}
    if asked is not None or used == {None}:
        return
    from orchd.wire import runners  # an agent that is a command needs none of that

    if runners.MOCK in used:
        out.note("mock agents run, which only pretend: choose with --runner, or set `runner` in config.toml")
