"""The commands that show what there is, why, and what was; the table has them with the others."""

from __future__ import annotations

from orchctl.commands.spec import COMMAND, JSON, Argument, Command, Option

SEEING = (
    Command(("top",), "Show agents live, and cancel, pause or change the limit by a key.", "observe.top"),
    Command(
        ("why",),
        "Say why an agent or run does not go on, or why it ended so.",
        "agents.why",
        (Argument("id", "The agent or run: agent-001, 1, a name, run-001.", "ID", required=True),),
        (JSON,),
    ),
    Command(
        ("metrics",),
        "Print metrics for Prometheus, or serve them.",
        "observe.metrics",
        (),
        (Option("serve", "Answer GET /metrics here: unix:PATH or 127.0.0.1:PORT.", "text", metavar="WHERE"),),
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
    ),
    Command(
        ("trace",),
        "Send what is over to OpenTelemetry: spans of all agents, a run, a session, or an agent and all below it.",
        "observe.trace",
        (Argument("id", "A run, session or agent; all there is otherwise.", "[RUN|SESSION|ID]"),),
        (
            Option("endpoint", "The collector, as http://127.0.0.1:4318.", "text", metavar="URL"),
            Option("out", "Write OTLP JSON here instead; - is stdout.", "text", metavar="FILE", short="-o"),
            JSON,
        ),
    ),
    Command(
        ("export",),
        "Print what each agent took as data: attempts, seconds queued, at work and waiting, tokens, cost.",
        "observe.export",
        (Argument("id", "A run or session: run-001, session-001; all there is otherwise.", "[RUN|SESSION]"),),
        (
            Option("json", "Print `{agents, totals}`, or the error, as JSON."),
            Option("csv", "Print a line of CSV for each agent, after one with the names of the columns."),
        ),
    ),
    Command(
        ("timeline",),
        "Draw agents over time: of all agents, a run or a session.",
        "observe.timeline",
        (Argument("id", "A run or session: run-001, session-001; default: all agents.", "[RUN|SESSION]"),),
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
    ),
)

WORKTREES = (
    Command(
        ("worktrees", "show"),
        "Show a worktree: its branch, its work, what keeps it from being pruned, and the next commands.",
        "work.worktrees",
        (Argument("id", "The agent, by its id or name; or the branch.", "ID", required=True),),
        (JSON,),
        function="show",
    ),
    Command(
        ("worktrees", "remove"),
        "Remove the worktrees of ended agents, with their branches.",
        "work.worktrees",
        (Argument("ids", "The agents, by their ids or names.", "ID...", many=True, required=True),),
        (
            Option("force", "Remove uncommitted changes and unmerged commits too; prints first what is lost."),
            JSON,
        ),
        function="remove",
    ),
)
