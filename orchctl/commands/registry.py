"""Tables of all commands, from which both parsers, the help, the completion and the reference are made."""

from __future__ import annotations

from orchctl.commands.agents.table import AGENTS
from orchctl.commands.daemon import table as daemon
from orchctl.commands.observe.table import OBSERVE
from orchctl.commands.runs.table import RUNS
from orchctl.commands.sessions import table as sessions
from orchctl.commands.spec import Command
from orchctl.commands.work import table as work

COMMANDS: dict[str, Command] = {
    " ".join(command.words): command
    for command in (*AGENTS, *OBSERVE, *RUNS, *sessions.SESSIONS, *work.WORK, *daemon.DAEMON)
}

GROUPS: dict[str, str] = {**daemon.GROUPS, **sessions.GROUPS, **work.GROUPS}
"""The help of each first word that commands of two words have in common."""
