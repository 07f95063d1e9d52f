"""`orchctl status`: the picture of all agents, or of some. It never starts a daemon."""

from __future__ import annotations

import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NoReturn

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.terminal import console

_PAGE = 100  # agents that a person is shown unless they ask for more
_MOST = 1000  # that one answer can bring with a count of the others
_SECOND = 1.0  # how often ages move, on a terminal, while something that has an age is shown


def run(args: SimpleNamespace) -> int:
    """Print the tree, or one JSON object: `{daemon, limit, levels, agents}`; with `--watch` again when it changes."""
    with Client(starts=False) as client:
        if args.watch:
            _watch(client, args)
        answer = _asked(client, args)
        if args.json:
            console.say_json(answer)
        else:
            console.result(None, _picture(answer, args), as_json=False)
    return exit_codes.OK


def _asked(client: Client, args: SimpleNamespace) -> dict[str, Any]:
    """All agents as data; for people the first of them, unless they ask for all."""
    asked = {"ids": args.ids, "all": args.all}
    if args.json:
        return pages.status(client, asked)
    if not args.all:
        return pages.first(client, asked, max(_PAGE, min(len(args.ids), _MOST)))
    return {**pages.status(client, asked), "budgets": pages.first(client, {}, 0).get("budgets", ())}


def _watch(client: Client, args: SimpleNamespace) -> NoReturn:
    """The terminal is asked for ages once a second, the daemon only after news."""
    from orchctl.client.live_query import LiveQuery

    with closing(LiveQuery(client, lambda client: _asked(client, args))) as watching:
        if console.is_terminal() and not args.json:
            _on_screen(watching, args)
        said = None
        while True:
            if watching.look() and (now := _told_of(watching.answer)) != said:
                _said(watching.answer, args)
                said = now
            watching.wait((), None)


def _on_screen(watching: Any, args: SimpleNamespace) -> NoReturn:
    from orchctl.render.text import is_over
    from orchctl.terminal.screen import Screen

    with Screen(has_keys=False).held() as screen:
        while True:
            watching.look()
            answer = watching.answer
            lines = _picture(answer, args)
            screen.draw(
                [*lines, "no daemon answers; this is the last that was known"] if watching.is_cut_off else lines
            )
            is_moving = not all(map(is_over, answer["agents"]))
            watching.wait(screen.sources(), _SECOND if is_moving else None)
            screen.keys()


def _told_of(answer: dict[str, Any]) -> object:
    """What makes it worth saying again: all but what changes with every look."""
    seen = ("id", "status", "attempt", "reason")
    return answer["limit"], answer.get("counts"), [[one[key] for key in seen] for one in answer["agents"]]


def _said(answer: dict[str, Any], args: SimpleNamespace) -> None:
    if args.json:
        console.say_json(answer)
    else:
        console.result(None, [*_picture(answer, args), ""], as_json=False)
    console.flush()


def _picture(answer: dict[str, Any], args: SimpleNamespace) -> list[str]:
    from orchctl.render.status_tree import Look, picture

    look = Look(
        width=console.width(),
        has_colours=console.has_colours(),
        is_plain=not console.can_show("├─└│…·"),
        is_whole=bool(args.all or args.ids),
    )
    # the daemon's times are wall clock times, so is the one that ages are counted to
    return picture(answer, time.clock_gettime(time.CLOCK_REALTIME), look)
