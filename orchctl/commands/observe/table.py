"""The commands that observe agents and events, and export them to other programs."""

from __future__ import annotations

from orchctl.commands.spec import COMMAND, JSON, Argument, Command, Completion, Option, Where
from orchd.protocol import bounds

OBSERVE = (
    Command(
        ("events",),
        "Show the latest 50 events, or all after --since.",
        "observe.events",
        (),
        (
            Option("follow", "Follow new events.", short="-f"),
            Option(
                "since",
                "Show the events after this number; 0 shows all.",
                "number",
                metavar="SEQ",
                bound=bounds.NOT_NEGATIVE,
            ),
            Option("json", "Print one JSON object per line."),
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("top",),
        "Show a live screen of all agents, with keys to cancel, pause and set the limit.",
        "observe.top",
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("metrics",),
        "Print or serve metrics for Prometheus.",
        "observe.metrics",
        (),
        (Option("serve", "Serve GET /metrics at unix:PATH or 127.0.0.1:PORT.", "text", metavar="WHERE"),),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("hook",),
        "Run a command for each end of an agent or run and each stall, with JSON on stdin.",
        "observe.hook",
        (COMMAND,),
        (
            Option(
                "position",
                "File with the number of the last delivered event; created if missing.",
                "text",
                metavar="FILE",
            ),
            Option("once", "Deliver what ended since the last time, then exit."),
        ),
        has_rest=True,
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("trace",),
        "Export finished runs and agents as OpenTelemetry spans.",
        "observe.trace",
        (
            Argument(
                "id",
                "Run, session or agent: run-001, session-001, agent-001 (default: all).",
                "[ID]",
                completes=Completion.AGENTS,
            ),
        ),
        (
            Option("endpoint", "Address of the collector: http://127.0.0.1:4318.", "text", metavar="URL"),
            Option("out", "Write OTLP JSON to this file; - is stdout.", "text", metavar="FILE", short="-o"),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("export",),
        "Export attempts, times, tokens and cost of each agent as data.",
        "observe.export",
        (
            Argument(
                "id",
                "Run or session: run-001, session-001 (default: all agents).",
                "[ID]",
                completes=Completion.RUNS,
            ),
        ),
        (
            Option("json", "Print `{agents, totals}` or the error as JSON."),
            Option("csv", "Print CSV with a header line."),
        ),
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("timeline",),
        "Draw a timeline (Gantt chart) of agents by slot.",
        "observe.timeline",
        (
            Argument(
                "id",
                "Run or session: run-001, session-001 (default: all agents).",
                "[ID]",
                completes=Completion.RUNS,
            ),
        ),
        (
            Option(
                "out",
                "Output file: .svg, .html or .txt; - is stdout (default: stdout).",
                "text",
                metavar="FILE",
                short="-o",
            ),
            Option(
                "format",
                "svg, html or text (default: by FILE; else text on a terminal, SVG in a pipe).",
                "text",
                metavar="FORMAT",
                completes=Completion.CHART_FORMATS,
            ),
            Option("since", "Start of the timeline: an age (2h) or an ISO 8601 time.", "moment", metavar="TIME"),
            Option("no_fold", "Draw idle gaps to scale (default: long gaps are folded)."),
            Option("json", "Print the numbers of the timeline and its idle gaps as JSON."),
        ),
        where=Where.ANY_DAEMON,
    ),
)
