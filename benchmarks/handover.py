"""From the end of an agent to the exec of its successor: one place, a chain of programs that print when they began."""

from __future__ import annotations

import os
import tempfile
from itertools import pairwise
from pathlib import Path

from benchmarks.harness import Figure, daemon, report

COUNT, ROUNDS = 150, 5
CLOCK = ["/bin/bash", "-c", "echo $EPOCHREALTIME"]  # bash alone has a clock that costs no process


def steps(moments: list[float]) -> list[float]:
    """Milliseconds between neighbours."""
    moments.sort()
    return [1000 * (after - before) for before, after in pairwise(moments)]


def bare() -> list[float]:
    """One after the other, by hand."""
    with tempfile.TemporaryFile("w+") as output:
        for _ in range(COUNT):
            pid = os.posix_spawn(CLOCK[0], CLOCK, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1)])
            os.waitpid(pid, 0)
        output.seek(0)
        return steps([float(line) for line in output])


def chained() -> list[float]:
    """The same through orchd at limit 1."""
    with daemon() as running, running.client() as client:
        running.ctl("limit", "1")
        made = client.call("spawn", {"agents": [{"command": CLOCK}] * COUNT, "cwd": "/", "env": dict(os.environ)})
        ids = [agent["id"] for agent in made["agents"]]
        client.call("wait", {"ids": ids})
        logs = (client.call("logs", {"id": one})["path"] for one in ids)
        return steps([float(Path(path).read_text()) for path in logs])


def main() -> None:
    """Medians of each round, in turn."""
    base, ours, over = [], [], []
    for _ in range(ROUNDS):
        least, mine = sorted(bare()), sorted(chained())
        base.append(least[len(least) // 2])
        ours.append(mine[len(mine) // 2])
        over.append(ours[-1] - base[-1])
    report(
        "handover",
        [
            Figure("bare spawn, one after the other", "ms a step", base),
            Figure(
                "orchd, limit 1", "ms a step", ours, [mine / theirs for mine, theirs in zip(ours, base, strict=True)]
            ),
            Figure("orchd over the bare spawn", "ms", over, goal="at most 3 ms"),
        ],
    )


if __name__ == "__main__":
    main()
