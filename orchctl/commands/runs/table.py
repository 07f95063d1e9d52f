"""The commands about compositions and their runs."""

from __future__ import annotations

from orchctl.commands.spec import BUDGET, JSON, Argument, Command, Completion, Option, Where
from orchd.protocol import bounds

_FILE = Argument(
    "file",
    "composition.json, skill folder, or name of a composition.",
    "FILE",
    required=True,
    completes=Completion.COMPOSITIONS,
)
_TASK = (
    Option("task_id", "Id of the task, for all members.", "text", metavar="ID", bound=bounds.NAME),
    Option("requirements", "Requirements, for the prompts of all members.", "text", metavar="TEXT"),
    Option("context", "Further context, for the prompts of all members.", "pair", many=True, metavar="KEY=VALUE"),
)

RUNS = (
    Command(
        ("validate",),
        "Check a composition and report all errors.",
        "runs.validate",
        (_FILE._replace(metavar="[FILE]", required=False),),
        (Option("example", "Print an example of a composition.json and exit."), JSON),
        where=Where.NO_DAEMON,
    ),
    Command(
        ("plan",),
        "Show execution order, critical path, and estimated tokens and duration.",
        "runs.plan",
        (_FILE, Argument("out", "Output file for --graph: .svg or .dot.", "[OUT]")),
        (
            Option("limit", "Limit for the estimate (default: the daemon's limit).", "number", metavar="N"),
            Option("graph", "Show the dependency graph, as text or in OUT."),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("prompt",),
        "Print a composition as instructions for an LLM that uses its own Task tool.",
        "runs.prompt",
        (_FILE,),
        (*_TASK, JSON),
        where=Where.NO_DAEMON,
    ),
    Command(
        ("run",),
        "Run a composition and wait for it.",
        "runs.run",
        (_FILE,),
        (
            *_TASK,
            Option(
                "runner",
                "Runner for members that name none (default: see `orchctl runners`).",
                "text",
                metavar="NAME",
                bound=bounds.NAME,
                completes=Completion.RUNNERS,
            ),
            *BUDGET,
            Option("dry_run", "Show what would run, and start nothing."),
            Option(
                "wait_timeout",
                "Stop waiting after this long; the run continues.",
                "duration",
                metavar="DURATION",
            ),
            Option("detach", "Return at once, without waiting."),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("runs",),
        "List runs.",
        "runs.runs",
        (),
        (Option("all", "List all finished runs, not only the last ten."), JSON),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("run-status",),
        "Show a run and its members.",
        "runs.run_status",
        (Argument("run", "Run: run-001.", "RUN", required=True, completes=Completion.RUNS, bound=bounds.NAME),),
        (JSON,),
        where=Where.ANY_DAEMON,
    ),
)
