"""What a long queue costs: submits, memory and the rate of agents while 10 to 100,000 of them are queued."""

from __future__ import annotations

import statistics

from benchmarks import pictures
from benchmarks.harness import timed
from benchmarks.idle import memory
from benchmarks.peers import Orchd
from benchmarks.peers.orchd import TRUE

QUEUES, ROUNDS = (10, 100, 1000, 10_000, 100_000), 5
REQUEST, FIRST, CALLS = 5000, 500, 10  # agents in a request; of which the rate is taken; submits in a sample
UNITS = {"queueing one of them": "ms", "memory": "MiB", "one submit more": "ms", "one agent to its end": "ms"}


def fill(running: Orchd, count: int) -> list[str]:
    """Queue `count` agents and return their ids."""
    return [
        agent_id for at in range(0, count, REQUEST) for agent_id in running.spawn([TRUE] * min(REQUEST, count - at))
    ]


def measured(running: Orchd, count: int) -> dict[str, float]:
    """Fill the queue while nothing starts, time requests, and let the first agents run."""
    running.call("pause")
    ids: list[str] = []
    figures = {"queueing one of them": 1000 * timed(lambda: ids.extend(fill(running, count))) / count}
    figures["memory"] = memory(running)
    figures["one submit more"] = statistics.median(1000 * timed(running.submit) for _ in range(CALLS))
    first_ids = ids[:FIRST]
    running.call("resume")
    figures["one agent to its end"] = 1000 * timed(lambda: running.call("wait", ids=first_ids)) / len(first_ids)
    return figures


def main() -> None:
    """Start a daemon for each sample and kill it with the rest of its queue; take the rounds in turn."""
    samples: dict[str, dict[int, list[float]]] = {name: {count: [] for count in QUEUES} for name in UNITS}
    for _ in range(ROUNDS):
        for count in QUEUES:
            with Orchd() as running:
                for name, value in measured(running, count).items():
                    samples[name][count].append(value)
                running.abandon()
    smallest_queue = QUEUES[1]  # with 10 the last of them, which nothing comes after, is a tenth of it all
    pictures.report_growth("backlog", "What a long queue costs: flat is free", "queued", UNITS, samples, smallest_queue)


if __name__ == "__main__":
    main()
