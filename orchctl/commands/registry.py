"""Every command, declared once: both parsers, the help and the completion are made from this table."""

from __future__ import annotations

from orchctl.commands.daemon.table import LIFE
from orchctl.commands.daemon.table_of_keys import DOORS
from orchctl.commands.daemon.table_of_upkeep import UPKEEP
from orchctl.commands.observe.table import SEEING, WORKTREES
from orchctl.commands.spec import COMMAND, JSON, Argument, Command, Option
from orchctl.commands.work.table import SKILL, TASKS

_IDS = Argument("ids", "Agents: agent-001, agent-1, 1 or a name.", "[ID]...", many=True)
_WHAT = "Agents, as agent-001, agent-1, 1 or a name, or runs, as run-001."
_THESE = Argument("ids", _WHAT, "[ID]...", many=True)
_PAUSED = Argument("ids", "Agents or runs, by id or name; the whole daemon otherwise.", "[ID]...", many=True)
_SOME = Argument("ids", _WHAT, "ID...", many=True, required=True)
_SESSION = Argument("id", "The session, as session-001; this project's newest otherwise.", "[ID]")
_BUDGET = (
    Option(
        "max_tokens",
        "Start nothing more of it once it has taken this many tokens; mock agents count nothing.",
        "number",
        metavar="N",
    ),
    Option(
        "max_cost",
        "Start nothing more of it once it has cost this much; mock agents count nothing.",
        "amount",
        metavar="DOLLARS",
    ),
)
_FILE = Argument("file", "A composition.json, a skill folder, or the name of a composition.", "FILE", required=True)
_TASK = (
    Option("task_id", "The task that all members work on.", "text", metavar="ID"),
    Option("requirements", "What is to be achieved.", "text", metavar="TEXT"),
    Option("context", "Something that all members are told.", "pair", many=True, metavar="KEY=VALUE"),
)

_ENV_FILE = Option("env_file", "Set the variables of this file: KEY=VALUE lines.", "text", many=True, metavar="FILE")

_SPAWN = (
    Option("name", "What to call it; the program's name otherwise.", "text", metavar="NAME"),
    Option("goal", "What it is to achieve.", "text", metavar="TEXT"),
    Option("skill", "The skill it works with.", "text", metavar="NAME"),
    Option("task_id", "The task it works on.", "text", metavar="ID"),
    Option(
        "after",
        "Start after this agent has completed; ID:failed, ID:any: has failed, has ended.",
        "text",
        many=True,
        metavar="ID",
    ),
    Option("priority", "-100 to 100; higher starts earlier.", "number", metavar="N"),
    Option("nesting", "How many levels of agents it will wait for.", "number", metavar="LEVELS"),
    Option("timeout", "End it after this long: 90, 90s, 15m, 2h.", "duration", metavar="DURATION"),
    Option("silence", "End it after this long without output.", "duration", metavar="DURATION"),
    Option("grace", "Time between TERM and KILL when it is ended.", "duration", metavar="DURATION"),
    Option("retries", "New attempts when it fails.", "number", metavar="N"),
    Option("memory_max", "End it when its tree takes more memory: 512M, 2G.", "size", metavar="SIZE"),
    Option("cpu_max", "Let it keep no more than this busy, of one processor: 50%, 150%.", "share", metavar="PERCENT"),
    Option("pids_max", "Let it have no more processes and threads than this.", "number", metavar="N"),
    Option("cwd", "Its directory; this one otherwise.", "text", metavar="DIR"),
    Option("env", "Set a variable in its environment.", "variable", many=True, metavar="KEY=VALUE"),
    _ENV_FILE,
    Option("stdin", "Read this file or pipe on its standard input; - is this command's own.", "text", metavar="FILE"),
    Option("output_dir", "A directory for what it makes, told to it as ORCHD_OUTPUT_DIR.", "text", metavar="DIR"),
    Option("runner", "What runs it when it is no command; see `orchctl runners`.", "text", metavar="NAME"),
    Option("model", "The model that its runner asks for.", "text", metavar="NAME"),
    Option("result", "The file for its result, told to it as ORCHD_RESULT.", "text", metavar="FILE"),
    Option("worktree", "Give it a git worktree and branch of its own."),
    Option("tokens", "How many tokens it is expected to take.", "number", metavar="N"),
    Option("no_queue", "Refuse rather than queue."),
    Option("wait", "Then wait for it, as `wait` does."),
    Option("wait_timeout", "Give up the waiting after this long; it goes on.", "duration", metavar="DURATION"),
    Option("parent", "The agent to spawn it under.", "text", metavar="ID"),
    Option("batch", "Spawn what this file says: an object a line or one array; - is stdin.", "text", metavar="FILE"),
    Option("batch_example", "Print an example of such a file, and do nothing else."),
    JSON,
)
_PM = (
    Option("tasks", "Take tasks from this file: a plan in Markdown or JSON.", "text", metavar="FILE"),
    Option(
        "format",
        "How FILE is read: spec-kit, kiro, openspec, task-master or checklist; by what it holds otherwise.",
        "text",
        metavar="FORMAT",
    ),
    Option("tag", "The tag of Task Master's tasks; its current one otherwise.", "text", metavar="NAME"),
    Option("optional", "Start tasks too that FILE says are optional."),
    Option("beads", "Take what `bd ready` shows; the default where there is a .beads directory."),
    Option("max", "How many developers of its own work at once; the limit otherwise.", "number", metavar="N"),
    Option("once", "Only what is ready now: start no more as developers end."),
    Option("skill", "The skill of tasks whose labels stand for none.", "text", metavar="NAME"),
    Option("runner", "What runs the developers: mock, claude, codex or one of your own.", "text", metavar="R"),
    Option("model", "The model that their runner asks for.", "text", metavar="NAME"),
    Option("worktree", "Give each a git worktree and branch of its own."),
    Option("timeout", "End a developer after this long.", "duration", metavar="DURATION"),
    Option("retries", "New attempts for a developer that fails.", "number", metavar="N"),
    Option("tick", "Tick the box of a task in FILE when it completed, or set its status there."),
    Option("close_failed", "Close the issue of a developer that failed, as failed, rather than open it again."),
    Option("bd_timeout", "How long `bd` may take for one answer; 30s otherwise.", "duration", metavar="DURATION"),
    Option("wait_timeout", "Give up the waiting after this long; developers go on.", "duration", metavar="DURATION"),
    Option("dry_run", "Only show what would be started, in which waves, and why each task waits."),
    JSON,
)

