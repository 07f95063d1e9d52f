# ruff: noqa: T201 - what is found is printed
"""The number of steps until each planted defect is caught: `python -m tests.simulation.planted [STEPS]`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.core.mutants import MUTANTS
from tests.core.planting import Mutant, copy_to, plant
from tests.simulation.defects import DEFECTS

SEED, STEPS = 1, 20_000


def steps_until_caught(mutant: Mutant, most: int = STEPS) -> int | None:
    """None when `most` steps are not enough."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        copy_to(directory)
        plant(mutant, directory)
        command = [sys.executable, "-m", "tests.simulation", "--seed", str(SEED), "--steps", str(most), "--brief"]
        env = {**os.environ, "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=600)
        if process.returncode == 0:
            return None
        match = re.search(r"^after ([\d,]+) steps", process.stdout, re.MULTILINE)
        assert match, process.stdout + process.stderr
        return int(match[1].replace(",", ""))


def main() -> None:
    """One after the other."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    for mutant in (*DEFECTS, *MUTANTS):
        steps = steps_until_caught(mutant, most)
        print(f"{'-' if steps is None else f'{steps:,}':>8}  {mutant.promise}", flush=True)


if __name__ == "__main__":
    main()
