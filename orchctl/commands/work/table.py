"""The commands about tasks and skills; `orchctl.commands.registry` has all of them."""

from __future__ import annotations

from orchctl.commands.spec import JSON, Argument, Command, Option

_DIR = Argument("directory", "The directory of the task files; docs/tasks otherwise.", "[DIR]")
_SKILL = Option("skill", "The skill it works with.", "text", metavar="NAME")

_NEW = (
    Option("goal", "What it is to achieve.", "text", metavar="TEXT"),
    _SKILL,
    Option("runner", "What runs it: mock, claude, codex or one of your own.", "text", metavar="R"),
    Option("model", "The model that its runner asks for.", "text", metavar="NAME"),
    Option(
        "after",
        "Start after this task has completed; NAME:failed, NAME:any: has failed, has ended.",
        "text",
        many=True,
        metavar="NAME",
    ),
    Option("timeout", "End it after this long: 90, 90s, 15m, 2h.", "text", metavar="DURATION"),
    Option("retries", "New attempts when it fails.", "number", metavar="N"),
    Option("dir", "The directory of the task files; docs/tasks otherwise.", "text", metavar="DIR"),
    Option("body", "The prompt, from this file instead of a skeleton; - is stdin.", "text", metavar="FILE"),
    JSON,
)
_RUN = (
    Option("only", "Run this task and no other that is not named so too.", "text", many=True, metavar="NAME"),
    Option("again", "Also what is done already; the old results are kept as .bak."),
    Option("runner", "For tasks that name none: mock, claude, codex or one of your own.", "text", metavar="R"),
    Option("model", "For tasks that name none.", "text", metavar="NAME"),
    Option("worktree", "Give each a git worktree and branch of its own."),
    Option("wait", "Then wait for them, as `wait` does."),
    Option("wait_timeout", "With --wait: give up the waiting after this long.", "duration", metavar="DURATION"),
    JSON,
)

TASKS = (
    Command(
        ("tasks", "new"),
        "Write a task file.",
        "work.tasks",
        (Argument("name", "Its name: the file is subtask-NAME.md.", "NAME", required=True),),
        _NEW,
        function="new",
    ),
    Command(("tasks", "list"), "Show tasks and where they stand.", "work.tasks", (_DIR,), (JSON,), function="show"),
    Command(
        ("tasks", "check"),
        "Check task files: every mistake at once, and that those at once keep apart.",
        "work.tasks",
        (_DIR,),
        (Option("all", "Show every error; the first 20 otherwise."), JSON),
        function="check",
    ),
    Command(("tasks", "run"), "Run every task that is not done, all in one batch.", "work.tasks_run", (_DIR,), _RUN),
    Command(
        ("tasks", "merge"),
        "Put all results together in one document.",
        "work.tasks_merge",
        (_DIR,),
        (Option("out", "Write it to this file; stdout otherwise.", "text", metavar="FILE"), JSON),
    ),
)

SKILL = (
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
    ),
    Command(
        ("skill", "list"), "Show the skills that are found from here.", "work.skill", (), (JSON,), function="show_all"
    ),
    Command(
        ("skill", "show"),
        "Show what a skill says.",
        "work.skill",
        (Argument("skill", "Its name.", "NAME", required=True),),
        (JSON,),
        function="show",
    ),
)
