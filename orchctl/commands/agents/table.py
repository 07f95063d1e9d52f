"""The commands about agents."""

from __future__ import annotations

from orchctl.commands.spec import (
    COMMAND,
    GOAL,
    JSON,
    MODEL,
    RETRIES,
    SKILL,
    Argument,
    Command,
    Completion,
    Option,
    Where,
)
from orchd.protocol import bounds

_IDS = Argument(
    "ids", "Agents: agent-001, 1 or a name.", "[ID]...", many=True, completes=Completion.AGENTS, bound=bounds.NAME
)
_AGENT = Argument(
    "id", "Agent: agent-001, 1 or a name.", "ID", required=True, completes=Completion.AGENTS, bound=bounds.NAME
)
_WHAT = "Agents (agent-001, 1 or a name) or runs (run-001)."
_THESE = Argument("ids", _WHAT, "[ID]...", many=True, completes=Completion.AGENTS, bound=bounds.NAME)
_PAUSED = Argument(
    "ids",
    "Agents or runs, by id or name (default: the whole daemon).",
    "[ID]...",
    many=True,
    completes=Completion.AGENTS,
    bound=bounds.NAME,
)
_SOME = Argument("ids", _WHAT, "ID...", many=True, required=True, completes=Completion.AGENTS, bound=bounds.NAME)
_WORK = COMMAND._replace(
    metavar="[-- COMMAND [ARG]...]",
    help="Program and arguments, after --; not needed with --goal, --skill, --stdin or --batch.",
)
_ENV_FILE = Option(
    "env_file", "Set the environment variables in this file of KEY=VALUE lines.", "text", many=True, metavar="FILE"
)
_SPAWN = (
    Option("name", "Name of the agent (default: the name of the program).", "text", metavar="NAME", bound=bounds.NAME),
    GOAL,
    SKILL,
    Option("task_id", "Id of the task, for reports.", "text", metavar="ID", bound=bounds.NAME),
    Option(
        "after",
        "Start when this agent has completed; with ID:failed when it has failed, with ID:any when it has ended.",
        "text",
        many=True,
        metavar="ID",
        completes=Completion.DEPENDENCIES,
        bound=bounds.DEPENDENCY,
    ),
    Option(
        "priority",
        "Priority from -100 to 100 (default: 0); higher starts earlier.",
        "number",
        metavar="N",
        bound=bounds.PRIORITY,
    ),
    Option(
        "nesting",
        "Levels of agents below this agent that it will wait for (default: 0).",
        "number",
        metavar="LEVELS",
        bound=bounds.NOT_NEGATIVE,
    ),
    Option(
        "timeout",
        "Timeout of an attempt: 90, 90s, 15m, 2h (default: config.toml, else none).",
        "duration",
        metavar="DURATION",
        bound=bounds.POSITIVE,
    ),
    Option(
        "silence",
        "End an attempt after this long without output (default: config.toml, else never).",
        "duration",
        metavar="DURATION",
        bound=bounds.POSITIVE,
    ),
    Option(
        "grace",
        "Time between SIGTERM and SIGKILL (default: config.toml, else 10s).",
        "duration",
        metavar="DURATION",
        bound=bounds.NOT_NEGATIVE,
    ),
    RETRIES,
    Option(
        "memory_max",
        "Memory limit of the process tree: 512M, 2G (default: config.toml, else none).",
        "size",
        metavar="SIZE",
        bound=bounds.MEMORY,
    ),
    Option(
        "cpu_max",
        "CPU limit, as a percentage of one core: 50%, 150% (default: config.toml, else none).",
        "share",
        metavar="PERCENT",
        bound=bounds.PROCESSORS,
    ),
    Option(
        "pids_max",
        "Maximum number of processes and threads (default: config.toml, else none).",
        "number",
        metavar="N",
        bound=bounds.PIDS,
    ),
    Option("cwd", "Working directory (default: this directory).", "text", metavar="DIR"),
    Option("env", "Set an environment variable.", "variable", many=True, metavar="KEY=VALUE"),
    _ENV_FILE,
    Option(
        "stdin", "File or pipe for the standard input; - is the standard input of this command.", "text", metavar="FILE"
    ),
    Option("output_dir", "Directory for output files; the agent gets it as ORCHD_OUTPUT_DIR.", "text", metavar="DIR"),
    Option(
        "runner",
        "Runner for the goal (default: see `orchctl runners`).",
        "text",
        metavar="NAME",
        bound=bounds.NAME,
        completes=Completion.RUNNERS,
    ),
    MODEL,
    Option("result", "File for the result; the agent gets it as ORCHD_RESULT.", "text", metavar="FILE"),
    Option("worktree", "Create a git worktree and a branch for the agent."),
    Option("tokens", "Expected number of tokens, for `usage`.", "number", metavar="N", bound=bounds.TOKENS),
    Option("no_queue", "Fail if the agent cannot start at once, instead of queueing it."),
    Option("wait", "Wait for the agent to end."),
    Option("wait_timeout", "Stop waiting after this long; the agent keeps running.", "duration", metavar="DURATION"),
    Option(
        "parent",
        "Fail unless the calling agent is this agent.",
        "text",
        metavar="ID",
        completes=Completion.AGENTS,
        bound=bounds.NAME,
    ),
    Option("batch", "Start the agents in this file of JSON lines or one array; - is stdin.", "text", metavar="FILE"),
    Option("batch_example", "Print an example of a batch file and exit."),
    JSON,
)

