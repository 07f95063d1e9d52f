"""Mixed load with faults for as long as wanted: `python -m benchmarks.faults.soak [--minutes N] [--no-plants]`.

In the first quarter the daemon is killed again and again, and then it lives: the last half of the whole is looked at.
Nothing may be lost, run twice or left behind, the limit is counted from outside all the time, and memory, descriptors,
threads and latency must be flat.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.faults.flat import BOUNDS, Trend, trend
from benchmarks.faults.load import LIMIT, Load
from benchmarks.faults.planting import Plant, planted
from benchmarks.faults.plot import Panel, svg
from benchmarks.faults.tally import Tally
from benchmarks.harness import RESULTS, machine

PLANTS = (
    Plant(
        "descriptors of ended agents are not closed",
        "orchd/processes/linux/exit_watch.py",
        "        os.close(descriptor)\n        key, pid = self._watched.pop",
        "        key, pid = self._watched.pop",
    ),
    Plant(
        "16 kB of memory are kept for each agent that has ended",
        "orchd/daemon/engine.py",
        "        forget(self.state, over)\n",
        "        forget(self.state, over)\n"
        "        self.__dict__.setdefault('kept', []).extend(bytearray(1 << 14) for _ in over)\n",
    ),
)
UNITS = {"memory": "MB", "descriptors": "", "threads": "", "latency": "ms, median of 20 requests"}
_SHORT = 2.0  # minutes in which a planted leak shows


def main() -> int:
    """Soak, first with each planted leak; print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--no-plants", action="store_true", help="leave the planted leaks out")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        json.dump(soak(options.minutes), sys.stdout)
        return 0
    plants = [] if options.no_plants else [_caught(plant) for plant in PLANTS]
    summary = soak(options.minutes)
    summary |= {"machine": machine(), "taken": time.strftime("%Y-%m-%d"), "planted": plants}
    _report(summary)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(summary, indent=1) + "\n")
    (RESULTS / "soak.svg").write_text(picture(summary))
    return int(bool(summary["troubles"]) or any(not plant["caught"] for plant in plants))


def soak(minutes: float) -> dict[str, Any]:
    """Run one soak and return its figures."""
    tally = Tally()
    with Load(tally, minutes * 60) as load:
        load.run()
        load.finish()
    half = [(at, values) for at, values in load.samples if at >= load.seconds / 2]
    trends = {name: trend([(at, values[name]) for at, values in half], bound) for name, bound in BOUNDS.items()}
    bent = [name for name, trend in trends.items() if not trend.is_flat]
    return {
        "minutes": minutes,
        "agents": load.agents,
        "faults": dict(load.faults),
        "windows": load.lab.judged_windows,
        "peak": load.peak,
        "tally": tally.as_json(),
        "trends": {name: trend._asdict() for name, trend in trends.items()},
        "troubles": {**tally.troubles, **({"not flat": bent} if bent else {})},
        "marks": load.marks,
        "samples": load.samples,
    }


def _caught(plant: Plant) -> dict[str, Any]:
    """Run a short soak of a copy that leaks."""
    with tempfile.TemporaryDirectory(prefix="orchd-planted-") as name:
        root = planted(plant, Path(name))
        words = [sys.executable, "-m", "benchmarks.faults.soak", "--bare", "--minutes", str(_SHORT)]
        env = {**os.environ, "PYTHONPATH": str(root)}
        result = subprocess.run(words, cwd=root, env=env, stdout=subprocess.PIPE, text=True, check=True)
    troubles = json.loads(result.stdout)["troubles"]
    print(f"planted: {plant.what}: {troubles or 'NOT CAUGHT'}", flush=True)
    return {"bug": plant.what, "caught": bool(troubles), "troubles": troubles}


def _report(summary: dict[str, Any]) -> None:
    """Print the result for a person."""
    tally = summary["tally"]
    print(f"{summary['minutes']:g} minutes, {summary['agents']} agents, faults: {summary['faults']}")
    print(f"witness: {summary['windows']} windows, at most {summary['peak']} at work where {LIMIT} may")
    print("  ".join(f"{name} {tally[name]}" for name in ("lost", "twice", "left", "over", "unreported")))
    for name, values in summary["trends"].items():
        trend = Trend(**values)
        word = "flat" if trend.is_flat else "NOT FLAT"
        grew = f"grew by {trend.growth:+.3g} (bound {trend.bound:.3g})"
        print(f"{name:12} median {trend.median:.4g} {UNITS[name]}, {grew}: {word}")
    for note in tally["notes"]:
        print(f"    {note}")


def picture(summary: dict[str, Any]) -> str:
    """Draw the four values and the load over time."""
    samples = summary["samples"]
    panels = [Panel(f"{name} {UNITS[name]}", [(at, values[name]) for at, values in samples]) for name in BOUNDS]
    panels.append(Panel("at work, as the daemon says", [(at, values["working"]) for at, values in samples], LIMIT))
    title = (
        f"{summary['minutes']:g} minutes of load with faults: {summary['agents']} agents; red: SIGKILL of the daemon"
    )
    return svg(title, panels, summary["marks"], summary["minutes"] * 30)


if __name__ == "__main__":
    sys.exit(main())
