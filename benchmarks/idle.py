"""Daemons at rest: memory and wake-ups, idle and with 100 agents that sleep; orchd with a long history too."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import pictures
from benchmarks.harness import Figure, environment, over, report, start
from benchmarks.peers import Orchd, Peer, at_hand
from benchmarks.peers.base import rest
from orchctl.client import Client

HELD, HISTORY, LIVING, ROUNDS, WATCHED = 100, 100_000, 28, 5, 2.0


def own(running: Peer) -> list[int]:
    """Return the processes of a daemon without the programs that it holds."""
    return [pid for pid in running.processes() if read(pid, "comm").strip() != "sleep"]


def read(pid: int, name: str) -> str:
    """Return a file of /proc; empty when the process has gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def memory(running: Peer) -> float:
    """Return MiB; shared pages count in parts."""
    texts = (read(pid, "smaps_rollup") for pid in own(running))
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) / 1024


def switches(running: Peer) -> int:
    """Return how often any thread has slept and woken."""
    total = 0
    for pid in own(running):
        for task in Path(f"/proc/{pid}/task").glob("*"):
            lines = read(pid, f"task/{task.name}/status").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
    return total


def watched(running: list[Peer]) -> dict[str, tuple[list[float], list[float]]]:
    """Measure MiB and wake-ups a second of each daemon, all in the same stretches of time."""
    samples: dict[str, tuple[list[float], list[float]]] = {peer.name: ([], []) for peer in running}
    rest(1.0)  # what the last client left to be cleared away is not the daemon at rest
    for _ in range(ROUNDS):
        before = [switches(peer) for peer in running]
        rest(WATCHED)
        for peer, count in zip(running, before, strict=True):
            sizes, wakes = samples[peer.name]
            wakes.append((switches(peer) - count) / WATCHED)
            sizes.append(memory(peer))
    return samples


def beside() -> list[Figure]:
    """Measure all daemons at once: idle, and with programs that sleep."""
    running = [peer() for peer in at_hand()]
    try:
        for peer in running:
            peer.__enter__()
        idle = watched(running)
        holding = [peer for peer in running if peer.can("hold")]
        for peer in holding:
            peer.hold(HELD)
        samples = watched(holding)
    finally:
        for peer in running:
            peer.__exit__()
    base = idle["orchd"][0]
    figures = []
    for name, (sizes, wakes) in idle.items():
        figures.append(Figure(f"{name}, idle", "MiB", sizes, over(sizes, base)))
        figures.append(Figure(f"{name}, idle: wake-ups", "a second", wakes, goal="0" if name == "orchd" else ""))
    for name, (sizes, wakes) in samples.items():
        each = [1024 * (size - idle_size) / HELD for size, idle_size in zip(sizes, idle[name][0], strict=True)]
        figures.append(Figure(f"{name}, for each of {HELD} agents", "KiB", each))
        figures.append(Figure(f"{name}, {HELD} agents: wake-ups", "a second", wakes))
    return figures


def long() -> list[Figure]:
    """Measure orchd alone, with a history, and its restarts while agents live."""
    with Orchd() as running:
        running.know(HISTORY)
        running.call("limit", limit=LIVING)
        running.call("status", all=True)
        sizes, wakes = watched([running])["orchd"]
        running.spawn([{"command": ["sleep", "1000"]}] * LIVING)
        restarts = [restart(running) for _ in range(ROUNDS)]
    return [
        Figure(f"orchd, idle with {HISTORY:,} in the history", "MiB", sizes, goal="at most 45"),
        Figure(f"orchd, {HISTORY:,} in the history: wake-ups", "a second", wakes, goal="0"),
        Figure(f"orchd, restart to first answer, {LIVING} living", "s", restarts, goal="under 1 s"),
    ]


def restart(running: Orchd) -> float:
    """Return the seconds from the daemon's exec to its first answer, after `kill -9`."""
    assert running.client
    running.client.close()
    running.daemon.kill()
    begin = time.perf_counter()
    running.daemon = start(running.home, {**environment(running.home), **running.env})
    running.client = Client(running.home, starts=False)
    running.call("limit")
    return time.perf_counter() - begin


def main() -> None:
    """Write the table, and the memory as a picture."""
    figures = [*beside(), *long()]
    report("idle", figures)
    sizes = [figure for figure in figures if figure.unit == "MiB"]
    pictures.write("idle", pictures.rates("Memory at rest, without the agents themselves", sizes))


if __name__ == "__main__":
    main()
