"""How long it takes until one submit is acknowledged: over an open connection, and by a whole client process."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable
from functools import partial

from benchmarks import pictures
from benchmarks.harness import Figure, over, report, timed
from benchmarks.peers import Peer, at_hand, cache
from benchmarks.peers.base import rest

ROUNDS = 5
OPEN, CLIENTS = 40, 10  # submits in a round
SLOW = {"pm2": 3, "GNU parallel, one task": 5}
BASE = "/bin/true itself"
PAUSE = 0.01  # between two submits, so that none meets the work of the one before


def paced(action: Callable[[], object], count: int) -> float:
    """Return the median, in milliseconds."""
    samples = []
    for _ in range(count):
        samples.append(1000 * timed(action))
        rest(PAUSE)
    return statistics.median(samples)


def process(words: list[str], env: dict[str, str]) -> None:
    """Time a client from its start to its end."""
    subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measures_of(running: Peer) -> dict[str, Callable[[], float]]:
    """Return the requests of a peer that it implements, as measures."""
    probes: dict[str, Callable[[], float]] = {}
    count = SLOW.get(running.name, CLIENTS)
    if running.can("submit"):
        probes[f"{running.name}, open connection"] = partial(paced, running.submit, OPEN)
    if running.can("submission"):
        probes[f"{running.name}, client process"] = partial(
            paced, lambda: process(running.submission(), running.env), count
        )
    return probes


def daemonless() -> dict[str, Callable[[], float]]:
    """Return the measures of programs without a daemon."""
    env = dict(os.environ)
    probes: dict[str, Callable[[], float]] = {BASE: partial(paced, lambda: process(["/bin/true"], env), CLIENTS)}
    if program := cache.find("nq"):
        words = [str(program.program), "-q", "/bin/true"]
        queue = {**env, "NQDIR": str(cache.DIRECTORY / "nq" / "queue")}
        probes["nq, client process"] = partial(paced, lambda: process(words, queue), CLIENTS)
    if program := cache.find("GNU parallel"):
        single_command = [str(program.program), "/bin/true", ":::", "1"]
        name = "GNU parallel, one task"
        probes[name] = partial(paced, lambda: process(single_command, env), SLOW[name])
    return probes


def main() -> None:
    """Keep all daemons alive at once, the others idle; take the rounds in turn."""
    running = [peer() for peer in at_hand()]
    try:
        ways = daemonless()
        for peer in running:
            ways |= measures_of(peer.__enter__())
        samples: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, measure in ways.items():
                samples[name].append(measure())
    finally:
        for peer in running:
            peer.__exit__()
    figures = [Figure(name, "ms", values, over(values, samples[BASE])) for name, values in samples.items()]
    report("latency", figures)
    pictures.write("latency", pictures.rates("Milliseconds until one submit is acknowledged", figures))


if __name__ == "__main__":
    main()
