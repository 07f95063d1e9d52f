"""Agents that wait for agents: 7 with 3 below each and 2 below each of these, all of a known length, at limit 7."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import pictures, svg
from benchmarks.harness import Figure, orchctl, report
from benchmarks.peers import Dask, Orchd, Spooler, cache
from benchmarks.peers.base import LIMIT, MARK, kill, marked, rest
from benchmarks.sightings import Watch

FANS, ROUNDS = (7, 3, 2), 5
SECONDS = f"0.3{os.getpid():07d}"  # nobody else sleeps for exactly as long
PAUSE, STUCK = 0.03, 6.0  # between two looks; for so long nothing moves where nothing ever will
AGENTS = FANS[0] * (1 + FANS[1] * (1 + FANS[2]))
BOUND = AGENTS * float(SECONDS) / LIMIT


class Round(NamedTuple):
    """One round: the seconds it took, None when it stood still, and the most agents at work and alive."""

    seconds: float | None
    working: int
    alive: int


Way = Callable[[Path], AbstractContextManager[Callable[[], None]]]


def below(identity: str) -> list[str]:
    """Return the ids of the agents that `identity` waits for."""
    fans = FANS[len(identity)] if len(identity) < len(FANS) else 0
    return [f"{identity}{number}" for number in range(1, fans + 1)]


def agent(script: Path, identity: str) -> dict[str, object]:
    """Return an agent for a request or a line of a batch; it says how many levels it will wait for."""
    command = ["sh", str(script), "orchd", identity, SECONDS]
    return {"name": f"n{identity}", "command": command, "nesting": len(FANS) - len(identity)}


@contextlib.contextmanager
def orchd(script: Path, *, resident: int) -> Iterator[Callable[[], None]]:
    """Each agent spawns its batch and waits for it, with the client that agents have."""
    for identity in [*below(""), *(child for parent in below("") for child in below(parent))]:
        lines = [json.dumps(agent(script, child)) + "\n" for child in below(identity)]
        (script.parent / f"{identity}.jsonl").write_text("".join(lines))
    with Orchd() as running:
        running.env["ORCHCTL"] = orchctl()
        running.call("limit", limit=LIMIT, resident=resident)

        def run() -> None:
            running.call("wait", ids=running.spawn([agent(script, child) for child in below("")]))

        yield run


@contextlib.contextmanager
def alone(script: Path, words: list[str], **variables: str) -> Iterator[Callable[[], None]]:
    """Run a program that needs no daemon."""
    mark = f"nesting-{script.parent.name}"
    env = {**os.environ, **variables, MARK: mark}
    try:
        yield lambda: void(subprocess.run(words, env=env, check=True, stderr=subprocess.DEVNULL))
    finally:
        kill(lambda: marked(f"{MARK}={mark}"))


def void(_: object) -> None:
    """Drop the value."""


def make(program: str, script: Path) -> AbstractContextManager[Callable[[], None]]:
    """Run make with one jobserver for all levels."""
    makefile = script.parent / "Makefile"
    makefile.write_text(f"%:\n\t+@sh {script} make $@ {SECONDS}\n")
    return alone(script, [program, "-s", "-r", f"-j{LIMIT}", "-f", str(makefile), *below("")], MAKEPROG=program)


def parallel(program: str, script: Path) -> AbstractContextManager[Callable[[], None]]:
    """Run GNU parallel in itself, each with a limit of its own."""
    words = [program, f"-j{LIMIT}", "sh", str(script), "parallel", "{}", SECONDS, ":::", *below("")]
    return alone(script, words, PARALLELPROG=program)


@contextlib.contextmanager
def spooler(script: Path) -> Iterator[Callable[[], None]]:
    """Each task gives its children to the same server, and waits."""
    with Spooler() as running:
        running.env["TSP"] = running.tsp

        def run() -> None:
            for child in below(""):
                running.ctl([running.tsp, "sh", str(script), "tsp", child, SECONDS])
            running.drain()

        yield run


@contextlib.contextmanager
def dask(_: Path, *, how: str) -> Iterator[Callable[[], None]]:
    """Run tasks that submit tasks, with their thread given back meanwhile or not."""
    with Dask() as running:
        yield lambda: running.tell("tree", how, SECONDS, *FANS)


def programs() -> dict[str, Way]:
    """Return each measured program with its name."""
    factories: dict[str, Way] = {
        "orchd, resident 28": partial(orchd, resident=4 * LIMIT),
        "orchd, resident 7": partial(orchd, resident=LIMIT),
    }
    if program := cache.find("GNU make"):
        factories["make, one jobserver"] = partial(make, str(program.program))
    if program := cache.find("GNU parallel"):
        factories["GNU parallel in itself"] = partial(parallel, str(program.program))
    if Dask.is_at_hand():
        factories["Dask, worker_client"] = partial(dask, how="secede")
        factories["Dask, get_client"] = partial(dask, how="keep")
    if Spooler.is_at_hand():
        factories["task-spooler"] = spooler
    return factories


def watched_round(factory: Way) -> Round:
    """Watch a round from outside; give up a round that stands still."""
    with tempfile.TemporaryDirectory(prefix="orchd-bench-nest-") as directory:
        script = Path(shutil.copy(Path(__file__).parent / "node.sh", directory))
        with factory(script) as run:
            return watched(run, Watch(str(script), SECONDS))


def watched(run: Callable[[], None], watch: Watch) -> Round:
    """Look again and again while the round runs."""
    ended: list[float] = []

    def body() -> None:
        with contextlib.suppress(Exception, SystemExit):  # it fails when it is given up, and is not counted then
            run()
            ended.append(time.monotonic())

    thread = threading.Thread(target=body, daemon=True)
    begin = time.monotonic()
    thread.start()
    while thread.is_alive() and time.monotonic() < watch.moved_at + STUCK:
        watch.look()
        rest(PAUSE)
    return Round(ended[0] - begin if ended else None, watch.most_working, watch.most_alive)


def figures(name: str, rounds: list[Round]) -> list[Figure]:
    """Return the times of rounds that ended, and the most of each round."""
    times = [round_.seconds / BOUND for round_ in rounds if round_.seconds is not None]
    stuck = len(rounds) - len(times)
    note = f"stood still in {stuck} of {len(rounds)} rounds" if stuck else ""
    return [
        *([Figure(f"{name}: time over the lower bound", "x", times, note=note)] if times else []),
        Figure(f"{name}: most at work", "agents", [round_.working for round_ in rounds], note="" if times else note),
        Figure(f"{name}: most alive", "agents", [round_.alive for round_ in rounds]),
    ]


def row(name: str, rounds: list[Round]) -> svg.Row:
    """Return a row of the picture."""
    times = [round_.seconds / BOUND for round_ in rounds if round_.seconds is not None]
    took = pictures.cell(times, "{:.2f} x") if times else svg.Cell(0, 0, 0, "deadlocks", is_bad=True)
    working_cell = pictures.cell([round_.working for round_ in rounds], "{:g}")
    lived = pictures.cell([round_.alive for round_ in rounds], "{:g}")
    return svg.Row(
        name, [took, working_cell._replace(is_bad=working_cell.most > LIMIT), lived], name.startswith("orchd")
    )


def main() -> None:
    """Take the rounds in turn."""
    measures = programs()
    rounds: dict[str, list[Round]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            rounds[name].append(watched_round(measure))
    report("nesting", [figure for name, measured in rounds.items() for figure in figures(name, measured)])
    median = statistics.median(round_.seconds or 0.0 for round_ in rounds["orchd, resident 28"])
    print(f"the lower bound is {BOUND:.2f} s: {AGENTS} agents of {float(SECONDS):.2f} s; orchd took {median:.2f} s")
    columns = [
        svg.Column("time relative to the lower bound", 1.0),
        svg.Column("most at work", 7),
        svg.Column("most alive"),
    ]
    title = "Agents that wait for agents: 7 x 3 x 2 of them at limit 7"
    rows = [row(name, measured) for name, measured in rounds.items()]
    pictures.write("nesting", svg.bars(title, pictures.taken(), columns, rows))


if __name__ == "__main__":
    main()
