"""The cost of a long history: the same requests and the same work with 10 to 100,000 agents that have ended."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import history, pictures
from benchmarks.handover import CLOCK, step
from benchmarks.harness import timed
from benchmarks.idle import memory
from benchmarks.peers import Orchd
from orchd.instance.home import Home

HISTORIES, ROUNDS = (10, 100, 1000, 10_000, 100_000), 5
CALLS, CHAIN, SHORT = 40, 30, 200
MEASURED = ("one submit", "status", "status of one agent", f"{SHORT} short agents", "hand-over", "memory")


def typical(action: Callable[[], object]) -> float:
    """Return the median of some calls, in milliseconds."""
    return statistics.median(1000 * timed(action) for _ in range(CALLS))


def measured(running: Orchd, agent_count: int) -> dict[str, float]:
    """Measure a daemon that has just been started; what adds to its history comes last."""
    running.call("limit")
    middle = f"agent-{max(agent_count // 2, 1):03}"
    figures = {
        "status": typical(lambda: running.call("status", usage=False)),
        "status of one agent": typical(lambda: running.call("status", ids=[middle])),
        "memory": memory(running),
        "one submit": typical(running.submit),
    }
    figures[f"{SHORT} short agents"] = 1000 * timed(lambda: running.run(SHORT))
    running.call("limit", limit=1)
    ids = running.spawn([{"command": CLOCK}] * CHAIN)
    running.call("wait", ids=ids)
    logs = [Path(str(running.call("logs", id=agent_id)["path"])).read_text() for agent_id in ids]
    return {**figures, "hand-over": step(" ".join(logs))}


def copied(directory: Path, agent_count: int) -> dict[str, float]:
    """Measure on a copy of the store, so that no round has the rest of the round before it."""
    with Orchd() as running:
        running.end()
        shutil.copy(Home(directory).database, running.home.database)
        running.begin()
        return measured(running, agent_count)


def main() -> None:
    """Write the stores once; take the rounds in turn."""
    samples: dict[str, dict[int, list[float]]] = {
        name: {agent_count: [] for agent_count in HISTORIES} for name in MEASURED
    }
    with tempfile.TemporaryDirectory(prefix="orchd-bench-") as scratch:
        for agent_count in HISTORIES:
            history.write(Home(Path(scratch) / str(agent_count)), agent_count)
        for _ in range(ROUNDS):
            for agent_count in HISTORIES:
                for name, value in copied(Path(scratch) / str(agent_count), agent_count).items():
                    samples[name][agent_count].append(value)
    fewest = HISTORIES[0]
    pictures.report_growth(
        "growth", "What a long history costs: flat is free", "in the history", {"memory": "MiB"}, samples, fewest
    )


if __name__ == "__main__":
    main()
