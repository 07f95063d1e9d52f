"""A daemon that kills itself at one named point, for tests: `crashing.py --home DIR ...` as `python -m orchd ...`.

`ORCHD_TEST_POINT` names the point and `ORCHD_TEST_ARMED` a file: the point is passed unharmed until that file exists.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchd import __main__
from orchd.core.state.events import AttemptStarted
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.local import LocalProcesses
from orchd.retention import pruner
from orchd.server.dispatcher import Dispatcher
from orchd.store.database import Store

# Where the daemon can die, in the order in which one turn passes them.
TURN = (
    "before-shim",
    "after-shim",
    "before-begin",
    "after-begin",
    "before-commit",
    "after-commit",
    "before-gate",
    "after-gate",
    "before-reply",
)
PRUNE = ("before-rows", "after-rows", "before-files", "after-files")
STOP = ("before-term", "after-term", "before-kill", "after-kill")


def die_at(owner: type, method: str, when: str, is_meant: Callable[..., bool]) -> None:
    """Let `owner.method` end the daemon before or after it does its work, once the test has armed it."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        fatal = is_meant(*args, **kwargs) and Path(os.environ["ORCHD_TEST_ARMED"]).exists()
        if fatal and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, wrapped)


class Begun:
    """The last commit that was begun."""

    starts_somebody = False


def starts_somebody(store: Store, state: object, at: float, events: Any, *_: object) -> bool:
    """Whether this commit is one of a turn that made a process."""
    Begun.starts_somebody = any(isinstance(event, AttemptStarted) for event in events)
    return Begun.starts_somebody


def started_somebody(store: Store) -> bool:
    """Whether the commit that is on its way is one of a turn that made a process."""
    return store.commits.is_pending and Begun.starts_somebody


def always(*_: object, **__: object) -> bool:
    """Any call is meant."""
    return True


def arm(point: str) -> None:
    """Prepare the daemon's death at `point`."""
    when, _, what = point.partition("-")
    points: dict[str, tuple[type, str, Callable[..., bool]]] = {
        "shim": (LocalProcesses, "start", always),
        "begin": (Store, "begin", starts_somebody),
        "commit": (Store, "finish", started_somebody),
        "gate": (LocalProcesses, "release", always),
        "reply": (Dispatcher, "perform", always),
        "rows": (Store, "take_out", always),
        "files": (LocalProcesses, "discard", always),
        "term": (ProcessTree, "terminate", always),
        "kill": (ProcessTree, "kill", always),
    }
    owner, method, is_meant = points[what]
    if what == "commit":
        die_at(Store, "begin", "never", starts_somebody)
    die_at(owner, method, when, is_meant)


if __name__ == "__main__":
    arm(os.environ["ORCHD_TEST_POINT"])
    pruner.PIECE = 2  # so that a few agents are several pieces
    sys.exit(__main__.main())
