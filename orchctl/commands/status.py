"""`orchctl status`: the picture of all agents, or of some. It never starts a daemon."""

from __future__ import annotations

import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NoReturn

from orchctl import census, exits, out
from orchctl.client import Client

_SECOND = 1.0  # how often ages move, on a terminal, while something that has an age is shown


def run(args: SimpleNamespace) -> int:
    """Print the tree, or one JSON object: `{daemon, limit, levels, agents}`; with `--watch` again when it changes."""
    with Client(starts=False) as client:
        if args.watch:
            _watch(client, args)
        answer = census.status(client, {"ids": args.ids, "all": args.all})
        if args.json:
            out.say_json(answer)
        else:
            out.result(None, _picture(answer, _budgets(client), args), as_json=False)
    return exits.OK


def _watch(client: Client, args: SimpleNamespace) -> NoReturn:
    """The terminal is asked for ages once a second, the daemon only after news."""
    from orchctl.watching import Watching

    def ask(client: Client) -> dict[str, Any]:
        answer = census.status(client, {"ids": args.ids, "all": args.all})
        return {"answer": answer, "budgets": [] if args.json else _budgets(client)}

    with closing(Watching(client, ask)) as watching:
        if out.is_terminal() and not args.json:
            _on_screen(watching, args)
        said = None
        while True:
            if watching.look() and (now := _told_of(watching.answer)) != said:
                _said(watching.answer, args)
                said = now
            watching.wait((), None)


def _on_screen(watching: Any, args: SimpleNamespace) -> NoReturn:
    from orchctl.render import is_over
    from orchctl.screen import Screen

    with Screen(has_keys=False).held() as screen:
        while True:
            watching.look()
            answer = watching.answer["answer"]
            lines = _picture(answer, watching.answer["budgets"], args)
            screen.draw(
                [*lines, "no daemon answers; this is the last that was known"] if watching.is_cut_off else lines
            )
            is_moving = not all(map(is_over, answer["agents"]))
            watching.wait(screen.sources(), _SECOND if is_moving else None)
            screen.keys()


def _told_of(known: dict[str, Any]) -> object:
    """What makes it worth saying again: all but what changes with every look."""
    seen = ("id", "status", "attempt", "reason")
    return known["answer"]["limit"], [[one[key] for key in seen] for one in known["answer"]["agents"]]


def _said(known: dict[str, Any], args: SimpleNamespace) -> None:
    if args.json:
        out.say_json(known["answer"])
    else:
        out.result(None, [*_picture(known["answer"], known["budgets"], args), ""], as_json=False)
    out.flush()


def _budgets(client: Client) -> list[dict[str, Any]]:
    """The sessions and runs that are not over and may not cost more than so much."""
    runs = [run for run in census.whole(client, "runs", {}, "runs")["runs"] if run["status"] == "running"]
    sessions = [one for one in client.call("sessions")["sessions"] if one["unfinished"]]
    return [one for one in (*sessions, *runs) if one["max_tokens"] is not None or one["max_cost"] is not None]


def _picture(answer: dict[str, Any], budgets: list[dict[str, Any]], args: SimpleNamespace) -> list[str]:
    from orchctl.tree import Look, picture

    look = Look(
        width=out.width(),
        has_colours=out.has_colours(),
        is_plain=not out.can_show("├─└│…·"),
        is_whole=bool(args.all or args.ids),
    )
    # the daemon's times are wall clock times, so is the one that ages are counted to
    return picture(answer, time.clock_gettime(time.CLOCK_REALTIME), look, budgets)
