"""The commands about the daemon: its life, limit, configuration, history, keys and service."""

from __future__ import annotations

from orchctl.commands.spec import JSON, Argument, Command, Option, Where

_NAME = Argument("name", "What the key is called.", "NAME", required=True)
_SCOPE = (
    Option("user", "Of this user; the default."),
    Option("system", "Of the machine, one for each user: orchd@NAME. Needs root."),
)

_CONFIG = (
    Command(
        ("config", "init"),
        "Write a config.toml with every key as a comment.",
        "daemon.config",
        (),
        (Option("print", "Print it to stdout; write no file."), JSON),
        function="init",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("config", "path"),
        "Show where the configuration is.",
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
        "Check a configuration: every error at once.",
        "daemon.config",
        (Argument("file", "The file; the daemon's own otherwise.", "[FILE]"),),
        (JSON,),
        function="check",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("config", "reload"),
        "Have the daemon read its configuration again; agents go on.",
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
        "Make a key for this machine, and print its public half.",
        "daemon.keys",
        (_NAME,),
        (JSON,),
        function="new",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("keys", "list"),
        "Show the daemon's own key, and those that are authorised.",
        "daemon.keys",
        (),
        (JSON,),
        function="show",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("keys", "authorize"),
        "Let whoever has a key drive this daemon from another machine.",
        "daemon.keys",
        (_NAME, Argument("public", "Its public half: 64 hexadecimal digits.", "PUBLIC", required=True)),
        (Option("role", "What it may: viewer, user or admin.", "text", metavar="ROLE"), JSON),
        function="authorize",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("keys", "revoke"),
        "Let a key in no more, and cut it off at once.",
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
        "Be the daemon, in the foreground.",
        "daemon.daemon",
        function="run",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("daemon", "status"),
        "Show who answers.",
        "daemon.daemon",
        (),
        (JSON,),
        function="status",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("daemon", "restart"),
        "Stop the daemon and start it again; agents go on.",
        "daemon.daemon",
        (),
        (JSON,),
        function="restart",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("daemon", "stop"),
        "Stop the daemon. Where none runs it says so and exits with 0.",
        "daemon.stop",
        (),
        (
            Option("keep_agents", "Agents that live go on; the next daemon takes them over."),
            Option("stop_agents", "End the agents that live, then stop."),
            Option("drain", "Let the agents that live end, start no more, then stop."),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
)

_SERVICE = (
    Command(
        ("service", "install"),
        "Make the daemon a service of systemd; agents go on.",
        "daemon.service",
        (),
        (*_SCOPE, Option("enable", "Enable and start it too; a daemon that runs hands over to it."), JSON),
        function="install",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("service", "uninstall"),
        "Stop the service and take its unit away; agents go on.",
        "daemon.service",
        (),
        (*_SCOPE, JSON),
        function="uninstall",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("service", "status"),
        "Show whether the daemon is a service, and how it is.",
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
        "Show the limit, or change it at once.",
        "daemon.limit",
        (Argument("limit", "How many agents may work at once.", "[N]", "number"),),
        (
            Option("resident", "How many may live at once, waiting ones included.", "number", metavar="M"),
            Option("reset", "Set both numbers to those of config.toml, or to the defaults."),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("runners",),
        "Show what can run an agent, and which is the default.",
        "daemon.runners",
        (),
        (JSON,),
        where=Where.THIS_MACHINE,
    ),
    *_CONFIG,
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
        where=Where.THIS_MACHINE,
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
        where=Where.THIS_MACHINE,
    ),
    *_KEYS,
    *_LIFECYCLE,
    *_SERVICE,
)

GROUPS = {
    "config": "See, check and reload the configuration.",
    "daemon": "Start, stop and ask the daemon.",
    "keys": "Whose keys let them drive a daemon from another machine.",
    "service": "The daemon as a service of systemd.",
}
