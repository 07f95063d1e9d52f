"""Exit codes, and the only place that turns exceptions into them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import SimpleNamespace

from orchctl import out
from orchctl.errors import ClientError, NoDaemonError, RefusedError, TimedOutError, UsageError
from orchd.wire import HomeError, WireError

OK = 0
REFUSED = 1  # the daemon said no, or an agent that was waited for did not complete
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


def guarded(run: Callable[[SimpleNamespace], int], args: SimpleNamespace) -> int:
    """What `run(args)` returns, or the code of what it raised, after saying so."""
    as_json = getattr(args, "json", False)
    try:
        return _flushed(_code(run, args, as_json=as_json))
    except BrokenPipeError:
        # whoever read our output has seen enough; the interpreter must not try to flush the rest into nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def _flushed(code: int) -> int:
    sys.stdout.flush()
    return code


def _code(run: Callable[[SimpleNamespace], int], args: SimpleNamespace, *, as_json: bool) -> int:
    try:
        return run(args)
    except ClientError as error:
        out.failure(error.code, error.message, error.details, as_json=as_json)
        return CODES[type(error)]
    except WireError as error:
        out.failure(error.code, error.message, error.details, as_json=as_json)
        return REFUSED
    except HomeError as error:
        out.failure("home", str(error), {}, as_json=as_json)
        return NO_DAEMON
    except BrokenPipeError:
        raise
    except OSError as error:
        out.failure("system", str(error), {"errno": error.errno}, as_json=as_json)
        return REFUSED
