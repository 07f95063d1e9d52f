"""The commands about tasks, their developers, worktrees and skills."""

from __future__ import annotations

from orchctl.commands.spec import GOAL, JSON, MODEL, RETRIES, SKILL, Argument, Command, Completion, Option, Where

_DIR = Argument("directory", "The directory of the task files; docs/tasks otherwise.", "[DIR]")
_EACH_WORKTREE = Option("worktree", "Give each a git worktree and branch of its own.")
_ALL_REPOSITORIES = Option("all", "Of every repository, not only of the one that this is in.")
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
    Option(
        "skill", "The skill of tasks whose labels stand for none.", "text", metavar="NAME", completes=Completion.SKILLS
    ),
    Option("runner", "What runs the developers: mock, claude, codex or one of your own.", "text", metavar="R"),
    Option("model", "The model that their runner asks for.", "text", metavar="NAME"),
    _EACH_WORKTREE,
    Option("timeout", "End a developer after this long.", "duration", metavar="DURATION"),
    Option("retries", "New attempts for a developer that fails.", "number", metavar="N"),
    Option("tick", "Tick the box of a task in FILE when it completed, or set its status there."),
    Option("close_failed", "Close the issue of a developer that failed, as failed, rather than open it again."),
    Option("bd_timeout", "How long `bd` may take for one answer; 30s otherwise.", "duration", metavar="DURATION"),
    Option("wait_timeout", "Give up the waiting after this long; developers go on.", "duration", metavar="DURATION"),
    Option("dry_run", "Only show what would be started, in which waves, and why each task waits."),
    JSON,
)
_NEW = (
    GOAL,
    SKILL,
    Option("runner", "What runs it: mock, claude, codex or one of your own.", "text", metavar="R"),
    MODEL,
    Option(
        "after",
        "Start after this task has completed; NAME:failed, NAME:any: has failed, has ended.",
        "text",
        many=True,
        metavar="NAME",
        completes=Completion.TASKS,
    ),
    Option("timeout", "End it after this long: 90, 90s, 15m, 2h.", "text", metavar="DURATION"),
    RETRIES,
    Option("dir", "The directory of the task files; docs/tasks otherwise.", "text", metavar="DIR"),
    Option("body", "The prompt, from this file instead of a skeleton; - is stdin.", "text", metavar="FILE"),
    JSON,
)
_RUN = (
    Option(
        "only",
        "Run this task and no other that is not named so too.",
        "text",
        many=True,
        metavar="NAME",
        completes=Completion.TASKS,
    ),
    Option("again", "Also what is done already; the old results are kept as .bak."),
    Option("runner", "For tasks that name none: mock, claude, codex or one of your own.", "text", metavar="R"),
    Option("model", "For tasks that name none.", "text", metavar="NAME"),
    _EACH_WORKTREE,
    Option("wait", "Then wait for them, as `wait` does."),
    Option("wait_timeout", "With --wait: give up the waiting after this long.", "duration", metavar="DURATION"),
    JSON,
)

_TASKS = (
    Command(
        ("tasks", "new"),
        "Write a task file.",
        "work.tasks",
        (Argument("name", "Its name: the file is subtask-NAME.md.", "NAME", required=True),),
        _NEW,
        function="new",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("tasks", "list"),
        "Show tasks and where they stand.",
        "work.tasks",
        (_DIR,),
        (JSON,),
        function="show",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("tasks", "check"),
        "Check task files: every mistake at once, and that those at once keep apart.",
        "work.tasks",
        (_DIR,),
        (Option("all", "Show every error; the first 20 otherwise."), JSON),
        function="check",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("tasks", "run"),
        "Run every task that is not done, all in one batch.",
        "work.tasks_run",
        (_DIR,),
        _RUN,
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("tasks", "merge"),
        "Put all results together in one document.",
        "work.tasks_merge",
        (_DIR,),
        (Option("out", "Write it to this file; stdout otherwise.", "text", metavar="FILE"), JSON),
        where=Where.THIS_MACHINE,
    ),
)

_SKILLS = (
    Command(
        ("skill", "install"),
        "Install the skill that teaches an LLM to orchestrate.",
        "work.skill",
        (),
        (
            Option("dir", "Only in this directory of skills; otherwise where the CLIs look.", "text", metavar="DIR"),
            Option("claude", "In .claude/skills too, though no claude is found."),
            Option("codex", "In .agents/skills too, though no codex is found."),
            Option("force", "Replace files that were changed; the old ones are kept as .bak."),
            JSON,
        ),
        function="install",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("skill", "list"),
        "Show the skills that are found from here.",
        "work.skill",
        (),
        (JSON,),
        function="show_all",
        where=Where.NO_DAEMON,
    ),
    Command(
        ("skill", "show"),
        "Show what a skill says.",
        "work.skill",
        (Argument("skill", "Its name.", "NAME", required=True, completes=Completion.SKILLS),),
        (JSON,),
        function="show",
        where=Where.NO_DAEMON,
    ),
)

_WORKTREES = (
    Command(
        ("worktrees", "list"),
        "Show the git worktrees of agents.",
        "work.worktrees",
        (),
        (_ALL_REPOSITORIES, JSON),
        function="show_all",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("worktrees", "show"),
        "Show a worktree: its branch, its work, what keeps it from being pruned, and the next commands.",
        "work.worktrees",
        (
            Argument(
                "id", "The agent, by its id or name; or the branch.", "ID", required=True, completes=Completion.AGENTS
            ),
        ),
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
                "The agents, by their ids or names.",
                "ID...",
                many=True,
                required=True,
                completes=Completion.AGENTS,
            ),
        ),
        (
            Option("force", "Remove uncommitted changes and unmerged commits too; prints first what is lost."),
            JSON,
        ),
        function="remove",
        where=Where.THIS_MACHINE,
    ),
    Command(
        ("worktrees", "prune"),
        "Remove worktrees that are over, clean and merged, with their branches.",
        "work.worktrees",
        (),
        (
            _ALL_REPOSITORIES,
            Option("dry_run", "Only say what would be removed."),
            Option("ignored", "Remove files that git ignores, too, but no repositories."),
            JSON,
        ),
        function="prune",
        where=Where.THIS_MACHINE,
    ),
)

WORK = (
    Command(
        ("pm",),
        "Have ready work done by developers, as many at once as may be.",
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
    "tasks": "Take work apart into task files, run them at once, put the results together.",
    "skill": "Skills that are found from here, and the one that teaches an LLM to orchestrate.",
    "worktrees": "List, show and remove the git worktrees of agents.",
}
