"""90,000 of 100,000 agents leave the history with their files, while a client sends requests: how long
it takes, how long a reply takes meanwhile, and what the database file does afterwards."""

from __future__ import annotations

import os
import subprocess
import time

from benchmarks import history
from benchmarks.harness import Figure, environment, orchctl, report, start, temporary_home, timed
from orchd.instance.home import Home

COUNT, KEPT, ASKED_BEFORE = 100_000, 10_000, 2_000


def _files(home: Home) -> None:
    """Write the files of attempts: a log with a line in it, and a record."""
    for number in range(1, COUNT + 1):
        for kind, text in (("log", b"some forty characters of output, a line\n"), ("exit", b"0\n")):
            descriptor = os.open(home.agents / f"agent-{number:03d}.1.{kind}", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(descriptor, text)
            os.close(descriptor)


def main() -> None:
    """Use one home; the latencies are of requests one after the other on one connection."""
    home = temporary_home()
    history.write(home, COUNT)
    _files(home)
    running = start(home)
    size = home.database.stat().st_size
    with running.client() as client:
        quiet = [timed(lambda: client.call("limit")) for _ in range(ASKED_BEFORE)]
        begin, burnt = time.perf_counter(), running.cpu_seconds()
        pruning = subprocess.Popen([orchctl(), "prune", "--keep", str(KEPT)], env=environment(home))
        replies = []
        while pruning.poll() is None:
            replies.append(timed(lambda: client.call("limit")))
        took = time.perf_counter() - begin
        burnt = running.cpu_seconds() - burnt
    directories_left = len(list(home.agents.iterdir()))
    running.ctl("daemon", "stop", "--stop-agents")
    running.process.wait()
    pruned = home.database.stat().st_size
    history.write(home, COUNT - KEPT)
    report(
        "pruning",
        [
            Figure(f"{COUNT - KEPT:,} of {COUNT:,} agents pruned, {directories_left:,} files left", "s", [took]),
            Figure("CPU of the daemon meanwhile, with the requests", "s", [burnt]),
            Figure("one request meanwhile", "s", replies),
            Figure("the longest", "s", [max(replies)], goal="at most 0.05 s"),
            Figure("one request before", "s", quiet),
            Figure("the database before", "MB", [size / 1e6]),
            Figure("after", "MB", [pruned / 1e6]),
            Figure(f"with {COUNT - KEPT:,} new agents", "MB", [home.database.stat().st_size / 1e6]),
        ],
    )


if __name__ == "__main__":
    main()
