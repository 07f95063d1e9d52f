"""`orchctl run`: run a composition as agents, all in one request."""

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
    """Print the run's id, then its summary when it has ended; the exit code says whether it completed."""
    directory = Path.cwd()
    tree = opened(args.file, directory)
    if args.dry_run:
        run_launch = _prepared(args, tree, directory, launch.results_of(directory, tree.composition.name))
        launch.sendable(run_launch)  # a request that the run itself would refuse is refused here too
        note_risks(tree)
        console.result(run_launch.request, _lines(run_launch.request), as_json=args.json)
        return exit_codes.OK
    with Client() as client:
        with launch.reserved(directory, tree.composition.name) as results:
            run_launch = _prepared(args, tree, directory, results)
            budget = {"max_tokens": args.max_tokens, "max_cost": args.max_cost}
            bounds = {key: most for key, most in budget.items() if most is not None}
            request = {**launch.sendable(run_launch), **bounds}
            launch.write_prompts(run_launch)
            result = client.call("run", request)
        note_risks(tree)
        note_pretenders(result["agents"], args.runner)
        if args.detach or not args.json:  # as JSON there is one answer, which comes after the wait
            console.result(result, [result["run"]["id"]], as_json=args.json)
            console.flush()
        if args.detach:
            return exit_codes.OK
        ids = [agent["id"] for agent in result["agents"]]
        with watched(client, ids, [result["run"]["id"]]) as line:
            client.wait(ids=ids, timeout=args.wait_timeout, watch=line)
        answer = pages.run(client, result["run"]["id"])
    console.result(answer, runs.summary_lines(answer), as_json=args.json)
    if answer["run"]["status"] == "running":
        console.warn(f"timed-out: {answer['run']['id']} continues: `orchctl wait {answer['run']['id']}`")
        return exit_codes.TIMED_OUT
    return exit_codes.OK if answer["run"]["status"] == "completed" else exit_codes.REFUSED


def _prepared(args: SimpleNamespace, tree: Tree, directory: Path, results: Path) -> RunLaunch:
    try:
        return launch.prepared(tree, task_of(args), runner=args.runner, directory=directory, results=results)
    except CompositionError as error:
        raise refused(error, args.file) from None


def _lines(request: dict[str, Any]) -> Iterator[str]:
    """Yield the groups and the members of the request, a line or two for each."""
    import shlex

    from orchctl.render import text as render

    yield f"{render.clean(request['name'])}: {len(request['members'])} members, results in {request['results']}"
    for group in request["groups"]:
        most = f"at most {group['max_parallel']} at once, " if group["max_parallel"] else ""
        yield render.clean_line(f"{group['path'] or 'whole run'}: {most}{group['on_failure']}{_after(group)}")
    yield ""
    for member in request["members"]:
        agent = member["agent"]
        program = shlex.join(agent["command"]) if "command" in agent else agent.get("runner", "the default runner")
        yield render.clean_line(f"{member['path']}{'' if member['required'] else ', optional'}{_after(member)}")
        yield render.clean_line(f"    {program} <{shlex.quote(agent['stdin'])}")


def _after(item: dict[str, Any]) -> str:
    return f", after {', '.join(item['after'])}" if item["after"] else ""
