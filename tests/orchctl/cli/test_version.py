"""The text of `orchctl --version`."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from orchctl.cli import version as version_text

ROOT = Path(__file__).parents[3]


def test_the_version_of_a_checkout_contains_its_commit() -> None:
    process = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if process.returncode:
        pytest.skip("this is no git checkout")
    assert version_text.text().startswith(f"orchctl {version('orchd')} (commit {process.stdout.strip()}, protocol ")


def test_a_git_archive_contains_the_commit() -> None:
    process = subprocess.run(["git", "-C", ROOT, "archive", "HEAD", "orchctl/commit.txt"], capture_output=True)
    if process.returncode:
        pytest.skip("this is no git checkout")
    assert re.search(rb"\0[0-9a-f]{7,}\n\0", process.stdout)


def test_the_commit_is_omitted_if_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "orchctl"
    package.mkdir()
    (package / "commit.txt").write_text("$Format:%h$\n")
    monkeypatch.setattr(version_text, "_PACKAGE", package)
    assert re.fullmatch(r"orchctl \S+ \(protocol \d+\)", version_text.text())
    (package / "commit.txt").write_text("abc1234\n")
    assert "(commit abc1234, protocol" in version_text.text()
