"""Exit codes, and the conversion of exceptions into them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace

from orchctl.errors import ClientError, NoDaemonError, RefusedError, TimedOutError, UsageError
from orchctl.spawn import working_directory
from orchctl.terminal import console
from orchd.instance.home import HomeError
from orchd.instance.system import os_errors
from orchd.protocol.errors import WireError

OK = 0
REFUSED = 1  # the daemon refused, or an awaited agent did not complete
USAGE = 2
NO_DAEMON = 69  # EX_UNAVAILABLE of sysexits.h
TIMED_OUT = 75  # EX_TEMPFAIL of sysexits.h
INTERRUPTED = 130
BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended

CODES: dict[type[ClientError], int] = {
    UsageError: USAGE,
    NoDaemonError: NO_DAEMON,
    TimedOutError: TIMED_OUT,
    RefusedError: REFUSED,
}


def run(run: Callable[[SimpleNamespace], int], args: SimpleNamespace) -> int:
    """Return the exit code of `run(args)`, or of its exception, which is reported."""
    as_json = getattr(args, "json", False)
    try:
        try:
            code = run(args)
        except (ClientError, WireError) as error:
            console.failure(error.code, error.message, error.details, as_json=as_json)
            code = next((code for kind, code in CODES.items() if isinstance(error, kind)), REFUSED)
        except HomeError as error:
            console.failure("home", str(error), {}, as_json=as_json)
            code = NO_DAEMON
        console.flush()
    except BrokenPipeError:  # the reader of the output has closed the pipe
        _drop()
        return BROKEN_PIPE
    except OSError as error:
        return _failed(error, as_json=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def open_missing() -> None:
    """Open /dev/null for each standard stream that was closed when the process started."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _failed(error: OSError, *, as_json: bool) -> int:
    """Report a system error, even if stdout is what cannot be written."""
    is_deleted = error.errno == errno.ENOENT and error.filename is None and working_directory.is_deleted()
    code, message = ("no-directory", working_directory.MESSAGE) if is_deleted else ("system", os_errors.sentence(error))
    try:
        console.failure(code, message, {"errno": error.errno}, as_json=as_json)
        console.flush()
    except BrokenPipeError:
        _drop()
        return BROKEN_PIPE
    except OSError:
        if as_json:
            return _failed(error, as_json=False)
        _drop()
    return REFUSED


def _drop() -> None:
    """Drop output that cannot be written: the interpreter would try to flush it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
