"""The commands of whoever keeps the box: its configuration, and what is wrong with it."""

from __future__ import annotations

from orchctl.commands.spec import JSON, Argument, Command, Option

UPKEEP = (
    Command(("config", "path"), "Show where the configuration is.", "daemon.config", (), (JSON,), function="path"),
    Command(
        ("config", "show"),
        "Show every key of the configuration with its value.",
        "daemon.config",
        (),
        (JSON,),
        function="show",
    ),
    Command(
        ("config", "check"),
        "Check a configuration: every error at once.",
        "daemon.config",
        (Argument("file", "The file; the daemon's own otherwise.", "[FILE]"),),
        (JSON,),
        function="check",
    ),
    Command(
        ("config", "reload"),
        "Have the daemon read its configuration again; agents go on.",
        "daemon.config",
        (),
        (JSON,),
        function="reload",
    ),
    Command(
        ("prune",),
        "Take what is over out of the history, with its logs; as the configuration says unless told.",
        "daemon.prune",
        (),
        (
            Option("older_than", "What ended longer ago than this: 90s, 12h, 7d.", "duration", metavar="DURATION"),
            Option("keep", "All but this many agents that are over, the oldest first.", "number", metavar="N"),
            Option("dry_run", "Only say what would go."),
            JSON,
        ),
    ),
    Command(
        ("uninstall-project",),
        "Remove from this project session files, unchanged copies of the skill, and lines for git.",
        "sessions.uninstall_project",
        (),
        (JSON,),
    ),
    Command(
        ("doctor",),
        "Look for what is wrong with this machine and instance, and say what to do.",
        "daemon.doctor",
        (),
        (
            Option("fix", "End processes that agents left behind."),
            Option("end_agents", "Only end all processes of agents, where no daemon can serve."),
            JSON,
        ),
    ),
)
