"""Words of other tools: aliases of commands, and hints for words with several meanings."""

from __future__ import annotations

from collections.abc import Container, Sequence

ALIASES: dict[str, tuple[str, ...]] = {
    "agents": ("status",),
    "help": ("--help",),
    "jobs": ("status",),
    "kill": ("cancel",),
    "list": ("status",),
    "log": ("logs",),
    "ls": ("status",),
    "ps": ("status",),
    "version": ("--version",),
}
"""Aliases of commands, as first words."""

_SPAWN = "`orchctl spawn -- COMMAND` or `orchctl spawn --goal TEXT` starts an agent"
_OUTPUT = "`orchctl logs ID` shows the output of an agent, `orchctl status ID --json` has the path of its result file"
_DAEMON = "`orchctl daemon start` starts the daemon in the background, `orchctl service install` as a systemd service"
_FORGET = "`orchctl prune` deletes finished agents; `orchctl cancel ID` ends an agent"
_LIMIT = "`orchctl limit N` sets the maximum number of concurrent agents"
_FOLLOW = "`orchctl logs ID -f` follows the output of an agent, `orchctl events -f` all events"
_SCREEN = "`orchctl top` shows a live screen, `orchctl status --watch` updates the status after each change"
_SHOW = "`orchctl status ID` shows an agent, `orchctl why ID` explains its state"

COMMANDS: dict[str, str] = {
    **dict.fromkeys(("add", "create", "enqueue", "exec", "new", "queue", "submit"), _SPAWN),
    "start": f"{_SPAWN}; {_DAEMON}",
    "task": f"{_SPAWN}; `orchctl tasks` creates, checks and runs task files",
    **dict.fromkeys(("cat", "output", "result", "results", "stdout"), _OUTPUT),
    **dict.fromkeys(("daemonize", "init", "serve", "server", "up"), _DAEMON),
    **dict.fromkeys(("down", "quit", "shutdown"), "`orchctl daemon stop` stops the daemon"),
    "stop": "`orchctl cancel ID` ends an agent, `orchctl daemon stop` stops the daemon",
    **dict.fromkeys(("abort", "end", "interrupt", "terminate"), "`orchctl cancel ID` ends an agent"),
    **dict.fromkeys(("clean", "clear", "delete", "purge", "remove", "rm"), _FORGET),
    **dict.fromkeys(("concurrency", "jobs-limit", "max", "parallel", "slots"), _LIMIT),
    **dict.fromkeys(("follow", "tail"), _FOLLOW),
    **dict.fromkeys(("attach", "fg"), f"agents have no terminal; {_FOLLOW}"),
    **dict.fromkeys(("dashboard", "monitor", "tui", "ui", "watch"), _SCREEN),
    **dict.fromkeys(("describe", "get", "info", "inspect", "show"), _SHOW),
    **dict.fromkeys(("again", "redo", "rerun", "restart"), "`orchctl retry ID` gives an agent a new attempt"),
    "history": "`orchctl status --all` shows all agents, `orchctl export --csv` exports them as data",
    **dict.fromkeys(("hold", "suspend"), "`orchctl pause` stops starting new agents"),
    **dict.fromkeys(("continue", "release", "unpause"), "`orchctl resume` starts new agents again"),
    **dict.fromkeys(("check", "health", "ping", "verify"), "`orchctl doctor` checks the installation"),
    **dict.fromkeys(("dag", "graph", "workflow"), "`orchctl run FILE` runs a composition"),
    **dict.fromkeys(("cost", "spend", "tokens"), "`orchctl usage` shows tokens and cost"),
    "worktree": "`orchctl worktrees` lists and removes the git worktrees of agents",
    "merge": "`orchctl tasks merge` merges the results of tasks; `git merge` merges the branches of agents",
    **dict.fromkeys(("settings", "set"), "`orchctl config` shows and checks the configuration"),
    "install": "`orchctl service install` installs the systemd service, `orchctl skill install` the skill for LLMs",
    "uninstall": "`orchctl uninstall-project` removes orchd's files from a project, `orchctl service uninstall` the "
    "service",
}
"""Commands of other tools, and a hint for each."""

_GOAL = "--goal TEXT sets the goal of an agent"
_MODEL = "--model NAME sets the model"
_CWD = "--cwd DIR sets the working directory of an agent"
_AFTER = "--after ID starts an agent after another agent has completed"
_BACK = "`spawn` and `run --detach` return at once; `spawn --wait` waits"
_AT_ONCE = f"all agents share one limit: {_LIMIT}"

