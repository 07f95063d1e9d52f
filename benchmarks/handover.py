"""From the end of a program to the exec of its successor: one slot, a chain of programs that print when they began."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks import pictures
from benchmarks.harness import Figure, over, report
from benchmarks.peers import Orchd, Spooler, cache

COUNT, ROUNDS = 150, 5
CLOCK = ["/bin/bash", "-c", "echo $EPOCHREALTIME"]  # bash alone has a clock that costs no process
BASE = "bare spawn, one after the other"


def step(text: str) -> float:
    """Return the median milliseconds between neighbours."""
    moments = sorted(float(word) for word in text.split())
    steps = sorted(1000 * (after - before) for before, after in pairwise(moments))
    return steps[len(steps) // 2]


def bare() -> float:
    """Start the successor by hand."""
    with tempfile.TemporaryFile("w+") as output:
        for _ in range(COUNT):
            pid = os.posix_spawn(CLOCK[0], CLOCK, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1)])
            os.waitpid(pid, 0)
        output.seek(0)
        return step(output.read())


def chained() -> float:
    """Run the chain through orchd at limit 1."""
    with Orchd() as running:
        running.call("limit", limit=1)
        ids = running.spawn([{"command": CLOCK}] * COUNT)
        running.call("wait", ids=ids)
        return step(" ".join(Path(str(running.call("logs", id=agent_id)["path"])).read_text() for agent_id in ids))


def spooled() -> float:
    """Run the chain through task-spooler at its limit 1; its queue waits behind the first task."""
    with Spooler() as running:
        running.ctl([running.tsp, "-S", "1"])
        running.ctl([running.tsp, "sleep", "0.5"])
        for _ in range(COUNT):
            running.ctl([running.tsp, *CLOCK])
        running.drain()
        return step(" ".join(path.read_text() for path in running.directory.glob("ts-out*")))


def queued(program: str) -> float:
    """Run the chain through nq, each program in a file of its own with the command above it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        env = {**os.environ, "NQDIR": directory}
        for _ in range(COUNT):
            subprocess.run([program, "-q", *CLOCK], env=env, check=True)
        subprocess.run([program, "-w"], env=env, check=True)
        texts = (path.read_text().splitlines() for path in Path(directory).iterdir())
        return step(" ".join(line for lines in texts for line in lines if line.replace(".", "").isdigit()))


def by_make(program: str) -> float:
    """Run the chain through make -j1."""
    names = " ".join(f"t{number}" for number in range(COUNT))
    text = f"SHELL=/bin/bash\n.PHONY: all {names}\nall: {names}\n{names}:\n\t@echo $$EPOCHREALTIME\n"
    words = [program, "-s", "-r", "-j1", "-f", "-", "all"]
    return step(subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout)


def parallel(program: str) -> float:
    """Run the chain through GNU parallel -j1."""
    words = [program, "-j1", "--quote", *CLOCK, ":::", *map(str, range(COUNT))]
    return step(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def programs() -> dict[str, Callable[[], float]]:
    """Return each measured program with its name."""
    probes = {BASE: bare, "orchd, limit 1": chained}
    if Spooler.is_at_hand():
        probes["task-spooler, limit 1"] = spooled
    for name, run in (("nq", queued), ("GNU make", by_make), ("GNU parallel", parallel)):
        if program := cache.find(name):
            probes[f"{name}, one at a time"] = partial(run, str(program.program))
    return probes


def main() -> None:
    """Take the medians of each round, in turn."""
    measures = programs()
    steps: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            steps[name].append(measure())
    base, limited_steps = steps[BASE], steps["orchd, limit 1"]
    added = [value - base_value for value, base_value in zip(limited_steps, base, strict=True)]
    figures = [Figure(name, "ms a step", values, over(values, base)) for name, values in steps.items()]
    report("handover", [*figures, Figure("orchd over the bare spawn", "ms", added, goal="at most 3 ms")])
    pictures.write("handover", pictures.rates("From an end to the next start", figures))


if __name__ == "__main__":
    main()
