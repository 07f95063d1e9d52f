"""An installation of orchd of its own, that can be made a newer version in its place, as a package manager does.

`installation.py DIRECTORY older|newer`. The newer version is this one with one more step for the database.
It is a program that needs no package, so that it can be run on another machine's files.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__)
VERSIONS = {"older": "0.1.0", "newer": "0.2.0"}
_ONE_MORE = '''

def _facts_by_day(db: sqlite3.Connection) -> None:
    """Facts are found by their day."""
    db.execute("ALTER TABLE facts ADD COLUMN day INTEGER AS (CAST(at / 86400 AS INTEGER)) VIRTUAL")
    db.execute("CREATE INDEX facts_by_day ON facts (day)")


STEPS = (*STEPS, _facts_by_day)
'''
_PROGRAM = """#!{python} -P
import sys
from {name}.__main__ import main
sys.exit(main())
"""


def install(directory: Path, which: str) -> Path:
    """Make it that version, whatever it was; returns where its programs are."""
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
    for name in ("orchd", "orchctl"):
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    told = packages / f"orchd-{VERSIONS[which]}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: orchd\nVersion: {VERSIONS[which]}\n")
    if which == "newer":
        with (packages / "orchd/migrations.py").open("a") as steps:
            steps.write(_ONE_MORE)
    return directory / "bin"


if __name__ == "__main__":
    install(Path(sys.argv[1]), sys.argv[2])
