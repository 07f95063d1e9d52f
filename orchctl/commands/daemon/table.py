"""The commands about the daemon itself: its life, and the service that it may be."""

from __future__ import annotations

from orchctl.commands.spec import JSON, Command, Option

_SCOPE = (
    Option("user", "Of this user; the default."),
    Option("system", "Of the machine, one for each user: orchd@NAME. Needs root."),
)

LIFE = (
    Command(("daemon", "start"), "Start the daemon.", "daemon.daemon", (), (JSON,), function="start"),
    Command(("daemon", "run"), "Be the daemon, in the foreground.", "daemon.daemon", function="run"),
    Command(("daemon", "status"), "Show who answers.", "daemon.daemon", (), (JSON,), function="status"),
    Command(
        ("daemon", "restart"),
        "Stop the daemon and start it again; agents go on.",
        "daemon.daemon",
        (),
        (JSON,),
        function="restart",
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
    ),
    Command(
        ("service", "install"),
        "Make the daemon a service of systemd; agents go on.",
        "daemon.service",
        (),
        (*_SCOPE, Option("enable", "Enable and start it too; a daemon that runs hands over to it."), JSON),
        function="install",
    ),
    Command(
        ("service", "uninstall"),
        "Stop the service and take its unit away; agents go on.",
        "daemon.service",
        (),
        (*_SCOPE, JSON),
        function="uninstall",
    ),
    Command(
        ("service", "status"),
        "Show whether the daemon is a service, and how it is.",
        "daemon.service",
        (),
        (*_SCOPE, JSON),
        function="status",
    ),
)
