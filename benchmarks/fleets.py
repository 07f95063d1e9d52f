"""Large fleets: `status` of a long queue, latency while hundreds start, a batch with an environment per agent."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from threading import Thread

from benchmarks.harness import Figure, orchctl, over, report, timed
from benchmarks.peers import Orchd
from benchmarks.peers.base import rest
from benchmarks.peers.orchd import TRUE
from orchctl.client import Client

QUEUED, STARTED, ENVIRONMENTS, ROUNDS = (1000, 4000, 10_000), (500, 1000, 2000), 1000, 3
SLEEP: dict[str, object] = {"command": ["sleep", "3600"]}
PAUSE = 0.005  # seconds between two requests of the other client
Samples = dict[str, list[float]]


def note(samples: Samples, name: str, value: float) -> None:
    """Add one sample."""
    samples.setdefault(name, []).append(value)


def status(samples: Samples, count: int) -> None:
    """Time `orchctl status` as a whole process, for people and as data."""
    with Orchd() as running:
        running.call("pause")
        running.spawn([TRUE] * count)
        for words in (("status",), ("status", "--all"), ("status", "--json")):

            def ask(words: tuple[str, ...] = words) -> object:
                return subprocess.run([orchctl(), *words], env=running.env, check=True, capture_output=True)

            name = f"orchctl {' '.join(words)}, {count:,} queued"
            note(samples, name, 1000 * statistics.median(timed(ask) for _ in range(3)))
        running.abandon()


def starting(samples: Samples, count: int) -> None:
    """Time the answers to another client while `count` agents start at once, and while they are cancelled."""
    with Orchd() as running, Client(running.home, starts=False) as client:
        running.call("limit", limit=count, resident=count)
        ids: list[str] = []

        def living() -> int:
            count: int = client.call("limit", patience=300.0)["living"]
            return count

        def meanwhile(action: Callable[[], object], target: int) -> list[float]:
            thread, times = Thread(target=action), list[float]()
            thread.start()
            is_over = False
            while not is_over:
                began = time.perf_counter()
                is_over = living() == target
                times.append(1000 * (time.perf_counter() - began))
                rest(PAUSE)
            thread.join()
            return sorted(times)

        began = time.perf_counter()
        answers = meanwhile(lambda: ids.extend(running.spawn([SLEEP] * count)), count)
        note(samples, f"{count:,} start: all of them", time.perf_counter() - began)
        note_quantiles(samples, f"{count:,} start", answers)
        note_quantiles(samples, f"{count:,} are cancelled", meanwhile(lambda: running.call("cancel", ids=ids), 0))


def note_quantiles(samples: Samples, what: str, answers: list[float]) -> None:
    """Add quantiles of the answer times of the other client."""
    for name, share in (("p50", 0.5), ("p99", 0.99), ("longest", 1.0)):
        note(samples, f"{what}: an answer, {name}", answers[min(int(share * len(answers)), len(answers) - 1)])


def environments(samples: Samples) -> None:
    """Time a batch whose agents share one environment, and a batch with a variable per agent."""
    with Orchd() as running:
        running.call("pause")
        name = f"a batch of {ENVIRONMENTS:,} is accepted"
        note(samples, f"{name}, one environment", 1000 * timed(lambda: running.spawn([TRUE] * ENVIRONMENTS)))
        agents = [{**TRUE, "env": {"N": str(number)}} for number in range(ENVIRONMENTS)]
        note(samples, f"{name}, one each", 1000 * timed(lambda: running.spawn(agents)))
        running.abandon()


def main() -> None:
    """Start a daemon for each sample; take the rounds in turn."""
    samples: Samples = {}
    for _ in range(ROUNDS):
        for count in QUEUED:
            status(samples, count)
        for count in STARTED:
            starting(samples, count)
        environments(samples)
    single = samples[f"a batch of {ENVIRONMENTS:,} is accepted, one environment"]
    report("fleets", [_figure(name, values, single) for name, values in samples.items()])


def _figure(name: str, values: list[float], single: list[float]) -> Figure:
    goal = "under 300" if name.startswith("orchctl status,") else "at most 50" if name.endswith("p99") else ""
    ratios = over(values, single) if name.startswith("a batch") else ()
    return Figure(name, "s" if name.endswith("all of them") else "ms", values, ratios, goal)


if __name__ == "__main__":
    main()
