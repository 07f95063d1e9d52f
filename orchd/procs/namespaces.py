"""The namespaces of the daemon that started the agents which run: from others they could not be seen or ended."""

from __future__ import annotations

import json
import os
from pathlib import Path

from orchd.errors import OrchdError
from orchd.procs.procfs import BOOT, PROC
from orchd.wire import Home
from orchd.wire.locks import is_locked
from orchd.wire.opening import read_file
from orchd.wire.private import write_private

_DECISIVE = ("pid", "user")  # with another mount namespace alone, agents can be seen and ended
_ALL = ("pid", "user", "mnt")


def enter(home: Home) -> None:
    """Record the namespaces of this process as those of the home.

    Raises OrchdError, and records nothing, while agents run that were started in others. OSError when the disk is full.
    """
    own, before = _own(), _recorded(home.namespaces)
    if own == before:
        return
    if before.get("boot") == own["boot"]:
        other = [kind for kind in _DECISIVE if kind in before and before[kind] != own[kind]]
        alive = _is_alive(home.agents) if other else None
        if alive is not None:
            raise OrchdError(
                f"agents of {home.directory} are running in another {' and '.join(other)} namespace ({alive.name} is "
                "locked): a daemon here could neither see nor end them. Start it from a shell outside every agent and "
                "container, where the daemon ran before, or wait until they have ended"
            )
    write_private(home.namespaces, f"{json.dumps(own)}\n".encode())


def _own() -> dict[str, str]:
    found = {kind: os.readlink(PROC / "self/ns" / kind) for kind in _ALL}  # noqa: PTH115 - it is no path
    return {"boot": BOOT.decode(), **found}


def _recorded(path: Path) -> dict[str, str]:
    """What the last daemon recorded; nothing for a home that an earlier version made."""
    try:
        found = json.loads(read_file(path))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_alive(agents: Path) -> Path | None:
    """The exit record of an attempt whose supervising shell runs, whatever namespace it is in."""
    return next((path for path in agents.glob("*.exit") if is_locked(path)), None)
