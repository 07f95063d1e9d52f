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

PANELS: dict[str, tuple[str, ...]] = {
    "Agents": ("spawn", "wait", "cancel", "retry", "pause", "resume", "session", "budget", "worktrees"),
    "Compositions and tasks": ("plan", "validate", "prompt", "run", "runs", "run-status", "tasks", "pm", "skill"),
    "Watching": ("status", "top", "logs", "why", "events", "usage", "timeline", "export", "metrics", "trace", "hook"),
    "Daemon and host": (
        "limit",
        "daemon",
        "service",
        "config",
        "keys",
        "runners",
        "doctor",
        "prune",
        "demo",
        "uninstall-project",
    ),
}
"""The first words of all commands, as `orchctl --help` groups them."""