COMMANDS: dict[str, Command] = {
    " ".join(command.words): command
    for command in (
        Command(("spawn",), "Start an agent, or many at once.", "agents.spawn", (COMMAND,), _SPAWN, has_rest=True),
        Command(
            ("status",),
            "Show agents, places and the queue.",
            "agents.status",
            (_IDS,),
            (
                Option("all", "Show all agents, and the whole history; the first 100 otherwise."),
                Option("watch", "Show it again whenever something happens, until interrupted."),
                JSON,
            ),
        ),
        Command(
            ("wait",),
            "Wait until agents, or runs, have ended.",
            "agents.wait",
            (_THESE,),
            (
                Option("all", "Wait for every agent there is."),
                Option("children", "Wait for the children of the agent this runs in."),
                Option("tree", "Wait also until everything below them has ended."),
                Option("any", "Return when the first has ended."),
                Option("timeout", "Give up after this long: 90, 90s, 15m, 2h.", "duration", metavar="DURATION"),
                JSON,
            ),
        ),
        Command(
            ("logs",),
            "Show an agent's output.",
            "agents.logs",
            (Argument("id", "The agent: agent-001, 1 or a name.", "ID", required=True),),
            (
                Option("follow", "Go on as it grows, until the agent has ended.", short="-f"),
                Option("lines", "Only the last lines.", "number", metavar="N"),
                Option("attempt", "Of this attempt; the last one otherwise.", "number", metavar="K"),
                Option("json", "Print where the log is, as JSON."),
            ),
        ),
        Command(
            ("cancel",),
            "End agents, or runs, and all under them.",
            "agents.cancel",
            (_THESE,),
            (
                Option("all", "End every agent that is not over."),
                Option("wait", "Return when they and everything below them has ended."),
                Option("wait_timeout", "Give up the waiting after this long.", "duration", metavar="DURATION"),
                JSON,
            ),
        ),
        Command(
            ("retry",),
            "Give ended agents, or members of runs, a new attempt, in the environment they were spawned with.",
            "agents.retry",
            (_SOME,),
            (
                Option("env", "Set a variable over that environment.", "variable", many=True, metavar="KEY=VALUE"),
                _ENV_FILE,
                Option("current_env", "Use the environment of this shell instead."),
                Option("resume_session", "Go on with the last session of the agent's CLI."),
                Option("with_dependents", "Retry also what was skipped because of them."),
                Option("with_dependencies", "Retry also what they come after and did not complete."),
                JSON,
            ),
        ),
        Command(
            ("pause",),
            "Start no more agents, or pause the agents that are named.",
            "agents.pause",
            (_PAUSED,),
            (Option("release_slot", "Let other agents start in the slots of the paused agents."), JSON),
        ),
        Command(
            ("resume",),
            "Start agents again, or resume the agents that are named.",
            "agents.resume",
            (_PAUSED,),
            (JSON,),
        ),
        Command(
            ("limit",),
            "Show the limit, or change it at once.",
            "daemon.limit",
            (Argument("limit", "How many agents may work at once.", "[N]", "number"),),
            (
                Option("resident", "How many may live at once, waiting ones included.", "number", metavar="M"),
                Option("reset", "Set both numbers to those of config.toml, or to the defaults."),
                JSON,
            ),
        ),
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
        ),
        *SEEING,
        Command(
            ("validate",),
            "Check a composition: every error at once.",
            "runs.validate",
            (_FILE._replace(metavar="[FILE]", required=False),),
            (Option("example", "Print an example of a composition.json instead."), JSON),
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
        ),
        Command(
            ("prompt",), "Say a composition to an LLM that spawns by itself.", "runs.prompt", (_FILE,), (*_TASK, JSON)
        ),
        Command(
            ("run",),
            "Run a composition and wait for it.",
            "runs.run",
            (_FILE,),
            (
                *_TASK,
                Option("runner", "For members that name none; see `orchctl runners`.", "text", metavar="NAME"),
                *_BUDGET,
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
        ),
        Command(
            ("runs",),
            "Show the runs there are.",
            "runs.runs",
            (),
            (Option("all", "Those that are over too, not only the last ten of them."), JSON),
        ),
        Command(
            ("run-status",),
            "Show a run with its members.",
            "runs.run_status",
            (Argument("run", "The run: run-001.", "RUN", required=True),),
            (JSON,),
        ),
        Command(("pm",), "Have ready work done by developers, as many at once as may be.", "work.pm", (), _PM),
        Command(
            ("session", "new"),
            "Open a new session in this project; the one that is open is closed.",
            "sessions.session",
            (),
            (Option("name", "What to call it.", "text", metavar="NAME"), *_BUDGET, JSON),
            function="new",
        ),
        Command(
            ("session", "list"),
            "Show the sessions of this project.",
            "sessions.session",
            (),
            (Option("all", "Those of all projects."), JSON),
            function="show_all",
        ),
        Command(
            ("session", "show"),
            "Show a session with its agents.",
            "sessions.session",
            (_SESSION,),
            (JSON,),
            function="show",
        ),
        Command(
            ("session", "close"),
            "Close a session: its agents go on, later ones belong to another.",
            "sessions.session",
            (_SESSION,),
            (JSON,),
            function="close",
        ),
        Command(
            ("budget",),
            "Show how much a session or run may cost, or change it at once.",
            "sessions.budget",
            (Argument("id", "The session or run: session-001, run-001.", "ID", required=True),),
            (*_BUDGET, Option("unlimited", "As much as it takes."), JSON),
        ),
        Command(
            ("usage",),
            "Show tokens and cost, expected and actual.",
            "sessions.usage",
            (Argument("ids", "Agents, runs or sessions; this project's session otherwise.", "[ID]...", many=True),),
            (JSON,),
        ),
        Command(("runners",), "Show what can run an agent, and which is the default.", "daemon.runners", (), (JSON,)),
        Command(
            ("worktrees", "list"),
            "Show the git worktrees of agents.",
            "work.worktrees",
            (),
            (Option("all", "Of every repository, not only of the one that this is in."), JSON),
            function="show_all",
        ),
        *WORKTREES,
        Command(
            ("worktrees", "prune"),
            "Remove worktrees that are over, clean and merged, with their branches.",
            "work.worktrees",
            (),
            (
                Option("all", "Of every repository, not only of the one that this is in."),
                Option("dry_run", "Only say what would be removed."),
                Option("ignored", "Remove files that git ignores, too, but no repositories."),
                JSON,
            ),
            function="prune",
        ),
        *TASKS,
        *SKILL,
        *UPKEEP,
        *DOORS,
        Command(
            ("demo",),
            "Show a real fleet at work, in a temporary home.",
            "agents.demo",
            (),
            (Option("timeline", "Write its timeline here, as .svg or .html.", "text", metavar="FILE"), JSON),
        ),
        *LIFE,
    )
}

GROUPS = {
    "config": "See, check and reload the configuration.",
    "daemon": "Start, stop and ask the daemon.",
    "keys": "Whose keys let them drive a daemon from another machine.",
    "service": "The daemon as a service of systemd.",
    "session": "What was begun in a project, as a whole.",
    "tasks": "Take work apart into task files, run them at once, put the results together.",
    "skill": "Skills that are found from here, and the one that teaches an LLM to orchestrate.",
    "worktrees": "List, show and remove the git worktrees of agents.",
}
