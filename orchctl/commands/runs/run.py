"""`orchctl run`: a composition as agents, all in one request, under the one limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.commands.agents.wait import watched
from orchctl.composition import CompositionError, Tree
from orchctl.render import runs
from orchctl.runs import request as launch
from orchctl.runs.locate import note_risks, opened, refused, task_of
from orchctl.runs.request import RunLaunch
from orchctl.spawn.mock_notes import note_pretenders
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the run's id, then what became of it; the exit code tells whether it completed."""
    directory = Path.cwd()
    tree = opened(args.file, directory)
    if args.dry_run:
        made = _prepared(args, tree, directory, launch.results_of(directory, tree.composition.name))
        launch.sendable(made)  # what the run itself would refuse is refused here too
        note_risks(tree)
        return _shown(made, as_json=args.json)
    with Client() as client:
        result = _started(client, args, tree, directory)
        note_risks(tree)
        note_pretenders(result["agents"], args.runner)
        if args.detach or not args.json:  # as JSON there is one answer, and a run that is waited for has a later one
            console.result(result, [result["run"]["id"]], as_json=args.json)
            console.flush()
        return exit_codes.OK if args.detach else _ended(client, args, result)


def _prepared(args: SimpleNamespace, tree: Tree, directory: Path, results: Path) -> RunLaunch:
    try:
        return launch.prepared(tree, task_of(args), runner=args.runner, directory=directory, results=results)
    except CompositionError as error:
        raise refused(error, args.file) from None


def _started(client: Client, args: SimpleNamespace, tree: Tree, directory: Path) -> dict[str, Any]:
    with launch.reserved(directory, tree.composition.name) as results:
        made = _prepared(args, tree, directory, results)
        budget = {"max_tokens": args.max_tokens, "max_cost": args.max_cost}
        request = {**launch.sendable(made), **{key: most for key, most in budget.items() if most is not None}}
        launch.write_prompts(made)
        return client.call("run", request)


def _ended(client: Client, args: SimpleNamespace, result: dict[str, Any]) -> int:
    ids = [agent["id"] for agent in result["agents"]]
    with watched(client, ids, [result["run"]["id"]]) as line:
        client.wait(ids=ids, timeout=args.wait_timeout, watch=line)
    answer = pages.run(client, result["run"]["id"])
    if args.json:
        console.say_json(answer)
    else:
        for text in runs.summary_lines(answer):
            console.print_line(text)
    if answer["run"]["status"] == "running":
        console.warn(f"timed-out: {answer['run']['id']} goes on: `orchctl wait {answer['run']['id']}`")
        return exit_codes.TIMED_OUT
    return exit_codes.OK if answer["run"]["status"] == "completed" else exit_codes.REFUSED


def _shown(made: RunLaunch, *, as_json: bool) -> int:
    console.result(made.request, _lines(made), as_json=as_json)
    return exit_codes.OK


def _lines(made: RunLaunch) -> Iterator[str]:
    """What would be run, member by member."""
    import shlex

    from orchctl.render import text as render

    request = made.request
    yield f"{render.clean(request['name'])}: {len(request['members'])} members, results in {request['results']}"
    for group in request["groups"]:
        most = f"at most {group['max_parallel']} at once, " if group["max_parallel"] else ""
        yield render.clean_line(f"{group['path'] or 'the whole'}: {most}{group['on_failure']}{_after(group)}")
    yield ""
    for one in request["members"]:
        yield render.clean_line(f"{one['path']}{'' if one['required'] else ', not required'}{_after(one)}")
        yield render.clean_line(f"    {_runs(one['agent'])} <{shlex.quote(one['agent']['stdin'])}")


def _runs(agent: dict[str, Any]) -> str:
    import shlex

    return shlex.join(agent["command"]) if "command" in agent else agent.get("runner", "the default runner")


def _after(one: dict[str, Any]) -> str:
    return f", after {', '.join(one['after'])}" if one["after"] else ""
