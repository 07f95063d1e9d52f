"""Program between a shim and an agent that no shell can start; run by its path in a Python of its own.

It needs nothing but the standard library, and no package on the module path.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import sys

_SLOT = re.compile(b"_orchd_[0-9]+")
_MARK = re.compile(b"ORCHD_(HOME|AGENT|ATTEMPT)")
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_NOT_RUN, _NOT_FOUND = 126, 127  # the exit codes of a shell


def environment() -> dict[bytes, bytes]:
    """Return the variables of the agent, read from the slots."""
    slots = (value.partition(b"=") for name, value in os.environb.items() if _SLOT.fullmatch(name))
    marks = {name: value for name, value in os.environb.items() if _MARK.fullmatch(name)}
    return {name: value for name, is_set, value in slots if is_set} | marks


def limit(text: str) -> None:
    """Set resource limits, written as `NUMBER:SOFT:HARD` with spaces between them."""
    for item in text.split():
        number, soft, hard = map(int, item.split(":"))
        highest = resource.getrlimit(number)[1]
        if highest != resource.RLIM_INFINITY and not 0 <= hard <= highest:  # no right to raise it, as a rule
            soft, hard = min(soft, highest), highest
        resource.setrlimit(number, (soft, hard))


def main() -> int:
    """Execute the agent; returns only when it cannot be started."""
    program, variables = sys.argv[1], environment()
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        limit(os.environb.get(b"_orchd_limits", b"").decode())
        try:
            os.execve(program, sys.argv[1:], variables)  # noqa: S606 - no shell is wanted
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # a script without a first line, as shells do
            os.execve("/bin/sh", ["/bin/sh", *sys.argv[1:]], variables)  # noqa: S606
    except (OSError, ValueError) as error:
        os.write(2, os.fsencode(f"{program}: {error}\n"))
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN


if __name__ == "__main__":
    sys.exit(main())
