"""Try every fault and the bug it must catch: `python -m benchmarks.faults [ROW...] [--seconds N] [--no-plants]`."""

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

from benchmarks.faults.planting import ROOT, planted
from benchmarks.faults.rows import ROWS, Row
from benchmarks.faults.tally import COUNTED
from benchmarks.harness import RESULTS, machine

_HEAD = f"{'fault':52} {'tries':>7} {' '.join(f'{name:>10}' for name in COUNTED)}  planted bug, and what it cost"
_SOON = "12"  # seconds after which a planted bug has kept something from coming


def main() -> int:
    """Run the named rows, or all; return 1 when a count is not 0 or a planted bug is not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[[], *(row.name for row in ROWS)], metavar="ROW")
    parser.add_argument(
        "--seconds", type=float, default=28.0, help="begin no try of a row after this long, and again for its bug"
    )
    parser.add_argument("--no-plants", action="store_true", help="leave the planted bugs out")
    options = parser.parse_args()
    print("  ".join(f"{key} {value}" for key, value in machine().items()))
    print(_HEAD, flush=True)
    results = [_row(row, options) for row in ROWS if not options.rows or row.name in options.rows]
    RESULTS.mkdir(exist_ok=True)
    body = {"machine": machine(), "taken": time.strftime("%Y-%m-%d"), "rows": results}
    (RESULTS / "faults.json").write_text(json.dumps(body, indent=1) + "\n")
    (RESULTS / "faults.md").write_text(markdown(results))
    return int(any(is_bad(result) for result in results))


def is_bad(result: dict[str, Any]) -> bool:
    """Return whether a count is not 0 or a planted bug is not caught."""
    if "left out" in result:
        return False
    is_clean = not any(result["as it is"][name] for name in COUNTED)
    bug = result.get("planted")
    return not is_clean or (bug is not None and not any(bug[name] for name in COUNTED))


def markdown(results: list[dict[str, Any]]) -> str:
    """Return the table as the documents have it."""
    lines = [
        f"| fault | tries | {' | '.join(COUNTED)} | planted bug | caught |",
        f"|---|{'---:|' * (len(COUNTED) + 1)}---|---|",
    ]
    for result in results:
        if "left out" in result:
            lines.append(f"| {result['fault']} | left out: {result['left out']} |{' |' * (len(COUNTED) + 2)}")
            continue
        rows, bug = result["as it is"], result.get("planted")
        cost = ", ".join(f"{name} {bug[name]}" for name in COUNTED if bug[name]) if bug else ""
        caught = "" if bug is None else f"yes: {cost}" if cost else "NO"
        figures = " | ".join(str(rows[name]) for name in ("tries", *COUNTED))
        lines.append(f"| {result['fault']} | {figures} | {result.get('bug', '')} | {caught} |")
    return "\n".join(lines) + "\n"


def _row(row: Row, options: argparse.Namespace) -> dict[str, Any]:
    """Try the row on the product as it is, then with its bug, and print the line."""
    result: dict[str, Any] = {"name": row.name, "fault": row.fault}
    if why_not := row.why_not():
        print(f"{row.fault:52} left out: {why_not}", flush=True)
        return {**result, "left out": why_not}
    began = time.monotonic()
    result["as it is"] = rows = _row_result(ROOT, row, options.seconds)
    result["seconds"] = round(time.monotonic() - began, 1)
    line = f"{row.fault:52} {rows['tries']:7} {' '.join(f'{rows[name]:10}' for name in COUNTED)}"
    print(line, end="", flush=True)
    if not options.no_plants:
        result["bug"] = row.plant.what
        with tempfile.TemporaryDirectory(prefix="orchd-planted-") as directory:
            bug = _row_result(planted(row.plant, Path(directory)), row, options.seconds, "--until-trouble")
        result["planted"] = bug
        cost = ", ".join(f"{name} {bug[name]}" for name in COUNTED if bug[name])
        print(f"  {row.plant.what}: {cost or 'NOT CAUGHT'}", end="")
    print(f"  ({result['seconds']:.0f} s)", flush=True)
    for note in rows["notes"]:
        print(f"    {note}", flush=True)
    return result


def _row_result(root: Path, row: Row, seconds: float, *more: str) -> dict[str, Any]:
    """Run one row on the product at `root` in a process of its own. A process that hangs is counted too."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ORCHD_")}
    env = {**env, "PYTHONPATH": str(root), **({"FAULTS_DEADLINE": _SOON} if more else {})}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    words = [sys.executable, "-m", "benchmarks.faults.one", row.name, str(row.tries), str(seconds), *more]
    process = subprocess.run(words, cwd=root, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"{row.name}: the harness itself failed")
    result: dict[str, Any] = json.loads(process.stdout)
    return result


if __name__ == "__main__":
    sys.exit(main())