AGENTS = (
    Command(
        ("spawn",),
        "Start an agent, or a batch of agents.",
        "agents.spawn",
        (_WORK,),
        _SPAWN,
        has_rest=True,
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("status",),
        "Show agents, slots and the queue.",
        "agents.status",
        (_IDS,),
        (
            Option(
                "all",
                "Show all agents with the whole history (default: unfinished agents and the newest 10, with their "
                "trees; at most 100).",
            ),
            Option("watch", "Show the status again after each change, until interrupted."),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("wait",),
        "Wait for agents or runs to end.",
        "agents.wait",
        (_THESE,),
        (
            Option("all", "Wait for all agents."),
            Option("children", "Wait for the children of the calling agent."),
            Option("tree", "Also wait for all descendants."),
            Option("any", "Return when the first of them has ended."),
            Option(
                "timeout",
                "Stop waiting after this long: 90, 90s, 15m, 2h (default: never).",
                "duration",
                metavar="DURATION",
            ),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("logs",),
        "Show the output of an agent.",
        "agents.logs",
        (_AGENT,),
        (
            Option("follow", "Follow the output until the agent has ended.", short="-f"),
            Option("lines", "Show only the last N lines.", "number", metavar="N"),
            Option(
                "attempt",
                "Show the output of this attempt (default: the last).",
                "number",
                metavar="K",
                bound=bounds.AT_LEAST_ONE,
            ),
            Option("json", "Print the path of the log as JSON."),
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("cancel",),
        "Cancel agents or runs and all their descendants.",
        "agents.cancel",
        (_THESE,),
        (
            Option("all", "Cancel all unfinished agents."),
            Option("wait", "Wait until they and all descendants have ended."),
            Option("wait_timeout", "Stop waiting after this long.", "duration", metavar="DURATION"),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("retry",),
        "Start a new attempt of agents or members that ended without completing.",
        "agents.retry",
        (_SOME,),
        (
            Option(
                "env", "Set an environment variable for the new attempt.", "variable", many=True, metavar="KEY=VALUE"
            ),
            _ENV_FILE,
            Option("current_env", "Use the environment of this command instead of that of the first attempt."),
            Option("resume_session", "Resume the last session of the agent's CLI."),
            Option("with_dependents", "Also retry agents that were skipped because of them."),
            Option("with_dependencies", "Also retry their dependencies that did not complete."),
            JSON,
        ),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("pause",),
        "Pause agents, or stop starting new agents.",
        "agents.pause",
        (_PAUSED,),
        (Option("release_slot", "Release the slots of the paused agents."), JSON),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("resume",),
        "Resume agents, or start new agents again.",
        "agents.resume",
        (_PAUSED,),
        (JSON,),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("why",),
        "Explain why an agent or run is blocked, or how it ended.",
        "agents.why",
        (_AGENT._replace(help="Agent (agent-001, 1 or a name) or run (run-001)."),),
        (JSON,),
        where=Where.ANY_DAEMON,
    ),
    Command(
        ("demo",),
        "Run a demonstration fleet in a temporary home.",
        "agents.demo",
        (),
        (
            Option(
                "timeline",
                "Write a timeline of the demonstration to this .svg, .html or .txt file.",
                "text",
                metavar="FILE",
            ),
            JSON,
        ),
        where=Where.THIS_MACHINE,
    ),
)
