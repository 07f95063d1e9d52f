"""The commands about projects: sessions, budgets, usage, and the files of orchd in a project."""

from __future__ import annotations

from orchctl.commands.spec import BUDGET, JSON, Argument, Command, Completion, Option, Where
from orchd.protocol import bounds

_SESSION = Argument("id", "Session: session-001 (default: the newest of this project).", "[ID]")

SESSIONS = (
    Command(
        ("session", "new"),
        "Open a new session in this project and close the current one.",
        "sessions.session",
        (),
        (Option("name", "Name of the session.", "text", metavar="NAME", bound=bounds.NAME), *BUDGET, JSON),
        function="new",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("session", "list"),
        "List the sessions of this project.",
        "sessions.session",
        (),
        (Option("all", "List the sessions of all projects."), JSON),
        function="show_all",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("session", "show"),
        "Show a session and its agents.",
        "sessions.session",
        (_SESSION,),
        (JSON,),
        function="show",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("session", "close"),
        "Close a session; its agents keep running, later agents belong to a new session.",
        "sessions.session",
        (_SESSION,),
        (JSON,),
        function="close",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("budget",),
        "Show or set the budget of a session or run.",
        "sessions.budget",
        (
            Argument(
                "id",
                "Session or run: session-001, run-001.",
                "ID",
                required=True,
                completes=Completion.RUNS,
                bound=bounds.NAME,
            ),
        ),
        (*BUDGET, Option("unlimited", "Remove the budget."), JSON),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("usage",),
        "Show tokens and cost, expected and actual.",
        "sessions.usage",
        (
            Argument(
                "ids",
                "Agents, runs or sessions (default: the session of this project).",
                "[ID]...",
                many=True,
                completes=Completion.AGENTS,
                bound=bounds.NAME,
            ),
        ),
        (JSON,),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("uninstall-project",),
        "Remove the files that orchd wrote into this project, except results.",
        "sessions.uninstall_project",
        (),
        (JSON,),
        where=Where.THIS_MACHINE,
    ),
)

GROUPS = {"session": "Manage sessions: all agents started in one project."}
