"""`orchd`: the daemon's entry, and the only place that knows what time it is."""

from __future__ import annotations

import argparse
import contextlib
import errno
import faulthandler
import logging
import os
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path

from orchd.core.state.agents import Instant
from orchd.daemon import log_format
from orchd.daemon.lifecycle import serve, serve_without_room
from orchd.daemon.presence import Lock
from orchd.daemon.sd_notify import Notifier
from orchd.errors import AlreadyRunning, DiskFull, OrchdError
from orchd.instance import service as services
from orchd.instance.home import Home, HomeError, absolute, default_home
from orchd.instance.system import os_errors, utf8
from orchd.protocol.frames import VERSION
from orchd.store import migrations

EXIT_REFUSED = 1
EXIT_TAKEN = 69  # EX_UNAVAILABLE: another daemon serves the home, and starting this one again changes nothing
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def clock() -> Instant:
    """Return now, on a clock that cannot be set back and also counts while the machine sleeps, and on the calendar."""
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


def main() -> int:
    """Serve in the foreground; `orchctl daemon start` starts it in the background. Returns the exit code."""
    utf8.ensure()
    # what the process that started this one had blocked or ignored is not to be kept
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    options = _options()
    faulthandler.enable()  # a watchdog ends a loop that hangs by SIGABRT: then the log shows where it hung
    log_format.configure(sys.stderr, os.environ)
    log = logging.getLogger("orchd")
    notify = Notifier.from_environment(os.environ, os.getpid())
    try:
        home = Home(absolute(options.home) if options.home else default_home())
        return _run(options, home, notify)
    except (OrchdError, HomeError) as error:
        log.critical("%s", error)
        notify.failed(str(error))
        _report(options, f"error: {error}")
        return EXIT_TAKEN if isinstance(error, AlreadyRunning) else EXIT_REFUSED
    except OSError as error:
        log.critical(
            "orchd cannot continue on this machine: %s; fix the cause and start it again; no data is lost", error
        )
        notify.failed(str(error))
        _report(options, f"error: {os_errors.sentence(error)}")
        return EXIT_REFUSED
    finally:
        notify.close()


def _run(options: argparse.Namespace, home: Home, notify: Notifier) -> int:
    """Serve, and replace this process by a daemon that waits for room when the disk is full."""
    lock = Lock(home, options.lock_fd)

    def ready() -> None:
        _report(options, "ready")

    try:
        if not options.without_room:
            serve(home, lock, clock, notify, options.service, ready)
            return 0
        if not serve_without_room(home, lock, clock, notify, ready):
            return 0
    except DiskFull as error:
        logging.getLogger("orchd").critical("%s", error)
        _replace(options, lock, home, notify, without_room=True)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        logging.getLogger("orchd").critical("%s", error)
        _replace(options, lock, home, notify, without_room=True)
    _replace(options, lock, home, notify, without_room=False)
    raise AssertionError


def _replace(options: argparse.Namespace, lock: Lock, home: Home, notify: Notifier, *, without_room: bool) -> None:
    """Replace this process by a new daemon, so that no decision is left that is not on the disk. Raises OSError."""
    words = [sys.executable, *(["-P"] if sys.flags.safe_path else []), "-m", "orchd", "--home", str(home.directory)]
    words += [f"--service={options.service}"] if options.service else []
    words += ["--ready-fd", str(options.ready_fd)] if options.ready_fd is not None else []
    words += ["--without-room"] if without_room else []
    words += [] if (descriptor := lock.hand_over()) is None else ["--lock-fd", str(descriptor)]
    os.execve(sys.executable, words, {**os.environ, **notify.environment})  # noqa: S606 - no shell is wanted


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="orchd", description="Run the orchd daemon in the foreground.")
    parser.add_argument(
        "--home", type=Path, help="home directory of the instance (default: $ORCHD_HOME, or the state directory)"
    )
    parser.add_argument("--ready-fd", type=int, help="write `ready` or `error: ...` to this file descriptor")
    parser.add_argument(
        "--service", type=services.parse, help="systemd unit that runs this process, e.g. user:orchd.service"
    )
    parser.add_argument("--without-room", action="store_true", help=argparse.SUPPRESS)  # the disk is full
    parser.add_argument("--lock-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--version",
        action="version",
        version=f"orchd {version('orchd')} (schema {migrations.newest()}, protocol {VERSION})",
    )
    return parser.parse_args()


def _report(options: argparse.Namespace, line: str) -> None:
    if options.ready_fd is not None:
        with contextlib.suppress(OSError):  # the process that started us has ended
            os.write(options.ready_fd, f"{line}\n".encode())
            os.close(options.ready_fd)
        options.ready_fd = None


if __name__ == "__main__":
    sys.exit(main())
