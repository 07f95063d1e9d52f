"""`orchctl status`: show all agents, or some. It never starts a daemon."""

from __future__ import annotations

import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NoReturn

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.terminal import console

_PAGE = 100  # agents that a person sees without --all
_MOST = 1000  # agents that one answer can have, with a count of the others
_SEEN = ("id", "status", "attempt", "reason")  # a watched answer is printed again when one of these changes
_SECOND = 1.0  # how often ages move, on a terminal, while something that has an age is shown


def run(args: SimpleNamespace) -> int:
    """Print the tree, or one JSON object: `{daemon, limit, levels, agents}`; with `--watch` again when it changes."""
    with Client(starts=False) as client:
        if args.watch:
            _watch(client, args)
        _print(_answer(client, args), args)
    return exit_codes.OK


def _answer(client: Client, args: SimpleNamespace) -> dict[str, Any]:
    """Ask the daemon for all agents; for people only for the first of them, unless --all is given."""
    request = {"ids": args.ids, "all": args.all}
    if args.json:
        return pages.status(client, request)
    if not args.all:
        return pages.first(client, request, max(_PAGE, min(len(args.ids), _MOST)))
    return {**pages.status(client, request), "budgets": pages.first(client, {}, 0).get("budgets", ())}


def _watch(client: Client, args: SimpleNamespace) -> NoReturn:
    """Print the answer after each change; on a terminal, redraw it also once a second with new ages."""
    from orchctl.client.live_query import LiveQuery

    with closing(LiveQuery(client, lambda client: _answer(client, args))) as watching:
        if console.is_terminal() and not args.json:
            _draw(watching, args)
        printed: object = None
        while True:
            if watching.look():
                answer = watching.answer  # usage and ages change with every look
                agents = [[agent[key] for key in _SEEN] for agent in answer["agents"]]
                if (state := (answer["limit"], answer.get("counts"), agents)) != printed:
                    _print(answer, args, "")
                    console.flush()
                    printed = state
            watching.wait((), None)


def _draw(watching: Any, args: SimpleNamespace) -> NoReturn:
    """Draw the tree on the terminal: query the daemon only after events, update ages once a second."""
    from orchctl.render.text import is_over
    from orchctl.terminal.screen import Screen

    with Screen(has_keys=False).held() as screen:
        while True:
            watching.look()
            answer = watching.answer
            lines = _picture(answer, args)
            screen.draw(
                [*lines, "no daemon is running; this is the last known state"] if watching.is_cut_off else lines
            )
            is_moving = not all(map(is_over, answer["agents"]))
            watching.wait(screen.sources(), _SECOND if is_moving else None)
            screen.keys()


def _print(answer: dict[str, Any], args: SimpleNamespace, *last: str) -> None:
    """Print the answer as JSON, or as the tree and the lines `last`."""
    if args.json:
        console.say_json(answer)
    else:
        console.result(None, [*_picture(answer, args), *last], as_json=False)


def _picture(answer: dict[str, Any], args: SimpleNamespace) -> list[str]:
    from orchctl.render.status_tree import Look, picture

    look = Look(
        width=console.width(),
        has_colours=console.has_colours(),
        is_plain=not console.can_show("├─└│…·"),
        is_whole=bool(args.all or args.ids),
    )
    # ages are counted from the daemon's times, which are wall clock times
    return picture(answer, time.clock_gettime(time.CLOCK_REALTIME), look)
