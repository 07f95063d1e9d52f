"""`orchctl wait`: block until agents have ended, also across daemon restarts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import UsageError
from orchctl.render import runs, text
from orchctl.terminal import console

if TYPE_CHECKING:
    from orchctl.terminal.progress import Progress

_NAMED = 5  # ids of one message
_RUN = re.compile(r"run-[0-9]+")


def run(args: SimpleNamespace) -> int:
    """Print a line for each agent and run that has ended; the exit code says whether all completed."""
    ways = sum((bool(args.ids), args.all, args.children))
    if ways != 1:
        raise UsageError("give " + ("only one of " if ways else "") + "ids, --all or --children")
    if args.tree and not args.ids:
        raise UsageError("--tree requires ids: give the agents whose descendants to wait for")
    scope = "all" if args.all else "children" if args.children else "tree" if args.tree else "ids"
    with Client() as client:
        args.ids = client.ids(args.ids)
        return wait(client, args, scope=scope, is_any=args.any, timeout=args.timeout)


def wait(
    client: Client,
    args: SimpleNamespace,
    *,
    scope: str = "ids",
    is_any: bool = False,
    timeout: float | None = None,
) -> int:
    """Wait for `args.ids` or the scope and print how the agents and runs ended. Returns the exit code."""
    with watched(client, args.ids, args.ids) as line:
        result = ended(client, args.ids, scope=scope, is_any=is_any, timeout=timeout, watch=line)
    if args.json:
        console.say_json(result)
        return code_of(result)
    over = [agent for agent in result["agents"] if text.is_over(agent)]
    for end in [*text.ended_lines(over), *map(runs.outcome, _over(result))]:
        console.print_line(end)
    if result["timed_out"]:
        going = [agent for agent in result["agents"] if not text.is_over(agent)]
        console.warn(f"timed-out: {text.going(going)}; they continue" if going else "timed-out; all have ended since")
    return code_of(result)


@contextmanager
def watched(client: Client, ids: Sequence[str], named: Sequence[str]) -> Iterator[Progress | None]:
    """Show the progress of a wait for `ids` on a line, to people only.

    When the wait is interrupted, a note says that the agents and runs `named` continue, and how to wait again.
    """
    line: Progress | None = None
    if console.is_for_people():
        from orchctl.terminal.progress import Progress, of_wait

        line = Progress(client, of_wait(ids))
    try:
        yield line
    except KeyboardInterrupt:
        if named:
            words = " ".join(named[:_NAMED]) + (" ..." if len(named) > _NAMED else "")
            verb = "continues" if len(named) == 1 else "continue"
            console.warn(f"no longer waiting; {words} {verb}: `orchctl wait {words}`, `orchctl cancel {words}`")
        raise
    finally:
        if line:
            line.close()


def ended(client: Client, ids: Sequence[str], **how: Any) -> dict[str, Any]:
    """Return what `Client.wait` returns, and `runs`: each of `ids` that is a run, as in `run-status`."""
    result = client.wait(ids=ids, **how)
    if any(agent.get("worktree") for agent in result["agents"]):
        from orchctl.worktrees import commits

        result["agents"] = commits.noted(result["agents"])
    run_ids = [word for word in ids if _RUN.fullmatch(word)]
    result["runs"] = [client.call("run-status", {"id": run_id})["run"] for run_id in run_ids]
    return result


def code_of(result: dict[str, Any]) -> int:
    """Return the exit code for the result of a wait: a run that was named counts as a whole, without its members."""
    if result["timed_out"]:
        return exit_codes.TIMED_OUT
    counted = _over(result)
    inside = {member["id"] for run in counted for member in run["members"]}
    ended = [agent for agent in result["agents"] if text.is_over(agent) and agent["id"] not in inside]
    return exit_codes.OK if all(item["status"] == "completed" for item in [*counted, *ended]) else exit_codes.REFUSED


def _over(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for run in result.get("runs", ()) if run["ended_at"] is not None]
