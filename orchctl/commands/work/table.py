"""The commands about tasks, their developers, worktrees and skills."""

from __future__ import annotations

from orchctl.commands.spec import GOAL, JSON, MODEL, RETRIES, SKILL, Argument, Command, Completion, Option, Where
from orchd.protocol import bounds

_DIR = Argument("directory", "Directory of the task files (default: docs/tasks).", "[DIR]")
_EACH_WORKTREE = Option("worktree", "Create a git worktree and a branch for each agent.")
_ALL_REPOSITORIES = Option("all", "Include all repositories, not only this one.")
_PM = (
    Option("tasks", "Task list: a plan in Markdown or JSON.", "text", metavar="FILE"),
    Option(
        "format",
        "Format of FILE: spec-kit, kiro, openspec, task-master or checklist (default: detected).",
        "text",
        metavar="FORMAT",
        completes=Completion.PLAN_FORMATS,
    ),
    Option("tag", "Tag of Task Master's tasks (default: the current tag).", "text", metavar="NAME"),
    Option("optional", "Also start tasks that FILE marks as optional."),
    Option("beads", "Take the tasks of `bd ready` (default if there is a .beads directory)."),
    Option("max", "Maximum number of concurrent developers (default: the global limit).", "number", metavar="N"),
    Option("once", "Start only tasks that are ready now."),
    Option("skill", "Skill for tasks whose labels map to none.", "text", metavar="NAME", completes=Completion.SKILLS),
    Option(
        "runner",
        "Runner of the developers: claude, codex, mock or one from config.toml.",
        "text",
        metavar="R",
        completes=Completion.RUNNERS,
    ),
    Option("model", "Model for the runner.", "text", metavar="NAME"),
    _EACH_WORKTREE,
    Option(
        "timeout",
        "Timeout of a developer (default: config.toml, else none).",
        "duration",
        metavar="DURATION",
        bound=bounds.POSITIVE,
    ),
    Option(
        "retries",
        "Number of new attempts of a developer that fails (default: 0).",
        "number",
        metavar="N",
        bound=bounds.RETRIES,
    ),
    Option("tick", "Tick completed tasks in FILE, or set their status there."),
    Option("close_failed", "Close the issue of a failed developer as failed (default: reopen it)."),
    Option("bd_timeout", "Timeout of a `bd` command (default: 30s).", "duration", metavar="DURATION"),
    Option("wait_timeout", "Stop waiting after this long; developers keep running.", "duration", metavar="DURATION"),
    Option("dry_run", "Show which tasks would start, in which order, and why the others wait."),
    JSON,
)
_NEW = (
    GOAL,
    SKILL,
    Option(
        "runner",
        "Runner: claude, codex, mock or one from config.toml.",
        "text",
        metavar="R",
        completes=Completion.RUNNERS,
    ),
    MODEL,
    Option(
        "after",
        "Start when this task has completed; with NAME:failed when it has failed, with NAME:any when it has ended.",
        "text",
        many=True,
        metavar="NAME",
        completes=Completion.TASKS,
    ),
    Option(
        "timeout",
        "Timeout of an attempt: 90, 90s, 15m, 2h (default: config.toml, else none).",
        "text",
        metavar="DURATION",
    ),
    RETRIES,
    Option("dir", "Directory of the task files (default: docs/tasks).", "text", metavar="DIR"),
    Option("body", "File with the prompt, in place of a skeleton; - is stdin.", "text", metavar="FILE"),
    JSON,
)
_RUN = (
    Option(
        "only",
        "Run only this task.",
        "text",
        many=True,
        metavar="NAME",
        completes=Completion.TASKS,
    ),
    Option("again", "Run finished tasks again; old results are kept as .bak."),
    Option(
        "runner",
        "Runner for tasks that name none: claude, codex, mock or one from config.toml.",
        "text",
        metavar="R",
        completes=Completion.RUNNERS,
    ),
    Option("model", "Model for tasks that name none.", "text", metavar="NAME"),
    _EACH_WORKTREE,
    Option("wait", "Wait for the tasks to end."),
    Option("wait_timeout", "With --wait: stop waiting after this long.", "duration", metavar="DURATION"),
    JSON,
)

