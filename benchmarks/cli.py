"""`orchctl` as a whole process, from an installed wheel, beside a hello-world Typer application."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.harness import Daemon, Figure, environment, report, start, temporary_home, timed

ROUNDS = 20
HELLO = """\
import typer

app = typer.Typer()


@app.command()
def status() -> None:
    print("hello")


if __name__ == "__main__":
    app()
"""


def _installed(directory: Path) -> Path:
    """Make a fresh environment with the project's wheel in it; an editable install would be timed otherwise."""
    source = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-m", "venv", directory / "venv"], check=True)
    python = directory / "venv/bin/python"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([python, "-m", "pip", "install", "-q", source], check=True, env=env, stderr=subprocess.DEVNULL)
    return directory / "venv/bin"


def main() -> None:
    """Time the commands in turn, so that each ratio is of neighbours in time."""
    with tempfile.TemporaryDirectory() as scratch:
        binaries = _installed(Path(scratch))
        hello = Path(scratch) / "hello.py"
        hello.write_text(HELLO)
        running: Daemon = start(temporary_home())
        env = environment(running.home)
        orchctl = str(binaries / "orchctl")
        running.ctl("spawn", "--wait", "--", "true")
        words = {
            "hello-world Typer": [str(binaries / "python"), str(hello)],
            "orchctl status": [orchctl, "status"],
            "orchctl spawn": [orchctl, "spawn", "--", "true"],
            "orchctl wait": [orchctl, "wait", "agent-001"],
            "orchctl --help (through Typer)": [orchctl, "--help"],
        }
        samples: dict[str, list[float]] = {name: [] for name in words}
        for _ in range(ROUNDS):
            for name, command in words.items():
                run = partial(subprocess.run, command, env=env, stdout=subprocess.DEVNULL, check=True)
                samples[name].append(1000 * timed(run))
        running.ctl("daemon", "stop", "--stop-agents")
        running.process.wait()
    base = samples["hello-world Typer"]
    goals = {"orchctl status": "1.1, aims at 0.6", "orchctl spawn": "aims at 0.6", "orchctl wait": "aims at 0.6"}
    report(
        "cli",
        [
            Figure(
                name,
                "ms",
                values,
                [value / base_value for value, base_value in zip(values, base, strict=True)],
                goals.get(name, ""),
            )
            for name, values in samples.items()
        ],
    )


if __name__ == "__main__":
    main()
