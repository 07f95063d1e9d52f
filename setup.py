"""The steps of the build that pyproject.toml cannot express; everything else stands there.

A wheel or an sdist that is built from a git checkout contains the commit, which `orchctl --version` prints. The
checkout is not changed. `git archive` writes the commit itself; without git it is unknown.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
PACKAGES = ("orchd", "orchctl")
COMMIT = "orchctl/commit.txt"


def commit() -> str:
    """Return the commit of this checkout; "" where it is none, or git is missing or refuses it."""
    if not (ROOT / ".git").exists():  # a directory inside the checkout of something else
        return ""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook sets GIT_DIR
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        process = subprocess.run(command, env=env, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip()


def record(tree: Path) -> None:
    """Write the commit into a tree that is built, if it is known and not recorded yet."""
    file = tree / COMMIT
    if file.read_text().startswith("$") and (known := commit()):
        file.unlink()  # it may be a hard link to the file of the checkout
        file.write_text(f"{known}\n")


class BuildPackages(build_py):
    """Copies the packages into an empty directory: modules of an earlier build may have been deleted since."""

    def run(self) -> None:
        """Build, with the commit."""
        if self.editable_mode:  # the packages of the checkout are used in their place
            super().run()
            return
        for package in PACKAGES:
            if (earlier := Path(self.build_lib, package)).exists():
                shutil.rmtree(earlier)
        super().run()
        record(Path(self.build_lib))


class SourceArchive(sdist):
    """Has the commit too: a wheel that is built from it is no checkout."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Make the tree, with the commit."""
        super().make_release_tree(base_dir, files)
        record(Path(base_dir))


setup(cmdclass={"build_py": BuildPackages, "sdist": SourceArchive})
