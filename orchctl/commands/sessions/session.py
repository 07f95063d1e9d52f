"""`orchctl session new|list|show|close`: manage sessions (all agents started in a project)."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client, pages, target
from orchctl.render import sessions, text
from orchctl.terminal import console
from orchd.instance import projects
from orchd.instance.projects import project_of


def new(args: SimpleNamespace) -> int:
    """Start a session in this directory and print its id; the previous session is closed."""
    options = {"name": args.name, "max_tokens": args.max_tokens, "max_cost": args.max_cost}
    with Client() as client:
        if not target.is_remote():
            project = Path(_here())
            try:
                projects.mark(project)
            except OSError as error:  # sessions work without files
                mark = project / projects.MARK
                console.warn(f"no session files will be written: cannot create {mark}: {error.strerror}")
        given = {key: value for key, value in options.items() if value is not None}
        answer = client.call("session-new", {"project": _here(), **given})
    console.result(answer, [answer["session"]["id"]], as_json=args.json)
    return exit_codes.OK


def show_all(args: SimpleNamespace) -> int:
    """Print a line for each session of this project, or of all, newest first."""
    where = {} if args.all or target.is_remote() else {"project": _here()}
    with Client(starts=False) as client:
        listed = pages.whole(client, "sessions", where, "sessions")["sessions"]
    others = "" if not where else "; `orchctl session list --all` lists the sessions of all projects"
    lines = sessions.session_lines(listed) or [f"no sessions here; `orchctl spawn` starts one{others}"]
    console.result({"sessions": listed}, lines, as_json=args.json)
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """Print a session with its agents."""
    with Client(starts=False) as client:
        answer = pages.session(client, args.id)
    now = time.clock_gettime(time.CLOCK_REALTIME)
    rows = []
    for agent in reversed(answer["agents"]):
        seconds = text.lifetime(agent, now)
        duration = "" if seconds is None else text.span(seconds)
        row = [agent["id"], text.named(agent), agent["status"], duration, text.clean(agent["result"] or "")]
        rows.append([*row, text.outcome(agent)])
    lines = [*sessions.session_lines([answer["session"]]), "", *text.aligned(text.filled(rows))]
    console.result(answer, lines, as_json=args.json)
    return exit_codes.OK


def close(args: SimpleNamespace) -> int:
    """Close a session: its agents keep running, later agents belong to another session."""
    with Client(starts=False) as client:
        answer = client.call("session-close", {"id": args.id or pages.session(client, None)["session"]["id"]})
    console.result(answer, sessions.session_lines([answer["session"]]), as_json=args.json)
    return exit_codes.OK


def _here() -> str:
    """Return the project of the current directory."""
    return str(project_of(Path.cwd()))
