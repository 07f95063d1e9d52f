"""`orchctl session new|list|show|close`: what was begun in a project directory, as a whole."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages, target
from orchctl.render import sessions, text
from orchctl.terminal import console
from orchd.instance import projects
from orchd.instance.projects import project_of


def new(args: SimpleNamespace) -> int:
    """Open a session here and print its id; the one that is open is closed. It makes the directory a project."""
    asked = {"name": args.name, "max_tokens": args.max_tokens, "max_cost": args.max_cost}
    with Client() as client:
        if not target.is_remote():
            _mark(Path(_here()))
        answer = client.call(
            "session-new", {"project": _here(), **{key: value for key, value in asked.items() if value is not None}}
        )
    console.result(answer, [answer["session"]["id"]], as_json=args.json)
    return exit_codes.OK


def _mark(project: Path) -> None:
    try:
        projects.mark(project)
    except OSError as error:  # sessions work without files
        console.warn(f"there will be no session files: {project / projects.MARK} cannot be made: {error.strerror}")


def show_all(args: SimpleNamespace) -> int:
    """Print a line for each session of this project, or of all, newest first."""
    where = {} if args.all or target.is_remote() else {"project": _here()}
    with Client(starts=False) as client:
        found = pages.whole(client, "sessions", where, "sessions")["sessions"]
    lines = sessions.session_lines(found) or ["no sessions here; the first `orchctl spawn` begins one"]
    console.result({"sessions": found}, lines, as_json=args.json)
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """Print a session with its agents."""
    with Client(starts=False) as client:
        answer = pages.session(client, args.id)
    console.result(answer, _lines(answer), as_json=args.json)
    return exit_codes.OK


def close(args: SimpleNamespace) -> int:
    """Close a session: its agents go on, later ones belong to another."""
    with Client(starts=False) as client:
        answer = client.call("session-close", {"id": args.id or pages.session(client, None)["session"]["id"]})
    console.result(answer, sessions.session_lines([answer["session"]]), as_json=args.json)
    return exit_codes.OK


def _lines(answer: dict[str, Any]) -> list[str]:
    now = time.clock_gettime(time.CLOCK_REALTIME)
    rows = []
    for agent in reversed(answer["agents"]):
        seconds = text.lifetime(agent, now)
        took = "" if seconds is None else text.span(seconds)
        row = [agent["id"], text.named(agent), agent["status"], took, text.clean(agent["result"] or "")]
        rows.append([*row, text.outcome(agent)])
    return [*sessions.session_lines([answer["session"]]), "", *text.aligned(text.filled(rows))]


def _here() -> str:
    return str(project_of(Path.cwd()))
