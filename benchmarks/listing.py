"""`status` and its like, as whole client processes, with ever more tasks known to the daemon."""

from __future__ import annotations

import contextlib
import statistics
import subprocess

from benchmarks import pictures
from benchmarks.harness import Figure, over, report, timed
from benchmarks.peers import Peer, at_hand

ROUNDS, EACH = 5, 5
SLOW = {"supervisor": 2, "circus": 2, "pm2": 2}


def listed(running: Peer) -> float:
    """Return the median milliseconds of a listing."""
    words, count = running.listing(), SLOW.get(running.name, EACH)

    def once() -> None:
        subprocess.run(words, env=running.env, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return statistics.median(1000 * timed(once) for _ in range(count))


def main() -> None:
    """Keep all daemons alive at once and time each in turn, so that each ratio is of neighbours in time."""
    samples_by_history: dict[tuple[str, int], list[float]] = {}
    with contextlib.ExitStack() as stack:
        running: dict[tuple[str, int], Peer] = {}
        for kind in [peer for peer in at_hand() if peer.lists]:
            for count in kind.lists:
                peer = running[kind.name, count] = stack.enter_context(kind())
                peer.know(count)
        for _ in range(ROUNDS):
            for key, peer in running.items():
                samples_by_history.setdefault(key, []).append(listed(peer))
    figures = [
        Figure(f"{name}, {count:,} known", "ms", samples, over(samples, samples_by_history[name, 0]))
        for (name, count), samples in samples_by_history.items()
    ]
    report("listing", figures)
    medians: dict[str, dict[int, list[float]]] = {}
    for (name, count), samples in samples_by_history.items():
        medians.setdefault(name, {})[max(count, 1)] = samples
    axes = "tasks known to the daemon (1: none)", "ms, the whole client process"
    pictures.write("listing", pictures.growth("Listing agents as the history grows", axes, medians))


if __name__ == "__main__":
    main()