_TASKS = (
    Command(
        ("tasks", "new"),
        "Create a task file.",
        "work.tasks",
        (Argument("name", "Name of the task; the file is subtask-NAME.md.", "NAME", required=True),),
        _NEW,
        function="new",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("tasks", "list"),
        "List tasks with their state.",
        "work.tasks",
        (_DIR,),
        (JSON,),
        function="show",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("tasks", "check"),
        "Validate task files, and check that parallel tasks do not write the same files.",
        "work.tasks",
        (_DIR,),
        (Option("all", "Show all errors (default: the first 20)."), JSON),
        function="check",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("tasks", "run"),
        "Run all tasks that are not done.",
        "work.tasks_run",
        (_DIR,),
        _RUN,
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("tasks", "merge"),
        "Merge all results into one document.",
        "work.tasks_merge",
        (_DIR,),
        (Option("out", "Output file (default: stdout).", "text", metavar="FILE"), JSON),
        where=Where.THIS_MACHINE,
    ),
)

_SKILLS = (
    Command(
        ("skill", "install"),
        "Install the skill that teaches an LLM to use orchctl.",
        "work.skill",
        (),
        (
            Option("dir", "Directory of skills (default: where the CLIs look for skills).", "text", metavar="DIR"),
            Option("claude", "Also install to .claude/skills if no claude is installed."),
            Option("codex", "Also install to .agents/skills if no codex is installed."),
            Option("force", "Replace changed files; the old files are kept as .bak."),
            JSON,
        ),
        function="install",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("skill", "list"),
        "List the skills that are found from this directory.",
        "work.skill",
        (),
        (JSON,),
        function="show_all",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("skill", "show"),
        "Show the text of a skill.",
        "work.skill",
        (Argument("skill", "Name of the skill.", "NAME", required=True, completes=Completion.SKILLS),),
        (JSON,),
        function="show",
        where=Where.NO_DAEMON,
    ),
)

_WORKTREES = (
    Command(
        ("worktrees", "list"),
        "List the git worktrees of agents.",
        "work.worktrees",
        (),
        (_ALL_REPOSITORIES, JSON),
        function="show_all",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("worktrees", "show"),
        "Show a worktree: branch, changes, why it is not pruned, and the next commands.",
        "work.worktrees",
        (Argument("id", "Agent (id or name), branch or path.", "ID", required=True, completes=Completion.WORKTREES),),
        (JSON,),
        function="show",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("worktrees", "remove"),
        "Remove the worktrees of ended agents, with their branches.",
        "work.worktrees",
        (
            Argument(
                "ids",
                "Agents, by id or name.",
                "ID...",
                many=True,
                required=True,
                completes=Completion.WORKTREES,
            ),
        ),
        (
            Option("force", "Also remove uncommitted changes and unmerged commits; prints what is lost."),
            JSON,
        ),
        function="remove",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("worktrees", "prune"),
        "Remove finished, clean and merged worktrees with their branches.",
        "work.worktrees",
        (),
        (
            _ALL_REPOSITORIES,
            Option("dry_run", "Show what would be removed, and remove nothing."),
            Option("ignored", "Also remove files that git ignores, but no repositories."),
            JSON,
        ),
        function="prune",
        where=Where.THIS_MACHINE,
    ),
)

WORK = (
    Command(
        ("pm",),
        "Run one agent per ready task of a task list or of Beads, in parallel.",
        "work.pm",
        (),
        _PM,
        where=Where.THIS_MACHINE,
    ),
    *_WORKTREES,
    *_TASKS,
    *_SKILLS,
)

GROUPS = {
    "tasks": "Split work into task files, run them in parallel and merge the results.",
    "skill": "List skills, and install the skill that teaches an LLM to use orchctl.",
    "worktrees": "List and remove the git worktrees of agents.",
}
