"""The commands about projects: their sessions, what they cost, and the files of orchctl in them."""

from __future__ import annotations

from orchctl.commands.spec import BUDGET, JSON, Argument, Command, Completion, Option, Where

_SESSION = Argument("id", "The session, as session-001; this project's newest otherwise.", "[ID]")

SESSIONS = (
    Command(
        ("session", "new"),
        "Open a new session in this project; the one that is open is closed.",
        "sessions.session",
        (),
        (Option("name", "What to call it.", "text", metavar="NAME"), *BUDGET, JSON),
        function="new",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("session", "list"),
        "Show the sessions of this project.",
        "sessions.session",
        (),
        (Option("all", "Those of all projects."), JSON),
        function="show_all",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("session", "show"),
        "Show a session with its agents.",
        "sessions.session",
        (_SESSION,),
        (JSON,),
        function="show",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("session", "close"),
        "Close a session: its agents go on, later ones belong to another.",
        "sessions.session",
        (_SESSION,),
        (JSON,),
        function="close",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("budget",),
        "Show how much a session or run may cost, or change it at once.",
        "sessions.budget",
        (Argument("id", "The session or run: session-001, run-001.", "ID", required=True, completes=Completion.RUNS),),
        (*BUDGET, Option("unlimited", "As much as it takes."), JSON),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("usage",),
        "Show tokens and cost, expected and actual.",
        "sessions.usage",
        (
            Argument(
                "ids",
                "Agents, runs or sessions; this project's session otherwise.",
                "[ID]...",
                many=True,
                completes=Completion.AGENTS,
            ),
        ),
        (JSON,),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("uninstall-project",),
        "Remove from this project session files, unchanged copies of the skill, and lines for git.",
        "sessions.uninstall_project",
        (),
        (JSON,),
        where=Where.THIS_MACHINE,
    ),
)

GROUPS = {"session": "What was begun in a project, as a whole."}
