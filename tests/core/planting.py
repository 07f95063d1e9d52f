"""Planting a defect in a copy of the package, and looking whether a test notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
COPIED = ("orchd", "orchctl", "tests")


class Mutant(NamedTuple):
    """One defect: `old`, which occurs once in `file`, becomes `new`, and `test` fails."""

    promise: str
    file: str
    old: str
    new: str
    test: str


def core(module: str, function: str) -> str:
    """A test of one module."""
    folder, _, name = module.rpartition("/")
    return f"tests/core/{folder and f'{folder}/'}test_{name}.py::test_{function}"


def story(name: str) -> str:
    """A transcript."""
    return f"tests/transcripts/test_transcripts.py::test_a_transcript_matches_the_replies_of_the_core[{name}]"


def copy_to(directory: Path) -> None:
    """The packages and their tests, as they are."""
    for name in COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(ROOT / "pyproject.toml", directory)


def plant(mutant: Mutant, directory: Path) -> None:
    """Break the copy."""
    path = directory / "orchd" / "core" / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} has changed: {mutant.old!r}"
    path.write_text(text.replace(mutant.old, mutant.new))


def run(directory: Path, tests: Iterable[str]) -> int:
    """pytest's exit code for `tests` against the copy: 0 when all pass, 1 when one fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1", "ORCHD_PROFILE": "default"}
    process = subprocess.run(command, cwd=directory, env=env, capture_output=True, check=False, timeout=1800)
    return process.returncode


def is_killed(mutant: Mutant) -> bool:
    """Whether its test fails."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        copy_to(directory)
        plant(mutant, directory)
        return run(directory, [mutant.test]) == 1
