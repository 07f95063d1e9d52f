"""The commands about compositions and their runs."""

from __future__ import annotations

from orchctl.commands.spec import BUDGET, JSON, Argument, Command, Completion, Option, Where

_FILE = Argument(
    "file",
    "A composition.json, a skill folder, or the name of a composition.",
    "FILE",
    required=True,
    completes=Completion.COMPOSITIONS,
)
_TASK = (
    Option("task_id", "The task that all members work on.", "text", metavar="ID"),
    Option("requirements", "What is to be achieved.", "text", metavar="TEXT"),
    Option("context", "Something that all members are told.", "pair", many=True, metavar="KEY=VALUE"),
)

RUNS = (
    Command(
        ("validate",),
        "Check a composition: every error at once.",
        "runs.validate",
        (_FILE._replace(metavar="[FILE]", required=False),),
        (Option("example", "Print an example of a composition.json instead."), JSON),
        where=Where.NO_DAEMON,
    ),
    Command(
        ("plan",),
        "Foretell a composition: order, critical path, tokens, time.",
        "runs.plan",
        (_FILE, Argument("out", "Where --graph writes it: a .svg or .dot file.", "[OUT]")),
        (
            Option("limit", "At this limit; the daemon's otherwise.", "number", metavar="N"),
            Option("graph", "Show the graph instead, as text or into OUT."),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("prompt",),
        "Say a composition to an LLM that spawns by itself.",
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
            Option("runner", "For members that name none; see `orchctl runners`.", "text", metavar="NAME"),
            *BUDGET,
            Option("dry_run", "Only show what would be run."),
            Option(
                "wait_timeout",
                "Give up the waiting after this long; the run goes on.",
                "duration",
                metavar="DURATION",
            ),
            Option("detach", "Do not wait."),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("runs",),
        "Show the runs there are.",
        "runs.runs",
        (),
        (Option("all", "Those that are over too, not only the last ten of them."), JSON),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("run-status",),
        "Show a run with its members.",
        "runs.run_status",
        (Argument("run", "The run: run-001.", "RUN", required=True, completes=Completion.RUNS),),
        (JSON,),
        where=Where.ANY_DAEMON,
    ),
)
