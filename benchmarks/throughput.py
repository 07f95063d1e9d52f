"""Agents a second: 2,000 x /bin/true, 7 in flight, one batch; beside the bare loop and task-spooler."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from benchmarks.harness import Daemon, Figure, daemon, report, timed

COUNT, LIMIT, ROUNDS = 2000, 7, 5


def bare() -> None:
    """The least that can be done: posix_spawn and waitid."""
    started = ended = 0
    while ended < COUNT:
        while started < COUNT and started - ended < LIMIT:
            os.posix_spawn("/bin/true", ["true"], os.environ)
            started += 1
        os.waitid(os.P_ALL, 0, os.WEXITED)
        ended += 1


def batch(running: Daemon) -> None:
    """One request with all of them, and one that waits for all."""
    with running.client() as client:
        agents = [{"command": ["/bin/true"]}] * COUNT
        made = client.call("spawn", {"agents": agents, "cwd": "/", "env": dict(os.environ)})
        client.call("wait", {"ids": [agent["id"] for agent in made["agents"]]})


def spooler(tsp: str) -> None:
    """task-spooler: one client a task, its output kept as ours is."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        env = {**os.environ, "TS_SOCKET": f"{directory}/socket", "TS_MAXFINISHED": str(COUNT), "TMPDIR": directory}
        subprocess.run([tsp, "-S", str(LIMIT)], env=env, check=True)
        try:
            for _ in range(COUNT):
                subprocess.run([tsp, "/bin/true"], env=env, check=True, stdout=subprocess.DEVNULL)
            subprocess.run([tsp, "-w"], env=env, check=False)
        finally:
            subprocess.run([tsp, "-K"], env=env, check=True)


def main() -> None:
    """Rounds in turn, so that each ratio is of neighbours in time."""
    tsp = shutil.which("tsp") or shutil.which("ts")
    rates: dict[str, list[float]] = {"bare loop": [], "orchd, one batch": [], "task-spooler, one client a task": []}
    for _ in range(ROUNDS):
        rates["bare loop"].append(COUNT / timed(bare))
        with daemon() as running:
            rates["orchd, one batch"].append(COUNT / timed(lambda: batch(running)))
        if tsp:
            rates["task-spooler, one client a task"].append(COUNT / timed(lambda: spooler(tsp)))
    base = rates["bare loop"]
    figures = [
        Figure(name, "agents/s", samples, [mine / theirs for mine, theirs in zip(samples, base, strict=True)])
        for name, samples in rates.items()
        if samples
    ]
    report("throughput", figures)
    if not tsp:
        print("task-spooler is not installed: left out")


if __name__ == "__main__":
    main()
