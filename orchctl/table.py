"""Every command, declared once: both parsers, the help and the completion are made from this table."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

from orchd.wire import duration

_LARGEST = 2**63 - 1  # what a msgpack integer holds


class Option(NamedTuple):
    """One option. `name` is its attribute of the arguments that `run` gets."""

    name: str
    help: str
    kind: str = "flag"
    many: bool = False
    metavar: str | None = None
    short: str | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """How it is written, short form first."""
        long = f"--{self.name.replace('_', '-')}"
        return (self.short, long) if self.short else (long,)

    @property
    def default(self) -> object:
        """What `run` sees when it is not given."""
        if self.kind == "flag":
            return False
        return () if self.many else None


class Argument(NamedTuple):
    """One positional argument, or with `many` all that are left."""

    name: str
    help: str
    metavar: str
    kind: str = "text"
    many: bool = False
    required: bool = False

    @property
    def default(self) -> object:
        """What `run` sees when it is not given."""
        return () if self.many else None


class Command(NamedTuple):
    """One verb. Its module is imported when it runs, not before."""

    words: tuple[str, ...]
    help: str
    module: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    has_rest: bool = False  # all from the first word that is no option is the argument, options included
    function: str = "run"

    def run(self, args: SimpleNamespace) -> int:
        """Do it. Returns the exit code; what it raises is for `exits`."""
        from importlib import import_module

        function: Callable[[SimpleNamespace], int] = getattr(
            import_module(f"orchctl.commands.{self.module}"), self.function
        )
        return function(args)


def number(text: str) -> int:
    """A whole number that fits the wire."""
    try:
        value = int(text)
    except ValueError:
        value = _LARGEST + 1
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is not a whole number that can be sent")
    return value


def pair(text: str) -> str:
    """`KEY=VALUE`, as it is."""
    if text.find("=") < 1:
        raise ValueError(f"{text!r} is not KEY=VALUE")
    return text


def amount(text: str) -> float:
    """Dollars, as `5` or `2.50`."""
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is no amount of dollars above 0, like 2.50")
    return value


KINDS: dict[str, Callable[[str], object]] = {
    "text": str,
    "number": number,
    "duration": duration,
    "pair": pair,
    "amount": amount,
}

_JSON = Option("json", "Print the result, or the error, as JSON on stdout.")
_IDS = Argument("ids", "Agents: agent-001, agent-1 or just 1.", "[ID]...", many=True)
_WHAT = "Agents, as agent-001, agent-1 or just 1, or runs, as run-001."
_THESE = Argument("ids", _WHAT, "[ID]...", many=True)
_SOME = Argument("ids", _WHAT, "ID...", many=True, required=True)
_SESSION = Argument("id", "The session, as session-001; this project's newest otherwise.", "[ID]")
_BUDGET = (
    Option("max_tokens", "Start nothing more of it once it has taken this many.", "number", metavar="N"),
    Option("max_cost", "Start nothing more of it once it has cost this much.", "amount", metavar="DOLLARS"),
)
_FILE = Argument("file", "A composition.json, a skill folder, or the name of a composition.", "FILE", required=True)
_TASK = (
    Option("task_id", "The task that all members work on.", "text", metavar="ID"),
    Option("requirements", "What is to be achieved.", "text", metavar="TEXT"),
    Option("context", "Something that all members are told.", "pair", many=True, metavar="KEY=VALUE"),
)

_SPAWN = (
    Option("name", "What to call it; the program's name otherwise.", "text", metavar="NAME"),
    Option("goal", "What it is to achieve.", "text", metavar="TEXT"),
    Option("skill", "The skill it works with.", "text", metavar="NAME"),
    Option("task_id", "The task it works on.", "text", metavar="ID"),
    Option("after", "Start only when this agent has completed.", "text", many=True, metavar="ID"),
    Option("priority", "-100 to 100; higher starts earlier.", "number", metavar="N"),
    Option("nesting", "How many levels of agents it will wait for.", "number", metavar="LEVELS"),
    Option("timeout", "End it after this long: 90, 90s, 15m, 2h.", "duration", metavar="DURATION"),
    Option("silence", "End it after this long without output.", "duration", metavar="DURATION"),
    Option("grace", "Time between TERM and KILL when it is ended.", "duration", metavar="DURATION"),
    Option("retries", "New attempts when it fails.", "number", metavar="N"),
    Option("cwd", "Its directory; this one otherwise.", "text", metavar="DIR"),
    Option("env", "Set a variable in its environment.", "pair", many=True, metavar="KEY=VALUE"),
    Option("stdin", "Read this file on its standard input.", "text", metavar="FILE"),
    Option("output_dir", "A directory for what it makes, told to it as ORCHD_OUTPUT_DIR.", "text", metavar="DIR"),
    Option(
        "runner", "What runs it when it is no command: mock, claude, codex or one of your own.", "text", metavar="R"
    ),
    Option("model", "The model that its runner asks for.", "text", metavar="NAME"),
    Option("result", "The file for its result, told to it as ORCHD_RESULT.", "text", metavar="FILE"),
    Option("worktree", "Give it a git worktree and branch of its own."),
    Option("tokens", "How many tokens it is expected to take.", "number", metavar="N"),
    Option("no_queue", "Refuse rather than queue."),
    Option("wait", "Then wait for it, as `wait` does."),
    Option("parent", "The agent to spawn it under.", "text", metavar="ID"),
    Option("batch", "Spawn what this file says: an object a line or one array; - is stdin.", "text", metavar="FILE"),
    _JSON,
)
_COMMAND = Argument("command", "The program and its arguments, after --.", "-- COMMAND [ARG]...", many=True)

COMMANDS: dict[str, Command] = {
    " ".join(command.words): command
    for command in (
        Command(("spawn",), "Start an agent, or many at once.", "spawn", (_COMMAND,), _SPAWN, has_rest=True),
        Command(
            ("status",),
            "Show agents, places and the queue.",
            "status",
            (_IDS,),
            (Option("all", "Show the whole history too."), _JSON),
        ),
        Command(
            ("wait",),
            "Wait until agents, or runs, have ended.",
            "wait",
            (_THESE,),
            (
                Option("all", "Wait for every agent there is."),
                Option("children", "Wait for the children of the agent this runs in."),
                Option("any", "Return when the first has ended."),
                Option("timeout", "Give up after this long: 90, 90s, 15m, 2h.", "duration", metavar="DURATION"),
                _JSON,
            ),
        ),
        Command(
            ("logs",),
            "Show an agent's output.",
            "logs",
            (Argument("id", "The agent.", "ID", required=True),),
            (
                Option("follow", "Go on as it grows, until the agent has ended.", short="-f"),
                Option("lines", "Only the last lines.", "number", metavar="N"),
                Option("attempt", "Of this attempt; the last one otherwise.", "number", metavar="K"),
                Option("json", "Print where the log is, as JSON."),
            ),
        ),
        Command(("cancel",), "End agents, or runs, and all under them.", "cancel", (_SOME,), (_JSON,)),
        Command(("retry",), "Give ended agents, or members of runs, a new attempt.", "retry", (_SOME,), (_JSON,)),
        Command(("pause",), "Start no more agents; those that run go on.", "pause", (), (_JSON,)),
        Command(("resume",), "Start agents again.", "resume", (), (_JSON,)),
        Command(
            ("limit",),
            "Show the limit, or change it at once.",
            "limit",
            (Argument("limit", "How many agents may work at once.", "[N]", "number"),),
            (Option("resident", "How many may live at once, waiting ones included.", "number", metavar="M"), _JSON),
        ),
        Command(
            ("events",),
            "Show what happened: the latest 50 events, or all after --since.",
            "events",
            (),
            (
                Option("follow", "Go on as things happen.", short="-f"),
                Option("since", "Events after this number; 0 is from the beginning.", "number", metavar="SEQ"),
                Option("json", "Print one JSON object a line."),
            ),
        ),
        Command(("validate",), "Check a composition: every error at once.", "validate", (_FILE,), (_JSON,)),
        Command(
            ("plan",),
            "Foretell a composition: order, critical path, tokens, time.",
            "plan",
            (_FILE, Argument("out", "Where --graph writes it: a .svg or .dot file.", "[OUT]")),
            (
                Option("limit", "At this limit; the daemon's otherwise.", "number", metavar="N"),
                Option("graph", "Show the graph instead, as text or into OUT."),
                _JSON,
            ),
        ),
        Command(("prompt",), "Say a composition to an LLM that spawns by itself.", "prompt", (_FILE,), (*_TASK, _JSON)),
        Command(
            ("run",),
            "Run a composition and wait for it.",
            "run",
            (_FILE,),
            (
                *_TASK,
                Option("runner", "For members that name none: claude, codex or mock.", "text", metavar="NAME"),
                *_BUDGET,
                Option("dry_run", "Only show what would be run."),
                Option("detach", "Do not wait."),
                _JSON,
            ),
        ),
        Command(
            ("runs",),
            "Show the runs there are.",
            "runs",
            (),
            (Option("all", "Those that are over too, not only the last ten of them."), _JSON),
        ),
        Command(
            ("run-status",),
            "Show a run with its members.",
            "run_status",
            (Argument("run", "The run: run-001.", "RUN", required=True),),
            (_JSON,),
        ),
        Command(
            ("session", "new"),
            "Open a new session in this project; the one that is open is closed.",
            "session",
            (),
            (Option("name", "What to call it.", "text", metavar="NAME"), *_BUDGET, _JSON),
            function="new",
        ),
        Command(
            ("session", "list"),
            "Show the sessions of this project.",
            "session",
            (),
            (Option("all", "Those of all projects."), _JSON),
            function="show_all",
        ),
        Command(
            ("session", "show"), "Show a session with its agents.", "session", (_SESSION,), (_JSON,), function="show"
        ),
        Command(
            ("session", "close"),
            "Close a session: its agents go on, later ones belong to another.",
            "session",
            (_SESSION,),
            (_JSON,),
            function="close",
        ),
        Command(
            ("budget",),
            "Show how much a session or run may cost, or change it at once.",
            "budget",
            (Argument("id", "The session or run: session-001, run-001.", "ID", required=True),),
            (*_BUDGET, Option("unlimited", "As much as it takes."), _JSON),
        ),
        Command(
            ("usage",),
            "Show tokens and cost, expected and actual.",
            "usage",
            (Argument("ids", "Agents, runs or sessions; this project's session otherwise.", "[ID]...", many=True),),
            (_JSON,),
        ),
        Command(("demo",), "Show a real fleet at work, in a temporary home.", "demo", (), (_JSON,)),
        Command(("daemon", "start"), "Start the daemon.", "daemon", (), (_JSON,), function="start"),
        Command(("daemon", "run"), "Be the daemon, in the foreground.", "daemon", function="run"),
        Command(("daemon", "status"), "Show who answers.", "daemon", (), (_JSON,), function="status"),
        Command(
            ("daemon", "restart"),
            "Stop the daemon and start it again; agents go on.",
            "daemon",
            (),
            (_JSON,),
            function="restart",
        ),
        Command(
            ("daemon", "stop"),
            "Stop the daemon.",
            "stop",
            (),
            (
                Option("keep_agents", "Agents that live go on; the next daemon takes them over."),
                Option("stop_agents", "End the agents that live, then stop."),
                Option("drain", "Let the agents that live end, start no more, then stop."),
                _JSON,
            ),
        ),
    )
}

GROUPS = {
    "daemon": "Start, stop and ask the daemon.",
    "session": "What was begun in a project, as a whole.",
}
