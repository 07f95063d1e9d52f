"""Where peers come from: the machine itself, or an environment of their own below one directory, made on first use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).parents[2] / ".venvs" / "peers"
PATIENCE = 240.0  # seconds for one installation


class Source(NamedTuple):
    """How to install a peer, under which name, and which of its programs is wanted."""

    tool: str  # pip, npm, apt, or the machine
    package: str
    program: str


class FoundPeer(NamedTuple):
    """A peer that is installed."""

    program: Path
    version: str


SOURCES = {
    "task-spooler": Source("apt", "task-spooler", "usr/bin/tsp"),
    "nq": Source("apt", "nq", "usr/bin/nq"),
    "GNU parallel": Source("apt", "parallel", "usr/bin/parallel"),
    "GNU make": Source("machine", "", "make"),
    "C compiler": Source("machine", "", "gcc"),
    "supervisor": Source("pip", "supervisor", "bin/supervisord"),
    "circus": Source("pip", "circus", "bin/circusd"),
    "Dask": Source("pip", "distributed", "bin/python"),
    "pm2": Source("npm", "pm2", "node_modules/.bin/pm2"),
}


class LeftOutError(Exception):
    """Why a peer is not installed."""


@cache
def find(name: str) -> FoundPeer | None:
    """Return a peer, installed if need be; print once why it cannot be installed."""
    try:
        return install(SOURCES[name], DIRECTORY / name.replace(" ", "-"))
    except (LeftOutError, OSError, subprocess.SubprocessError) as error:
        print(f"{name}: left out: {error}", flush=True)
        return None


def program(name: str) -> str:
    """Return the path of the program of an installed peer."""
    path = find(name)
    if path is None:
        raise LeftOutError(f"{name} is not there")
    return str(path.program)


def install(source: Source, directory: Path) -> FoundPeer:
    """Make the environment and return the program. An incomplete environment is made anew."""
    if source.tool == "machine":
        return _of_the_machine(source)
    installed_mark, path = directory / "installed-version", directory / source.program
    if not installed_mark.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        version = INSTALLERS[source.tool](source.package, directory)
        if not path.exists():
            raise LeftOutError(f"{source.package} of {source.tool} has no {source.program}")
        installed_mark.write_text(version)
    return FoundPeer(path, installed_mark.read_text())


def _of_the_machine(source: Source) -> FoundPeer:
    path = shutil.which(source.program)
    if path is None:
        raise LeftOutError(f"{source.program} is not installed")
    return FoundPeer(Path(path), (_output([path, "--version"]).splitlines() or ["of this machine"])[0])


def _apt(package: str, directory: Path) -> str:
    """Unpack beside the machine's own programs: that needs no rights, and changes nothing."""
    _output(["apt-get", "download", package], cwd=directory)
    archive = next(directory.glob("*.deb"))
    _output(["dpkg-deb", "--extract", archive.name, "."], cwd=directory)
    return _output(["dpkg-deb", "--field", archive.name, "Version"], cwd=directory)


def _pip(package: str, directory: Path) -> str:
    _output([sys.executable, "-m", "venv", str(directory)])
    python = str(directory / "bin/python")
    _output([python, "-m", "pip", "install", "--quiet", package])
    return _output([python, "-c", f"from importlib.metadata import version; print(version({package!r}))"])


def _npm(package: str, directory: Path) -> str:
    _output(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(directory), f"{package}@latest"])
    return str(json.loads((directory / "node_modules" / package / "package.json").read_text())["version"])


INSTALLERS = {"apt": _apt, "pip": _pip, "npm": _npm}


def _output(words: list[str], cwd: Path | None = None) -> str:
    """Return the output of a program that must succeed, with bytecode allowed: an installed program has it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    result = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if result.returncode:
        raise LeftOutError(
            f"{words[0]} {words[1]}: {(result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]}"
        )
    return result.stdout.strip()
