"""`orchctl status`: the picture of all agents, or of some. It never starts a daemon."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from orchctl import census, exits, out
from orchctl.client import Client


def run(args: SimpleNamespace) -> int:
    """Print the tree, or one JSON object: `{daemon, limit, levels, agents}`."""
    with Client(starts=False) as client:
        answer = census.status(client, {"ids": args.ids, "all": args.all})
    if args.json:
        out.say_json(answer)
        return exits.OK
    _show(answer, is_whole=bool(args.all or args.ids))
    return exits.OK


def _show(answer: dict[str, Any], *, is_whole: bool) -> None:
    from orchctl.tree import Look, picture

    look = Look(
        width=out.width(),
        has_colours=out.has_colours(),
        is_plain=not out.can_show("├─└│…·"),
        is_whole=is_whole,
    )
    # the daemon's times are wall clock times, so is the one that ages are counted to
    for line in picture(answer, time.clock_gettime(time.CLOCK_REALTIME), look):
        out.say(line)
