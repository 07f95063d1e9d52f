"""What every benchmark needs: a daemon of its own, the machine's description, medians with their spread, a table."""

from __future__ import annotations

import atexit
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from orchctl.client import Client
from orchd.instance.home import Home

RESULTS = Path(__file__).parent / "results"


class Figure(NamedTuple):
    """One row: the quantity, its unit, every sample of it, and every sample of its ratio to the row's base."""

    name: str
    unit: str
    samples: Sequence[float]
    ratios: Sequence[float] = ()
    goal: str = ""
    note: str = ""


class Daemon:
    """A daemon in a temporary home."""

    def __init__(self, home: Home, process: subprocess.Popen[bytes]) -> None:
        self.home = home
        self.process = process

    def ctl(self, *words: str) -> str:
        """Return the output of one `orchctl` command."""
        return subprocess.run(
            [orchctl(), *words], env=environment(self.home), check=True, capture_output=True, text=True
        ).stdout

    def client(self) -> Client:
        """Return an open connection."""
        return Client(self.home)

    def status(self, key: str) -> int:
        """Return a number from /proc/PID/status."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))

    def cpu_seconds(self) -> float:
        """Return the user and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def orchctl() -> str:
    """Return the client of this environment."""
    return str(Path(sys.executable).parent / "orchctl")


def environment(home: Home) -> dict[str, str]:
    """Return this environment, pointed at `home`, with bytecode allowed: an installed program has it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**env, "ORCHD_HOME": str(home.directory)}


def temporary_home() -> Home:
    """Make a directory that is removed at exit, not before: ext4 makes files slowly after it has deleted many."""
    directory = tempfile.mkdtemp(prefix="orchd-bench-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Home(Path(directory))


def start(home: Home, env: Mapping[str, str] | None = None) -> Daemon:
    """Start a daemon and return when it answers."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchd", "--home", str(home.directory), "--ready-fd", str(writer)],
        env=env or environment(home),
        stderr=subprocess.DEVNULL,
        pass_fds=[writer],
        start_new_session=True,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as ready:
        if ready.readline() != b"ready\n":
            raise SystemExit("the daemon did not start")
    return Daemon(home, process)


@contextmanager
def daemon() -> Iterator[Daemon]:
    """Run a daemon in a home of its own, and end it with its agents."""
    running = start(temporary_home())
    try:
        yield running
    finally:
        running.ctl("daemon", "stop", "--stop-agents")
        running.process.wait()


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that `action` takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def over(samples: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return ratios, round by round."""
    return [sample / base_sample for sample, base_sample in zip(samples, base, strict=True)]


def spread(samples: Sequence[float]) -> str:
    """Return the text `median [least-most]`."""
    return f"{statistics.median(samples):.4g} [{min(samples):.4g}-{max(samples):.4g}]"


def machine() -> dict[str, object]:
    """Return the machine on which the figures were taken."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def report(name: str, figures: Sequence[Figure]) -> None:
    """Print the table and write the samples beside it."""
    print(f"\n## {name}")
    for figure in figures:
        ratio = f"  ratio {spread(figure.ratios)}" if figure.ratios else ""
        goal = f"  (goal {figure.goal})" if figure.goal else ""
        note = f"  {figure.note}" if figure.note else ""
        print(f"{figure.name:46} {spread(figure.samples):>28} {figure.unit}{ratio}{goal}{note}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    body = {"machine": machine(), "figures": [figure._asdict() for figure in figures]}
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n")
