"""A session with all its agents, as the daemon has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.client import Client, pages, target
from orchd.instance.projects import project_of


def session_status(client: Client, session_id: str | None) -> dict[str, Any]:
    """The session with this id, or that of the directory, with all its agents, newest first."""
    asked = {"id": session_id} if session_id else {} if target.is_far() else {"project": str(project_of(Path.cwd()))}
    answer = client.call("session-status", asked)
    # a newer session may be opened in the directory meanwhile
    return pages.completed(client, "session-status", {"id": answer["session"]["id"]}, "agents", answer)
