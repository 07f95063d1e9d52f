"""An installation of orchd of its own, that can be made a newer version in its place, as a package manager does.

`installation.py DIRECTORY older|newer`. The newer version is this one with one more step for the database.
It is a program that needs no package, so that it can be run on another machine's files.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__)
VERSIONS = {"older": "0.1.0", "newer": "0.2.0"}
_ONE_MORE = '''

def _events_by_day(db: sqlite3.Connection) -> None:
    """Events are found by their day."""
    db.execute("ALTER TABLE events ADD COLUMN day INTEGER AS (CAST(at / 86400 AS INTEGER)) VIRTUAL")
    db.execute("CREATE INDEX events_by_day ON events (day)")


STEPS = (*STEPS, _events_by_day)
'''
_PROGRAM = """#!{python} -P
import sys
from {name}.__main__ import main
sys.exit(main())
"""


def base() -> str:
    """The commit that upgrades are tested from."""
    return (ROOT / "tests/base_commit.txt").read_text().split()[-1]


def install_base(directory: Path) -> Path | None:
    """Build the wheel of that commit from the history of git and install it; None where there is no such history."""
    if shutil.which("git") is None:
        return None
    process = subprocess.run(["git", "-C", ROOT, "archive", base()], capture_output=True, check=False)
    if process.returncode:
        return None
    programs, packages = _environment(directory)
    sources, wheels = directory / "sources", directory / "wheels"
    with tarfile.open(fileobj=io.BytesIO(process.stdout)) as archive:
        archive.extractall(sources, filter="data")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, sources)
    (wheel,) = wheels.glob("orchd-*.whl")
    _pip("install", "--no-deps", "--no-index", "--target", packages, wheel)
    return programs


def _pip(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True)


def install(directory: Path, which: str) -> Path:
    """Make it that version, whatever it was; returns where its programs are."""
    programs, packages = _environment(directory)
    for name in ("orchd", "orchctl"):
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    _describe(packages, VERSIONS[which])
    if which == "newer":
        with (packages / "orchd/store/migrations.py").open("a") as steps:
            steps.write(_ONE_MORE)
    return programs


def _environment(directory: Path) -> tuple[Path, Path]:
    """A virtual environment without orchd: where its programs are, and its packages."""
    if not directory.exists():
        venv.create(directory, symlinks=True)
        for name in ("orchd", "orchctl"):
            program = directory / "bin" / name
            program.write_text(_PROGRAM.format(python=directory / "bin/python", name=name))
            program.chmod(0o755)
    (packages,) = directory.glob("lib/python3*/site-packages")
    for old in packages.glob("orch*"):
        shutil.rmtree(old)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return directory / "bin", packages


def _describe(packages: Path, version: str) -> None:
    metadata = packages / f"orchd-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: orchd\nVersion: {version}\n")


if __name__ == "__main__":
    install(Path(sys.argv[1]), sys.argv[2])
