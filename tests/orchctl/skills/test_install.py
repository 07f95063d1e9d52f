"""Skills installed where an LLM looks for them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchctl.skills.install import CHANGED, CURRENT, MANIFEST, REPLACED, WRITTEN, install


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    """The shipped skill."""
    folder = tmp_path / "shipped"
    (folder / "scripts/__pycache__").mkdir(parents=True)
    (folder / "SKILL.md").write_text("version 1")
    (folder / "scripts/run.py").write_text("#!/usr/bin/env python3\n")
    (folder / "scripts/__pycache__/run.pyc").write_text("no part of it")
    return folder


def installed(skill: Path, folder: Path, *, is_forced: bool = False) -> dict[str, str]:
    """Return what install did with each file."""
    return {str(change.path.relative_to(folder)): change.done for change in install(skill, folder, is_forced=is_forced)}


def test_a_skill_is_written_once_and_then_reported_as_current(skill: Path, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    assert installed(skill, directory) == {"SKILL.md": WRITTEN, "scripts/run.py": WRITTEN}
    assert os.access(directory / "scripts/run.py", os.X_OK)
    assert sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()) == [
        MANIFEST,
        "SKILL.md",
        "scripts/run.py",
    ]
    before = (directory / MANIFEST).stat().st_mtime_ns
    assert set(installed(skill, directory).values()) == {CURRENT}
    assert (directory / MANIFEST).stat().st_mtime_ns == before


def test_an_unchanged_older_file_is_replaced(skill: Path, tmp_path: Path) -> None:
    installed(skill, tmp_path / "here")
    (skill / "SKILL.md").write_text("version 2")
    assert installed(skill, tmp_path / "here") == {"SKILL.md": REPLACED, "scripts/run.py": CURRENT}
    (skill / "SKILL.md").write_text("version 3")
    assert installed(skill, tmp_path / "here")["SKILL.md"] == REPLACED
    assert not list((tmp_path / "here").glob("*.bak"))


def test_a_changed_file_is_replaced_only_by_force(skill: Path, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    installed(skill, directory)
    (directory / "SKILL.md").write_text("mine")
    (skill / "SKILL.md").write_text("version 2")
    for _ in range(2):
        assert installed(skill, directory)["SKILL.md"] == CHANGED
    assert (directory / "SKILL.md").read_text() == "mine"
    files = install(skill, directory, is_forced=True)
    assert (files[0].done, files[0].kept) == (REPLACED, directory / "SKILL.md.bak")
    assert ((directory / "SKILL.md").read_text(), (directory / "SKILL.md.bak").read_text()) == ("version 2", "mine")


@pytest.mark.parametrize("manifest", [None, "no json", "[1]", '{"SKILL.md": 3}', "{}"])
def test_a_changed_file_without_a_manifest_entry_is_not_replaced(
    skill: Path, tmp_path: Path, manifest: str | None
) -> None:
    directory = tmp_path / "here"
    installed(skill, directory)
    (directory / MANIFEST).unlink()
    if manifest is not None:
        (directory / MANIFEST).write_text(manifest)
    (skill / "SKILL.md").write_text("version 2")
    assert installed(skill, directory) == {"SKILL.md": CHANGED, "scripts/run.py": CURRENT}
    assert list(json.loads((directory / MANIFEST).read_text())) == ["scripts/run.py", "version"]


def test_an_identical_existing_file_is_adopted_and_later_replaced(skill: Path, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    directory.mkdir()
    (directory / "SKILL.md").write_text("version 1")
    assert installed(skill, directory)["SKILL.md"] == CURRENT
    (skill / "SKILL.md").write_text("version 2")
    assert installed(skill, directory)["SKILL.md"] == REPLACED


def test_a_broken_link_is_not_replaced(skill: Path, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    directory.mkdir()
    (directory / "SKILL.md").symlink_to("nowhere")
    assert installed(skill, directory)["SKILL.md"] == CHANGED
