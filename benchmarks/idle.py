"""The daemon at rest with 100,000 agents in the history: memory, wake-ups, and the time from its start to an answer."""

from __future__ import annotations

import os
import select
import time

from benchmarks import history
from benchmarks.harness import Figure, Home, environment, report, start, temporary_home, timed
from orchctl.client import Client

COUNT, LIVING, RESTARTS, WATCHED = 100_000, 28, 5, 5.0


def _restarts(home: Home) -> list[float]:
    """Seconds from the daemon's exec to the first answer, with agents that live."""
    samples = []
    for _ in range(RESTARTS):
        begin = time.perf_counter()
        running = start(home)
        with Client(home, starts=False) as client:
            client.call("limit")
            samples.append(time.perf_counter() - begin)
        running.kill()
    return samples


def main() -> None:
    """One home for memory and wake-ups; the same with living agents for the restart."""
    home = temporary_home()
    history.write(home, COUNT)
    running = start(home)
    with running.client() as client:
        client.call("limit", {"limit": LIVING})
        status = timed(lambda: client.call("status", {"usage": False}))
        client.call("status", {"all": True})
    _rest(1.0)  # what the last client left to be cleared away is not the daemon at rest
    switches = running.status("voluntary_ctxt_switches")
    burnt = running.cpu_seconds()
    _rest(WATCHED)
    switches = running.status("voluntary_ctxt_switches") - switches
    burnt = running.cpu_seconds() - burnt
    resident = running.status("VmRSS") / 1024
    with running.client() as client:
        agents = [{"command": ["sleep", "1000"]}] * LIVING
        client.call("spawn", {"agents": agents, "cwd": "/", "env": environment(home)})
    running.kill()
    restarts = _restarts(home)
    running = start(home)
    running.ctl("daemon", "stop", "--stop-agents")
    running.process.wait()
    report(
        "idle",
        [
            Figure(f"memory with {COUNT:,} agents in the history", "MB resident", [resident], goal="at most 45"),
            Figure(f"wake-ups in {WATCHED:g} s", "", [switches], goal="0"),
            Figure(f"CPU in {WATCHED:g} s", "s", [burnt], goal="0"),
            Figure("status, on an open connection", "s", [status]),
            Figure(f"restart to first answer, {LIVING} living", "s", restarts, goal="under 1 s"),
        ],
    )


def _rest(seconds: float) -> None:
    """Leave the daemon alone."""
    reader, writer = os.pipe()
    select.select([reader], [], [], seconds)
    os.close(reader)
    os.close(writer)


if __name__ == "__main__":
    main()
