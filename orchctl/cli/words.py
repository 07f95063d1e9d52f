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
"""First words that are another spelling of a command."""

_SPAWN = "`orchctl spawn -- COMMAND` or `orchctl spawn --goal TEXT` starts an agent"
_OUTPUT = "`orchctl logs ID` shows the output of an agent, `orchctl status ID --json` has the path of its result file"
_DAEMON = "`orchctl daemon start` starts the daemon in the background, `orchctl service install` as a systemd service"
_FORGET = "`orchctl prune` deletes finished agents; `orchctl cancel ID` ends an agent"
_LIMIT = "`orchctl limit N` sets how many agents work at once"
_FOLLOW = "`orchctl logs ID -f` follows the output of an agent, `orchctl events -f` all events"
_SCREEN = "`orchctl top` is the live screen, `orchctl status --watch` repeats the status"
_SHOW = "`orchctl status ID` shows an agent, `orchctl why ID` explains its state"

COMMANDS: dict[str, str] = {
    **dict.fromkeys(("add", "create", "enqueue", "exec", "new", "queue", "submit"), _SPAWN),
    "start": f"{_SPAWN}; {_DAEMON}",
    "task": f"{_SPAWN}; `orchctl tasks` works on task files",
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
    "history": "`orchctl status --all` shows all agents, `orchctl export --csv` has them as data",
    **dict.fromkeys(("hold", "suspend"), "`orchctl pause` starts no more agents"),
    **dict.fromkeys(("continue", "release", "unpause"), "`orchctl resume` starts agents again"),
    **dict.fromkeys(("check", "health", "ping", "verify"), "`orchctl doctor` checks the installation"),
    **dict.fromkeys(("dag", "graph", "workflow"), "`orchctl run FILE` runs a composition"),
    **dict.fromkeys(("cost", "spend", "tokens"), "`orchctl usage` shows tokens and cost"),
    "worktree": "`orchctl worktrees` works on the git worktrees of agents",
    "merge": "`orchctl tasks merge` joins the results of tasks; branches of agents are merged by `git merge`",
    **dict.fromkeys(("settings", "set"), "`orchctl config` shows and checks the configuration"),
    "install": "`orchctl service install` and `orchctl skill install` install",
    "uninstall": "`orchctl uninstall-project` cleans a project, `orchctl service uninstall` removes the service",
}
"""First words that are no command, and a hint for their meaning in other tools."""

_GOAL = "--goal TEXT is what an agent is to do"
_MODEL = "--model NAME is the model"
_CWD = "--cwd DIRECTORY is where an agent works"
_AFTER = "--after ID starts an agent after another"
_BACK = "`spawn` and `run --detach` return at once; `--wait` waits"
_AT_ONCE = f"all agents share one limit: {_LIMIT}"

OPTIONS: dict[str, str] = {
    **dict.fromkeys(("--prompt", "-p", "--task", "--instruction", "--instructions", "--message", "--query"), _GOAL),
    "-m": f"{_MODEL}; {_GOAL}",
    **dict.fromkeys(
        ("--agent", "--cli", "--engine", "--tool", "--type"), "--runner NAME runs the goal, as claude or codex"
    ),
    **dict.fromkeys(("--chdir", "--dir", "--directory", "--workdir", "--working-directory", "-C", "-d"), _CWD),
    **dict.fromkeys(("--depends", "--depends-on", "--dependencies", "--needs", "--requires"), _AFTER),
    **dict.fromkeys(("--label", "--title", "-n"), "--name NAME names an agent"),
    **dict.fromkeys(("--background", "--bg", "--detached", "--no-wait"), _BACK),
    **dict.fromkeys(("--concurrency", "--jobs", "--limit", "--max-parallel", "--parallel", "-j"), _AT_ONCE),
    **dict.fromkeys(("--attempts", "--max-retries", "--retry"), "--retries N gives an agent that fails new attempts"),
    **dict.fromkeys(("--tail", "--last", "logs -n"), "--lines N shows only the last lines"),
    **dict.fromkeys(("--budget", "--max-budget-usd"), "--max-cost DOLLARS and --max-tokens N bound a session or a run"),
    **dict.fromkeys(("--memory", "--mem"), "--memory-max SIZE bounds the memory of an agent"),
    **dict.fromkeys(("--format", "--output-format", "-o"), "--json prints JSON"),
    **dict.fromkeys(("--verbose", "--debug", "-v"), "`orchctl why ID` and `orchctl events` show more"),
    **dict.fromkeys(("--branch", "--isolate", "--isolation"), "--worktree gives an agent a git worktree of its own"),
    **dict.fromkeys(("--file", "--input"), "--batch FILE reads agents from a file, --stdin FILE is the standard input"),
    **dict.fromkeys(
        ("worktrees --force", "worktrees --discard"),
        "prune never removes work that is not merged: `orchctl worktrees remove ID --force` does, and prints first "
        "what is lost",
    ),
    **dict.fromkeys(("--yes", "-y"), "no command asks for confirmation"),
    "spawn --max-cost": "a budget is that of a session: `orchctl budget ID` sets it",
    "spawn --max-tokens": "a budget is that of a session: `orchctl budget ID` sets it",
}
"""Options that a command does not have, alone or after that command, and a hint for their meaning."""

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
    """Return the hint for a word of another tool: a command, or an option of a command that `has` these; or None."""
    if option is None:
        return f"there is no command {words[0]!r}: {COMMANDS[words[0]]}" if words[0] in COMMANDS else None
    text = OPTIONS.get(f"{words[0]} {option}") or OPTIONS.get(option)
    if text is None or (text.startswith("--") and text.split()[0] not in has):
        return None
    return f"there is no option {option} here: {text}"


def usual(words: Sequence[str]) -> list[str]:
    """Return `words` with an alias in the first place replaced by the command that it stands for."""
    return [*ALIASES.get(words[0], words[:1]), *words[1:]] if words else []
