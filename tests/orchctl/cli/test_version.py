"""The text of `orchctl --version`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from orchctl.cli import version as version_text
from tests.orchctl import repos

ROOT = Path(__file__).parents[3]
SOURCES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    ".gitignore",
    ".gitattributes",
    "docs",
    "orchd",
    "orchctl",
)
UNKNOWN = "$Format:%h$\n"


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
    (package / "commit.txt").write_text(UNKNOWN)
    monkeypatch.setattr(version_text, "_PACKAGE", package)
    assert re.fullmatch(r"orchctl \S+ \(protocol \d+\)", version_text.text())
    (package / "commit.txt").write_text("abc1234\n")
    assert "(commit abc1234, protocol" in version_text.text()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the files that a build needs."""
    directory = tmp_path / "sources"
    directory.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, directory / name)
    (directory / "orchctl/commit.txt").write_text(UNKNOWN)
    return directory


def checkout(sources: Path) -> str:
    """Make the sources a git checkout. Returns the commit."""
    repos.git(sources, "init", "--quiet")
    repos.git(sources, "add", ".")
    repos.git(sources, "commit", "--quiet", "--message", "all")
    return repos.git(sources, "rev-parse", "--short", "HEAD")


def built(sources: Path, what: str = "wheel", **env: str) -> Path:
    """Build as pip and uv do, without a warning. Returns the wheel or the sdist."""
    program = f"import sys; from setuptools import build_meta; build_meta.build_{what}(sys.argv[1])"
    output = sources.parent / what
    process = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", program, output],
        cwd=sources,
        env={name: value for name, value in {**os.environ, **env}.items() if name != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert not re.search("warning|deprecat", process.stdout + process.stderr, re.IGNORECASE)
    (file,) = output.iterdir()
    return file


def commit_in(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read("orchctl/commit.txt").decode()


@pytest.mark.slow
def test_a_wheel_of_a_checkout_contains_the_commit_and_no_module_of_an_earlier_build(sources: Path) -> None:
    commit = checkout(sources)
    for name in ("orchd/deleted.py", "orchctl/deleted/__init__.py", "orchctl/commit.txt"):
        earlier = sources / "build/lib" / name
        earlier.parent.mkdir(parents=True, exist_ok=True)
        earlier.write_text("earlier\n")
    wheel = built(sources, GIT_DIR=str(sources.parent / "other"))  # as a hook of another repository sets it
    assert commit_in(wheel) == f"{commit}\n"
    names = zipfile.ZipFile(wheel).namelist()
    assert "orchctl/schemas/composition-example.json" in names
    assert [name for name in names if "deleted" in name] == []
    assert repos.git(sources, "status", "--porcelain") == ""


@pytest.mark.slow
def test_an_sdist_of_a_checkout_contains_the_commit(sources: Path) -> None:
    commit = checkout(sources)
    with tarfile.open(built(sources, "sdist")) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("orchctl/commit.txt")]
        file = archive.extractfile(name)
        assert file is not None
        assert file.read().decode() == f"{commit}\n"
    assert repos.git(sources, "status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize("recorded", [UNKNOWN, "abc1234\n"])
def test_a_wheel_without_git_keeps_what_git_archive_wrote(sources: Path, recorded: str) -> None:
    checkout(sources)
    (sources / "orchctl/commit.txt").write_text(recorded)
    assert commit_in(built(sources, PATH="")) == recorded


@pytest.mark.slow
def test_a_wheel_of_an_archive_inside_another_checkout_names_no_commit_of_it(sources: Path) -> None:
    repos.repository(sources.parent / "other")
    inner = sources.rename(sources.parent / "other/sources")
    assert commit_in(built(inner)) == UNKNOWN
