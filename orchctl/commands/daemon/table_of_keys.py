"""The commands about keys; the table has them with the others."""

from __future__ import annotations

from orchctl.commands.spec import JSON, Argument, Command, Option

_NAME = Argument("name", "What the key is called.", "NAME", required=True)

DOORS = (
    Command(
        ("keys", "new"),
        "Make a key for this machine, and print its public half.",
        "daemon.keys",
        (_NAME,),
        (JSON,),
        function="new",
    ),
    Command(
        ("keys", "list"),
        "Show the daemon's own key, and those that are authorised.",
        "daemon.keys",
        (),
        (JSON,),
        function="show",
    ),
    Command(
        ("keys", "authorize"),
        "Let whoever has a key drive this daemon from another machine.",
        "daemon.keys",
        (_NAME, Argument("public", "Its public half: 64 hexadecimal digits.", "PUBLIC", required=True)),
        (Option("role", "What it may: viewer, user or admin.", "text", metavar="ROLE"), JSON),
        function="authorize",
    ),
    Command(
        ("keys", "revoke"),
        "Let a key in no more, and cut it off at once.",
        "daemon.keys",
        (_NAME,),
        (JSON,),
        function="revoke",
    ),
)
