"""The place of a project, and the exclusions that git gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.instance import projects
from tests.orchctl import repos

PLACES = (".agent/sessions", ".claude/state")
LINES = ["/.agent/sessions/", "/.claude/state/"]


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A repository."""
    return repos.repository(tmp_path / "main")


def excluded(repository: Path) -> list[str]:
    """The lines of its own list of ignored files, without what git put there."""
    lines = (repository / ".git/info/exclude").read_text().splitlines()
    return [line for line in lines if line.startswith("/") or "orchd" in line]


def test_only_checkouts_and_marked_directories_are_projects(tmp_path: Path, main: Path) -> None:
    assert projects.is_project(main)
    assert not projects.is_project(main / "sub")
    assert not projects.is_project(tmp_path)
    assert not projects.is_project(tmp_path / "nothing")
    projects.mark(tmp_path)
    projects.mark(tmp_path)
    assert projects.is_project(tmp_path)
    projects.mark(main)
    assert not (main / ".agent").exists()


def test_the_project_of_a_directory_is_the_nearest_checkout_around_it(tmp_path: Path) -> None:
    inner = tmp_path / "outer/inner/deep"
    inner.mkdir(parents=True)
    assert projects.project_of(inner) == inner
    (tmp_path / "outer/.git").mkdir()
    assert projects.project_of(inner) == tmp_path / "outer"
    (tmp_path / "outer/inner/.git").write_text("gitdir: elsewhere\n")  # as git worktrees have it
    assert projects.project_of(inner) == tmp_path / "outer/inner"


def test_a_home_directory_is_a_project_only_if_marked(main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may keep their settings in a repository."""
    monkeypatch.setenv("HOME", str(main))
    assert not projects.is_project(main)
    projects.mark(main)
    assert projects.is_project(main)


def test_an_unsearchable_directory_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert not projects.is_project(tmp_path)


def test_exclude_lines_are_added_once_and_removed_without_other_lines(main: Path) -> None:
    exclude = main / ".git/info/exclude"
    exclude.write_text("mine")
    assert projects.exclude(main, PLACES)
    assert projects.exclude(main, PLACES)
    assert exclude.read_text().splitlines() == ["mine", projects.HEAD, *LINES]
    exclude.chmod(0o640)
    assert projects.include(main, PLACES) == [projects.HEAD, *LINES]
    assert exclude.read_text() == "mine\n"
    assert exclude.stat().st_mode & 0o777 == 0o640
    assert projects.include(main, PLACES) == []


def test_a_missing_exclude_file_is_created(main: Path) -> None:
    (main / ".git/info/exclude").unlink(missing_ok=True)
    (main / ".git/info").rmdir()
    assert projects.exclude(main, PLACES)
    assert excluded(main) == [projects.HEAD, *LINES]


def test_a_worktree_and_a_submodule_use_the_exclude_file_that_git_reads(main: Path, tmp_path: Path) -> None:
    repos.git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    assert projects.exclude(tmp_path / "tree", PLACES)
    assert excluded(main) == [projects.HEAD, *LINES]
    repository = repos.repository(tmp_path / "whole")
    repos.git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(main), "part")
    assert projects.exclude(repository / "part", PLACES)
    (repository / "part/.agent/sessions").mkdir(parents=True)
    (repository / "part/.agent/sessions/x").touch()
    assert repos.git(repository / "part", "status", "--porcelain") == ""
    assert excluded(repository) == []


@pytest.mark.parametrize("place", ["a b", "[x]", "a*", "\\", "!x", "#x", "é"])
def test_an_excluded_path_matches_only_itself(main: Path, place: str) -> None:
    assert projects.exclude(main, (place,))
    for name in (place, "axb", "sub"):
        (main / name).mkdir(exist_ok=True)
        (main / name / place).mkdir(exist_ok=True)
        (main / name / "file").touch()
        (main / name / place / "file").touch()
    lines = repos.git(main, "-c", "core.quotePath=false", "status", "--porcelain", "-uall").splitlines()
    assert len(lines) == 4, lines


def test_a_path_with_a_newline_is_not_excluded(main: Path) -> None:
    assert not projects.exclude(main, ("a\nb",))
    assert excluded(main) == []


def test_exclude_follows_no_symlink_and_writes_to_no_foreign_repository(main: Path, tmp_path: Path) -> None:
    """An agent can put anything in the place of `.git`, and of what is in it."""
    other = repos.repository(tmp_path / "other")
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / ".git").symlink_to(other / ".git")
    assert not projects.exclude(fake, PLACES)
    for pointed in (tmp_path / "empty", Path("/etc"), Path("/nowhere")):
        (fake / ".git").unlink()
        (fake / ".git").write_text(f"gitdir: {pointed}\n")
        assert not projects.exclude(fake, PLACES)
    repos.git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    (fake / ".git").write_text((tmp_path / "tree/.git").read_text())  # of another worktree
    assert not projects.exclude(fake, PLACES)
    (main / ".git/info/exclude").unlink(missing_ok=True)
    (main / ".git/info/exclude").symlink_to(other / "a")
    with pytest.raises(OSError, match="symbolic link"):
        projects.exclude(main, PLACES)
    (main / ".git/info/exclude").unlink()
    (main / ".git/info").rmdir()
    (main / ".git/info").symlink_to(other)
    with pytest.raises(OSError, match="Not a directory"):
        projects.exclude(main, PLACES)
    (fake / ".git").unlink()
    os.mkfifo(fake / ".git")
    assert not projects.exclude(fake, PLACES)
    assert (other / "a").read_text() == "one"
    assert excluded(other) == []
