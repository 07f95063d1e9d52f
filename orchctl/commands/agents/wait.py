"""`orchctl wait`: block until agents have ended, through any death of the daemon."""

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
    """Print a line for each agent that ended and each run that is over; the exit code tells whether all completed."""
    ways = sum((bool(args.ids), args.all, args.children))
    if ways != 1:
        raise UsageError("say what to wait for: ids, --all or --children" + (", only one of them" if ways else ""))
    if args.tree and not args.ids:
        raise UsageError("--tree is for ids: say below which agents")
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
    """Wait for `args.ids` or the scope and print what came of it."""
    with watched(client, args.ids, args.ids) as line:
        result = ended(client, args.ids, scope=scope, is_any=is_any, timeout=timeout, watch=line)
    return _told(result, as_json=args.json)


@contextmanager
def watched(client: Client, ids: Sequence[str], named: Sequence[str]) -> Iterator[Progress | None]:
    """The line of progress of a wait for `ids`, for people only. A person who interrupts it is shown that what they
    `named` goes on, and how to wait for it again."""
    line: Progress | None = None
    if console.is_for_people():
        from orchctl.terminal.progress import Progress, of_wait

        line = Progress(client, of_wait(ids))
    try:
        yield line
    except KeyboardInterrupt:
        _note_interrupted(named)
        raise
    finally:
        if line:
            line.close()


def _note_interrupted(ids: Sequence[str]) -> None:
    if ids:
        named = " ".join(ids[:_NAMED]) + (" ..." if len(ids) > _NAMED else "")
        goes = "goes" if len(ids) == 1 else "go"
        console.warn(f"no longer waiting; {named} {goes} on: `orchctl wait {named}`, `orchctl cancel {named}`")


def ended(client: Client, ids: Sequence[str], **how: Any) -> dict[str, Any]:
    """What `Client.wait` returns, and `runs`: those of `ids` that are runs, as `run-status` shows them."""
    result = client.wait(ids=ids, **how)
    if any(agent.get("worktree") for agent in result["agents"]):
        from orchctl.worktrees import commits

        result["agents"] = commits.noted(result["agents"])
    named = [one for one in ids if _RUN.fullmatch(one)]
    result["runs"] = [client.call("run-status", {"id": one})["run"] for one in named]
    return result


def _told(result: dict[str, Any], *, as_json: bool) -> int:
    over = [agent for agent in result["agents"] if text.is_over(agent)]
    going = [agent for agent in result["agents"] if not text.is_over(agent)]
    if as_json:
        console.say_json(result)
    else:
        for line in [*text.ended_lines(over), *map(runs.outcome, _over(result))]:
            console.print_line(line)
    if result["timed_out"] and not as_json:
        console.warn(f"timed-out: {text.going(going)}; they go on" if going else "timed-out; all have ended since")
    return code_of(result)


def code_of(result: dict[str, Any]) -> int:
    """The exit code that the result of a wait is: of each run that was named the run counts, and not its members."""
    if result["timed_out"]:
        return exit_codes.TIMED_OUT
    counted = _over(result)
    inside = {member["id"] for run in counted for member in run["members"]}
    ended = [agent for agent in result["agents"] if text.is_over(agent) and agent["id"] not in inside]
    return exit_codes.OK if all(one["status"] == "completed" for one in [*counted, *ended]) else exit_codes.REFUSED


def _over(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for run in result.get("runs", ()) if run["ended_at"] is not None]
