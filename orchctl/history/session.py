"""The status of a session with all its agents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.client import Client, pages, target
from orchd.instance.projects import project_of


def session_status(client: Client, session_id: str | None) -> dict[str, Any]:
    """Return the session with this id, or the session of the current directory, with all its agents, newest first."""
    args = {"id": session_id} if session_id else {} if target.is_far() else {"project": str(project_of(Path.cwd()))}
    answer = client.call("session-status", args)
    # a newer session may be opened in the directory meanwhile
    return pages.completed(client, "session-status", {"id": answer["session"]["id"]}, "agents", answer)
