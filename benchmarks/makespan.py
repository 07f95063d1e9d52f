"""How near runs come to the least time there is: random DAGs at limit 7, beside barriers and `make -j7`."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness import Figure, daemon, report, timed
from orchctl.client import Client
from orchd.dag import critical_path, levels

COUNT, LIMIT, SEED = 20, 7, 2026
DEVELOPERS, SECONDS, ROUNDS = 7, 2.0, 5


class Dag(NamedTuple):
    """Nodes with their dependencies, and how long each sleeps."""

    after: Mapping[str, Sequence[str]]
    milliseconds: Mapping[str, int]

    @property
    def bound(self) -> float:
        """Return the seconds below which no schedule at this limit can end."""
        path_seconds = sum(self.milliseconds[node] for node in critical_path(self.after, self.milliseconds))
        return max(path_seconds, sum(self.milliseconds.values()) / LIMIT) / 1000

    def command(self, node: str) -> list[str]:
        """Return the work of a node: a sleep of its duration."""
        return ["sleep", f"{self.milliseconds[node] / 1000:.3f}"]


def drawn(chance: random.Random) -> Dag:
    """Draw 10 to 40 nodes of 20 to 200 ms, each after up to two earlier nodes."""
    nodes = [f"n{number}" for number in range(chance.randint(10, 40))]
    after = {
        node: chance.sample(nodes[:number], min(number, chance.choice([0, 0, 0, 1, 2])))
        for number, node in enumerate(nodes)
    }
    return Dag(after, {node: chance.randint(20, 200) for node in nodes})


def member(dag: Dag, node: str, path: str, after: Sequence[str]) -> dict[str, object]:
    """Return a node as a request has it; `tokens` are what the client knows of its duration."""
    agent = {"command": dag.command(node), "tokens": dag.milliseconds[node]}
    return {"path": path, "agent": agent, "after": list(after)}


def perform(client: Client, groups: list[dict[str, object]], members: list[dict[str, object]]) -> None:
    """Begin a run and wait for its end, which must be a success."""
    request = {"name": "dag", "cwd": "/", "env": dict(os.environ), "groups": groups, "members": members}
    run = client.call("run", request)["run"]["id"]
    if any(agent["status"] != "completed" for agent in client.wait(ids=[run])["agents"]):
        raise SystemExit(f"{run} did not complete")


def ready(client: Client, dag: Dag) -> None:
    """Run the graph as orchd does: each node when its own dependencies have completed."""
    perform(client, [{"path": ""}], [member(dag, node, node, after) for node, after in dag.after.items()])


def barriers(client: Client, dag: Dag) -> None:
    """Run the graph group by group with the same daemon: each level when the level before it has completed."""
    groups: list[dict[str, object]] = [{"path": ""}]
    members = []
    for number, level in enumerate(levels(dag.after)):
        groups.append({"path": f"g{number}", "after": [f"g{number - 1}"] if number else []})
        members += [member(dag, node, f"g{number}/{node}", []) for node in level]
    perform(client, groups, members)


def makefile(dag: Dag, path: Path) -> None:
    """Write the same graph for make."""
    rules = [f"{node}: {' '.join(after)}\n\t@{' '.join(dag.command(node))}\n" for node, after in dag.after.items()]
    path.write_text(f".PHONY: all {' '.join(dag.after)}\nall: {' '.join(dag.after)}\n{''.join(rules)}")


def make(program: str, path: Path) -> None:
    """Run the graph with make, which starts targets in the order of the file."""
    subprocess.run([program, "-s", "-r", f"-j{LIMIT}", "-f", str(path), "all"], check=True)


def compare(client: Client, count: int) -> list[Figure]:
    """Run each graph with all performers in turn, so that none is always the first."""
    program, chance = shutil.which("make"), random.Random(SEED)
    took: dict[str, list[float]] = {"barriers": [], "orchd": [], "make -j7": []}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "Makefile"
        for number in range(count):
            dag = drawn(chance)
            makefile(dag, path)
            performers: list[tuple[str, Callable[[], None]]] = [
                ("orchd", lambda dag=dag: ready(client, dag)),  # type: ignore[misc]
                ("barriers", lambda dag=dag: barriers(client, dag)),  # type: ignore[misc]
            ]
            if program:
                performers.append(("make -j7", lambda: make(program, path)))
            for name, perform in performers[number % len(performers) :] + performers[: number % len(performers)]:
                took[name].append(timed(perform) / dag.bound)
    if not program:
        print("make is not installed: left out")
    return figures(took)


def figures(took: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Return times over the lower bound, and each over the time with barriers, graph by graph."""
    base = took["barriers"]
    for name, samples in took.items():
        if len(samples) > 1:
            print(f"{name}: nine of ten graphs within {statistics.quantiles(samples, n=10)[-1]:.3f} x the bound")
    return [
        Figure(
            f"{name}, over the lower bound",
            "x",
            samples,
            [sample / base_sample for sample, base_sample in zip(samples, base, strict=True)],
            "1.15" if name == "orchd" else "",
        )
        for name, samples in took.items()
        if samples
    ]


def developers(client: Client) -> Figure:
    """Run seven nodes that each work as long as one."""

    def team(size: int) -> float:
        dag = Dag(
            {f"n{number}": [] for number in range(size)},
            {f"n{number}": round(SECONDS * 1000) for number in range(size)},
        )
        return timed(lambda: ready(client, dag))

    pairs = [(team(1), team(DEVELOPERS)) for _ in range(ROUNDS)]
    ratios = [seven / single for single, seven in pairs]
    return Figure("7 equal developers, over one", "s", [seven for _, seven in pairs], ratios, "ratio 1.05")


def main(count: int = COUNT) -> None:
    """Start one daemon for all graphs; the samples are the graphs."""
    with daemon() as running, running.client() as client:
        client.call("limit", {"limit": LIMIT})
        report("makespan", [*compare(client, count), developers(client)])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
