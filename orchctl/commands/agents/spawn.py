"""`orchctl spawn`: one agent from the command line, or many from a file, in one request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, target
from orchctl.errors import UsageError
from orchctl.spawn import env_files, inputs
from orchctl.spawn.mock_notes import note_pretenders
from orchctl.spawn.request import origin, with_absolute_paths
from orchctl.spawn.working_directory import here
from orchctl.terminal import console
from orchd.instance.home import Home, default_home

_NOTED = 10  # queued agents that get a line of their own
_OF_ONE = (
    *("name", "goal", "skill", "task_id", "after", "priority", "nesting", "timeout", "silence", "grace"),
    *("memory_max", "cpu_max", "pids_max"),
    *("retries", "cwd", "env", "stdin", "output_dir", "runner", "model", "result", "worktree", "tokens", "command"),
)


def run(args: SimpleNamespace) -> int:
    """Print the new ids, one a line, or the result as JSON: with --wait, how the agents ended."""
    if args.wait_timeout is not None and not args.wait:
        raise UsageError("--wait-timeout requires --wait: give both, or use --timeout to kill the agent")
    if args.batch_example:
        from orchctl.spawn import batch

        console.put(batch.example_file())
        return exit_codes.OK
    specs = _specs(args)
    warnings = _check_worktrees(specs, args)
    with Client() as client:
        # another machine has an environment and directories of its own
        where = {"cwd": specs[0]["cwd"], "env": {}} if target.is_remote() else origin(here(args.cwd))
        request: dict[str, Any] = {"agents": specs, "no_queue": args.no_queue, **where}
        request["env"] |= env_files.read(args.env_file, here(args.cwd))
        request |= {} if args.parent is None else {"parent": args.parent}
        result = client.call("spawn", request)
        result |= {"warnings": warnings} if warnings else {}
        if not (args.wait and args.json):  # as JSON there is one answer, which comes after the wait
            console.result(result, [agent["id"] for agent in result["agents"]], as_json=args.json)
            console.flush()
        note_pretenders(result["agents"], args.runner or args.batch)
        if console.is_for_people():
            from orchctl.render import text

            lines = text.queued_lines(result["agents"])
            more = [f"and {len(lines) - _NOTED:,} more are queued"] if len(lines) > _NOTED else []
            for line in [*lines[:_NOTED], *more]:
                console.warn(line)
        if not args.wait:
            return exit_codes.OK
        from orchctl.commands.agents import wait

        waited = SimpleNamespace(ids=[agent["id"] for agent in result["agents"]], json=args.json)
        return wait.wait(client, waited, timeout=args.wait_timeout)


def _specs(args: SimpleNamespace) -> list[dict[str, object]]:
    """Return the specs of the batch file, or of the one agent that the options describe. Raises UsageError."""
    values = {key: getattr(args, key) for key in _OF_ONE}
    given = {key: value for key, value in values.items() if value is not None and value is not False and value != ()}
    if args.batch is not None:
        for key in given:
            word = "a command" if key == "command" else f"--{key.replace('_', '-')}"
            raise UsageError(f"{word} cannot be combined with --batch: set `{key}` for each agent in {args.batch}")
        from orchctl.spawn import batch  # checking shapes takes imports that one agent does not need

        return batch.read(args.batch, here())
    if not (args.command or args.goal or args.skill or args.stdin):
        raise UsageError("nothing to run: give a command after `--`, e.g. `spawn -- claude -p ...`, or --goal")
    if args.command and not args.command[0]:
        raise UsageError("the program is empty: ''; give a command after `--`, e.g. `spawn -- claude -p ...`")
    _check_word(args)
    if "env" in given:
        given["env"] = env_files.pairs(args.env)
    if args.stdin and (content := inputs.read(args.stdin, here("/"))) is not None:
        del given["stdin"]
        given["input"] = content
    return [with_absolute_paths(given, here(args.cwd))]


def _check_word(args: SimpleNamespace) -> None:
    """Raise UsageError for a single word that is not a program but probably a goal, a runner or a batch file."""
    if len(args.command) != 1 or target.is_remote():
        return
    (word,) = args.command
    if args.goal and args.runner is None:
        from orchd.instance import runner_config  # most calls do without its imports

        if word in runner_config.BUILT_IN:
            raise UsageError(f"the command {word!r} alone has no goal: did you mean --runner {word}?")
    is_file = word.endswith((".json", ".jsonl"))
    if not is_file and not any(map(str.isspace, word)):
        return
    import shlex
    import shutil

    if shutil.which(word) is not None:
        return
    if is_file:
        what = f"did you mean --batch {word}, or `orchctl run {word}` for a composition?"
        raise UsageError(f"{word!r} is not a program: {what}")
    raise UsageError(
        f"no such program: {word!r}. Did you mean --goal {shlex.quote(word)}? Give each argument of a command "
        "as a separate word, or use `sh -c 'LINE'`"
    )


def _check_worktrees(specs: list[dict[str, object]], args: SimpleNamespace) -> list[str]:
    """Print and return the warnings about the worktrees. Raises RefusedError when an agent cannot have its worktree."""
    if not any(spec.get("worktree") for spec in specs) or target.is_remote():
        return []
    from orchctl.worktrees import checks

    warnings = checks.check(specs, here(args.cwd), Home(default_home()).config)
    for warning in warnings:
        console.warn(warning)
    return warnings