OPTIONS: dict[str, str] = {
    **dict.fromkeys(("--prompt", "-p", "--task", "--instruction", "--instructions", "--message", "--query"), _GOAL),
    "-m": f"{_MODEL}; {_GOAL}",
    **dict.fromkeys(
        ("--agent", "--cli", "--engine", "--tool", "--type"),
        "--runner NAME sets the runner of the goal, e.g. claude or codex",
    ),
    **dict.fromkeys(("--chdir", "--dir", "--directory", "--workdir", "--working-directory", "-C", "-d"), _CWD),
    **dict.fromkeys(("--depends", "--depends-on", "--dependencies", "--needs", "--requires"), _AFTER),
    **dict.fromkeys(("--label", "--title", "-n"), "--name NAME sets the name of an agent"),
    **dict.fromkeys(("--background", "--bg", "--detached", "--no-wait"), _BACK),
    **dict.fromkeys(("--concurrency", "--jobs", "--limit", "--max-parallel", "--parallel", "-j"), _AT_ONCE),
    **dict.fromkeys(
        ("--attempts", "--max-retries", "--retry"), "--retries N sets the number of new attempts of an agent that fails"
    ),
    **dict.fromkeys(("--tail", "--last", "logs -n"), "--lines N shows only the last lines"),
    **dict.fromkeys(
        ("--budget", "--max-budget-usd"), "--max-cost DOLLARS and --max-tokens N set the budget of a session or a run"
    ),
    **dict.fromkeys(("--memory", "--mem"), "--memory-max SIZE limits the memory of an agent"),
    **dict.fromkeys(("--format", "--output-format", "-o"), "--json prints JSON"),
    **dict.fromkeys(("--verbose", "--debug", "-v"), "`orchctl why ID` and `orchctl events` show details"),
    **dict.fromkeys(("--branch", "--isolate", "--isolation"), "--worktree creates a git worktree for an agent"),
    **dict.fromkeys(
        ("--file", "--input"), "--batch FILE starts the agents in a file, --stdin FILE sets the standard input"
    ),
    **dict.fromkeys(
        ("worktrees --force", "worktrees --discard"),
        "prune never removes work that is not merged: `orchctl worktrees remove ID --force` does, and prints first "
        "what is lost",
    ),
    **dict.fromkeys(("--yes", "-y"), "no command asks for confirmation"),
    "spawn --max-cost": "an agent has no budget of its own: `orchctl budget ID` sets the budget of a session or run",
    "spawn --max-tokens": "an agent has no budget of its own: `orchctl budget ID` sets the budget of a session or run",
}
"""Options of other tools, alone or after a command that lacks them, and a hint for each."""

_ONE_AGENT = "`orchctl worktrees remove {}` removes the worktree and the branch of one agent"

ARGUMENTS: dict[str, str] = {
    "prune": "prune deletes ended agents by age or number, not by id: `orchctl prune --older-than 7d --dry-run` shows "
    f"which; {_ONE_AGENT}",
    "worktrees prune": f"worktrees prune takes no ids: {_ONE_AGENT}",
}
"""Commands without arguments, and a hint for a first argument, which replaces `{}`."""


def extra(command: str, words: Sequence[str]) -> str | None:
    """Return the hint for the first argument of a command without arguments; None if unknown."""
    if command not in ARGUMENTS:
        return None
    rest = words[len(command.split()) :]
    agent = next((word for word in rest if not word.startswith("-")), "ID")
    return ARGUMENTS[command].format(agent)


def hint(words: Sequence[str], option: str | None, has: Container[str]) -> str | None:
    """Return the hint for a command of another tool, or for an option of a command with the options `has`; or None."""
    if option is None:
        return f"no such command {words[0]!r}: {COMMANDS[words[0]]}" if words[0] in COMMANDS else None
    text = OPTIONS.get(f"{words[0]} {option}") or OPTIONS.get(option)
    if text is None or (text.startswith("--") and text.split()[0] not in has):
        return None
    return f"no such option {option}: {text}"


def usual(words: Sequence[str]) -> list[str]:
    """Return `words` with an alias in the first place replaced by the command that it stands for."""
    return [*ALIASES.get(words[0], words[:1]), *words[1:]] if words else []
