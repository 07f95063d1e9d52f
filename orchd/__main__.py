"""`orchd`: the daemon's entry, and the only place that knows what time it is."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

from orchd import logs, migrations
from orchd.core.model import Instant
from orchd.daemon import serve
from orchd.errors import OrchdError
from orchd.notify import Notifier
from orchd.wire import VERSION, Home, HomeError, default_home, services

EXIT_REFUSED = 1


def clock() -> Instant:
    """Now, on a clock that also counts while the machine sleeps and that nobody can set back, and on the calendar."""
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


def main() -> int:
    """Serve in the foreground. Who wants it in the background starts it there: `orchctl daemon start`."""
    parser = argparse.ArgumentParser(prog="orchd", description="The daemon through which every agent is started.")
    parser.add_argument(
        "--home", type=Path, help="the instance's directory (default: $ORCHD_HOME, or the state directory)"
    )
    parser.add_argument("--ready-fd", type=int, help="write `ready`, or `error: ...`, to this descriptor")
    parser.add_argument("--service", type=services.parse, help="the service that this is, as user:orchd.service")
    parser.add_argument("--version", action="version", version=_versions())
    options = parser.parse_args()
    faulthandler.enable()  # a watchdog ends a loop that hangs by SIGABRT: then the log says where it hung
    logs.configure(sys.stderr, os.environ)
    log = logging.getLogger("orchd")
    home = Home(options.home.absolute() if options.home else default_home())
    notify = Notifier.from_environment(os.environ, os.getpid())
    try:
        serve(home, clock, notify, options.service, lambda: _tell(options.ready_fd, "ready"))
    except (OrchdError, HomeError) as error:
        log.critical("%s", error)
        _tell(options.ready_fd, f"error: {error}")
        return EXIT_REFUSED
    except OSError as error:
        log.critical("this machine does not let orchd go on: %s; mend that and start it again; nothing is lost", error)
        _tell(options.ready_fd, f"error: {error}")
        return EXIT_REFUSED
    return 0


def _versions() -> str:
    return f"orchd {version('orchd')} (schema {migrations.newest()}, protocol {VERSION})"


def _tell(descriptor: int | None, line: str) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError):  # whoever started us has gone; that does not concern us
            os.write(descriptor, f"{line}\n".encode())
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
