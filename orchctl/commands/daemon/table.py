"""The commands about the daemon: start and stop, limit, configuration, history, keys and service."""

from __future__ import annotations

from orchctl.commands.spec import JSON, Argument, Command, Completion, Option, Where
from orchd.protocol import bounds

_NAME = Argument("name", "Name of the key.", "NAME", required=True)
_SCOPE = (
    Option("user", "Service of this user (default)."),
    Option("system", "System service for each user, orchd@NAME; needs root."),
)

_CONFIG = (
    Command(
        ("config", "init"),
        "Create a config.toml with every key as a comment.",
        "daemon.config",
        (),
        (Option("print", "Print it to stdout, and create no file."), JSON),
        function="init",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("config", "path"),
        "Show the path of the configuration file.",
        "daemon.config",
        (),
        (JSON,),
        function="path",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("config", "show"),
        "Show every key of the configuration with its value.",
        "daemon.config",
        (),
        (JSON,),
        function="show",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("config", "check"),
        "Check a configuration file and report all errors.",
        "daemon.config",
        (Argument("file", "Configuration file (default: the daemon's).", "[FILE]"),),
        (JSON,),
        function="check",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("config", "reload"),
        "Reload the configuration; agents keep running.",
        "daemon.config",
        (),
        (JSON,),
        function="reload",
        where=Where.ANY_DAEMON,
    ),
)

_KEYS = (
    Command(
        ("keys", "new"),
        "Create a key for this machine and print its public half.",
        "daemon.keys",
        (_NAME,),
        (JSON,),
        function="new",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("keys", "list"),
        "List the daemon's key and the authorized keys.",
        "daemon.keys",
        (),
        (JSON,),
        function="show",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("keys", "authorize"),
        "Authorize a key for remote access.",
        "daemon.keys",
        (_NAME, Argument("public", "Public half of the key: 64 hexadecimal digits.", "PUBLIC", required=True)),
        (
            Option(
                "role",
                "Role of the key: viewer, user or admin (required).",
                "text",
                metavar="ROLE",
                completes=Completion.ROLES,
            ),
            JSON,
        ),
        function="authorize",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("keys", "revoke"),
        "Revoke a key and close its connections.",
        "daemon.keys",
        (_NAME,),
        (JSON,),
        function="revoke",
        where=Where.ANY_DAEMON,
    ),
)

_LIFECYCLE = (
    Command(
        ("daemon", "start"),
        "Start the daemon.",
        "daemon.daemon",
        (),
        (JSON,),
        function="start",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("daemon", "run"),
        "Run the daemon in the foreground.",
        "daemon.daemon",
        function="run",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("daemon", "status"),
        "Show the daemon's version, pid and paths.",
        "daemon.daemon",
        (),
        (JSON,),
        function="status",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("daemon", "restart"),
        "Restart the daemon; agents keep running.",
        "daemon.daemon",
        (),
        (JSON,),
        function="restart",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("daemon", "stop"),
        "Stop the daemon; while agents run, an option is required (on a terminal, it asks).",
        "daemon.stop",
        (),
        (
            Option("keep_agents", "Keep agents running; the next daemon takes them over."),
            Option("stop_agents", "End all agents, then stop."),
            Option("drain", "Start no new agents, wait for running agents to end, then stop."),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
)

_SERVICE = (
    Command(
        ("service", "install"),
        "Install the daemon as a systemd service; agents keep running.",
        "daemon.service",
        (),
        (*_SCOPE, Option("enable", "Enable and start the service; a running daemon hands over to it."), JSON),
        function="install",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("service", "uninstall"),
        "Stop the service and remove its unit; agents keep running.",
        "daemon.service",
        (),
        (*_SCOPE, JSON),
        function="uninstall",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("service", "status"),
        "Show the state of the service.",
        "daemon.service",
        (),
        (*_SCOPE, JSON),
        function="status",
        where=Where.THIS_MACHINE,
    ),
)

DAEMON = (
    Command(
        ("limit",),
        "Show or set the limit.",
        "daemon.limit",
        (Argument("limit", "Maximum number of agents running at once.", "[N]", "number", bound=bounds.LIMIT),),
        (
            Option(
                "resident",
                "Maximum number of agents alive, waiting agents included.",
                "number",
                metavar="M",
                bound=bounds.LIMIT,
            ),
            Option("reset", "Use the numbers of config.toml, or the defaults."),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("runners",),
        "List runners, and show the default.",
        "daemon.runners",
        (),
        (JSON,),
        where=Where.THIS_MACHINE,
    ),
    *_CONFIG,
    Command(
        ("prune",),
        "Delete finished agents and their logs, by default according to the configuration.",
        "daemon.prune",
        (),
        (
            Option(
                "older_than",
                "Delete agents that ended longer ago than this: 90s, 12h, 7d.",
                "duration",
                metavar="DURATION",
            ),
            Option(
                "keep",
                "Delete the oldest finished agents until this many are left.",
                "number",
                metavar="N",
            ),
            Option("dry_run", "Show what would be deleted, and delete nothing."),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("doctor",),
        "Check the machine and the daemon, and show how to fix problems.",
        "daemon.doctor",
        (),
        (
            Option("fix", "End processes that finished agents left behind."),
            Option("end_agents", "End all processes of agents, if no daemon can run."),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
    *_KEYS,
    *_LIFECYCLE,
    *_SERVICE,
)

GROUPS = {
    "config": "Show, check and reload the configuration.",
    "daemon": "Start, stop and inspect the daemon.",
    "keys": "Manage keys for remote access.",
    "service": "Manage the daemon as a systemd service.",
}
