"""`orchctl session new|list|show|close`: what was begun in a project directory, as a whole."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import census, exits, out, render, sessions, targets
from orchctl.client import Client
from orchctl.projects import project_of
from orchd.wire import projects


def new(args: SimpleNamespace) -> int:
    """Open a session here and print its id; the one that is open is closed. It makes the directory a project."""
    asked = {"name": args.name, "max_tokens": args.max_tokens, "max_cost": args.max_cost}
    with Client() as client:
        if not targets.is_far():
            _mark(Path(_here()))
        answer = client.call(
            "session-new", {"project": _here(), **{key: value for key, value in asked.items() if value is not None}}
        )
    out.result(answer, [answer["session"]["id"]], as_json=args.json)
    return exits.OK


def _mark(project: Path) -> None:
    try:
        projects.mark(project)
    except OSError as error:  # sessions work without files
        out.note(f"there will be no session files: {project / projects.MARK} cannot be made: {error.strerror}")


def show_all(args: SimpleNamespace) -> int:
    """Print a line for each session of this project, or of all, newest first."""
    where = {} if args.all or targets.is_far() else {"project": _here()}
    with Client(starts=False) as client:
        found = census.whole(client, "sessions", where, "sessions")["sessions"]
    lines = sessions.session_lines(found) or ["no sessions here; the first `orchctl spawn` begins one"]
    out.result({"sessions": found}, lines, as_json=args.json)
    return exits.OK


def show(args: SimpleNamespace) -> int:
    """Print a session with its agents."""
    with Client(starts=False) as client:
        answer = status(client, args.id)
    out.result(answer, _lines(answer), as_json=args.json)
    return exits.OK


def close(args: SimpleNamespace) -> int:
    """Close a session: its agents go on, later ones belong to another."""
    with Client(starts=False) as client:
        answer = client.call("session-close", {"id": args.id or status(client, None)["session"]["id"]})
    out.result(answer, sessions.session_lines([answer["session"]]), as_json=args.json)
    return exits.OK


def status(client: Client, one: str | None) -> dict[str, Any]:
    """The session with this id, or that of the directory, with all its agents, newest first."""
    asked = {"id": one} if one else {} if targets.is_far() else {"project": _here()}
    answer = client.call("session-status", asked)
    # a newer session may be opened in the directory meanwhile
    return census.completed(client, "session-status", {"id": answer["session"]["id"]}, "agents", answer)


def _lines(answer: dict[str, Any]) -> list[str]:
    now = time.clock_gettime(time.CLOCK_REALTIME)
    rows = []
    for agent in reversed(answer["agents"]):
        seconds = render.lifetime(agent, now)
        took = "" if seconds is None else render.span(seconds)
        row = [agent["id"], render.named(agent), agent["status"], took, render.clean(agent["result"] or "")]
        rows.append([*row, render.outcome(agent)])
    return [*sessions.session_lines([answer["session"]]), "", *render.aligned(render.filled(rows))]


def _here() -> str:
    return str(project_of(Path.cwd()))
