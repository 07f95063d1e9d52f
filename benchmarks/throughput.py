"""Agents a second: /bin/true, 7 in flight; beside the loops and the peers.

First 1,000 agents that differ as those of a real batch do, each with a variable and a directory of its own; then 2,000
that are alike, as one batch and one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks import pictures
from benchmarks.harness import Figure, over, report, timed
from benchmarks.peers import DAEMONS, Orchd, Peer, at_hand, loops
from benchmarks.peers.cache import find

COUNT, ROUNDS = 2000, 5
DIFFERENT = 1000
BASE = "bare loop, Python"
BATCH = "orchd, one batch"
UNLIKE = f"each with a variable and a directory of its own ({DIFFERENT})"
FEWER = {"GNU parallel": 500, "nq": 200}  # they are slow
BY_CLIENTS = 40

Way = Callable[[], float]  # a round of it, in agents a second


def rate(run: Callable[[int], object], count: int) -> float:
    """Return agents a second."""
    return count / timed(lambda: run(count))


def of_peer(peer: type[Peer], verb: str, count: int) -> float:
    """Measure a round with a daemon of its own; neither its start nor its end is timed."""
    with peer() as running:
        return rate(getattr(running, verb), count)


def of_different(peer: type[Peer]) -> float:
    """Measure a round of agents that differ, with a daemon of its own; their directories are made before."""
    with peer() as running:
        directories = running.prepare(DIFFERENT)
        return DIFFERENT / timed(lambda: running.run_different(directories))


def programs() -> dict[str, Way]:
    """Return each measured program with its name."""
    different = [peer for peer in at_hand(DAEMONS) if peer.can("run_different")]
    factories: dict[str, Way] = {f"{peer.name}, {UNLIKE}": partial(of_different, peer) for peer in different}
    factories[BASE] = partial(rate, loops.python, COUNT)
    if loops.compiled():
        factories["bare loop, C"] = partial(rate, loops.c, COUNT)
    factories[BATCH] = partial(of_peer, Orchd, "run", COUNT)
    factories["orchd, a request each"] = partial(of_peer, Orchd, "run_one_by_one", COUNT)
    factories[f"orchd, an `orchctl` each ({BY_CLIENTS})"] = partial(of_peer, Orchd, "run_by_clients", BY_CLIENTS)
    factories["asyncio with a semaphore"] = partial(rate, loops.semaphore, COUNT)
    for name, run in (("GNU make", loops.make), ("GNU parallel", loops.parallel), ("nq", loops.nq)):
        count = FEWER.get(name, COUNT)
        if program := find(name):
            factories[f"{name}{f' ({count})' * (count < COUNT)}"] = partial(
                rate, partial(run, str(program.program)), count
            )
    for peer in at_hand(DAEMONS[1:]):
        label = f"{peer.name}, {peer.note}{f' ({peer.many})' * (peer.many < COUNT)}"
        factories[label] = partial(of_peer, peer, "run", peer.many)
    return factories


def main() -> None:
    """Take the rounds in turn, so that each ratio is of neighbours in time."""
    measures = programs()
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            rates[name].append(measure())
    figures = [Figure(name, "agents/s", values, over(values, rates[BASE])) for name, values in rates.items()]
    ahead = [
        Figure(f"orchd over task-spooler, {what}", "x", over(rates[ours], rates[theirs]), goal="more than 1")
        for what, ours in (("each different", f"orchd, {UNLIKE}"), ("all alike", BATCH))
        for theirs in rates
        if theirs.startswith("task-spooler") and (UNLIKE in theirs) == (UNLIKE in ours)
    ]
    report("throughput", [*figures, *ahead])
    pictures.write("throughput", pictures.rates("Short agents a second, 7 at once", figures))


if __name__ == "__main__":
    main()
