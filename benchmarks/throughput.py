"""Agents a second: 2,000 x /bin/true, 7 in flight, as one batch and one by one; beside the loops and the peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks import pictures
from benchmarks.harness import Figure, over, report, timed
from benchmarks.peers import DAEMONS, Orchd, Peer, at_hand, loops
from benchmarks.peers.cache import find

COUNT, ROUNDS = 2000, 5
BASE = "bare loop, Python"
BATCH = "orchd, one batch"
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


def programs() -> dict[str, Way]:
    """Return each measured program with its name."""
    factories: dict[str, Way] = {BASE: partial(rate, loops.python, COUNT)}
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
    spooler = [values for name, values in rates.items() if name.startswith("task-spooler")]
    ahead = [
        Figure(f"{BATCH} over task-spooler", "x", over(rates[BATCH], values), goal="more than 1") for values in spooler
    ]
    report("throughput", [*figures, *ahead])
    pictures.write("throughput", pictures.rates("Short agents a second, 7 at once", figures))


if __name__ == "__main__":
    main()
