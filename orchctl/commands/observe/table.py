"""The commands that show what happens and what happened, and hand it to other programs."""

from __future__ import annotations

from orchctl.commands.spec import COMMAND, JSON, Argument, Command, Completion, Option, Where

OBSERVE = (
    Command(
        ("events",),
        "Show what happened: the latest 50 events, or all after --since.",
        "observe.events",
        (),
        (
            Option("follow", "Go on as things happen.", short="-f"),
            Option("since", "Events after this number; 0 is from the beginning.", "number", metavar="SEQ"),
            Option("json", "Print one JSON object a line."),
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("top",),
        "Show agents live, and cancel, pause or change the limit by a key.",
        "observe.top",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("metrics",),
        "Print metrics for Prometheus, or serve them.",
        "observe.metrics",
        (),
        (Option("serve", "Answer GET /metrics here: unix:PATH or 127.0.0.1:PORT.", "text", metavar="WHERE"),),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("hook",),
        "Run a command for each agent and run that ends and each stall that begins, with its JSON on standard input.",
        "observe.hook",
        (COMMAND,),
        (
            Option("position", "Where it is kept how far the command was told; created.", "text", metavar="FILE"),
            Option("once", "Only what ended since the last time."),
        ),
        has_rest=True,
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("trace",),
        "Send what is over to OpenTelemetry: spans of all agents, a run, a session, or an agent and all below it.",
        "observe.trace",
        (
            Argument(
                "id",
                "A run, session or agent; all there is otherwise.",
                "[RUN|SESSION|ID]",
                completes=Completion.AGENTS,
            ),
        ),
        (
            Option("endpoint", "The collector, as http://127.0.0.1:4318.", "text", metavar="URL"),
            Option("out", "Write OTLP JSON here instead; - is stdout.", "text", metavar="FILE", short="-o"),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("export",),
        "Print what each agent took as data: attempts, seconds queued, at work and waiting, tokens, cost.",
        "observe.export",
        (
            Argument(
                "id",
                "A run or session: run-001, session-001; all there is otherwise.",
                "[RUN|SESSION]",
                completes=Completion.RUNS,
            ),
        ),
        (
            Option("json", "Print `{agents, totals}`, or the error, as JSON."),
            Option("csv", "Print a line of CSV for each agent, after one with the names of the columns."),
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("timeline",),
        "Draw agents over time: of all agents, a run or a session.",
        "observe.timeline",
        (
            Argument(
                "id",
                "A run or session: run-001, session-001; default: all agents.",
                "[RUN|SESSION]",
                completes=Completion.RUNS,
            ),
        ),
        (
            Option(
                "out",
                "Write the timeline to this file: .svg, .html or .txt; default, and for -: stdout.",
                "text",
                metavar="FILE",
                short="-o",
            ),
            Option(
                "format",
                "svg, html or text; default: by FILE, else text on a terminal and SVG elsewhere.",
                "text",
                metavar="FORMAT",
            ),
            Option("since", "Only from this time on: an age (2h) or an ISO time.", "moment", metavar="TIME"),
            Option("no_fold", "Draw idle gaps to scale; default: fold long gaps."),
            Option("json", "Print the numbers of the timeline and its idle gaps as JSON."),
        ),
        where=Where.ANY_DAEMON,
    ),
)
