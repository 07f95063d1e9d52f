"""Whether agents can have git worktrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.worktree_checks import check, checkout_of
from tests.orchctl import repos


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "repo")


def wants(*names: str, **known: object) -> list[dict[str, object]]:
    """Agents that want worktrees."""
    return [{"name": name, "command": ["true"], "worktree": True, **known} for name in names]


def refused(specs: list[dict[str, object]], directory: Path) -> RefusedError:
    """Why they cannot have them."""
    with pytest.raises(RefusedError) as caught:
        check(specs, directory)
    return caught.value


def test_a_clean_checkout_is_good_for_any_number(repo: Path) -> None:
    (repo / "untracked").touch()
    check(wants("a", "b", "c"), repo / "sub")


def test_those_that_want_none_are_not_looked_at(tmp_path: Path) -> None:
    check([{"command": ["true"]}, {"command": ["true"], "worktree": False}], tmp_path)


def test_where_there_is_no_repository(tmp_path: Path, repo: Path) -> None:
    error = refused(wants("a"), tmp_path)
    assert error.code == "no-repository"
    assert str(tmp_path) in error.message
    assert refused(wants("a", cwd=str(tmp_path)), repo).code == "no-repository"
    assert refused(wants("a"), repo / ".git").code == "no-repository"
    assert refused(wants("a"), tmp_path / "none").code == "no-repository"


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    repos.git(tmp_path / "new", "init", "--quiet")
    assert refused(wants("a"), tmp_path / "new").code == "no-commit"


def test_changes_that_a_worktree_would_not_have_are_named(repo: Path) -> None:
    repos.commit(repo, **dict.fromkeys("cdef", "x"))
    for name in "cdef":
        (repo / name).write_text("changed")
    repos.git(repo, "mv", "a", "z")
    error = refused(wants("x"), repo / "sub")
    assert error.code == "uncommitted-changes"
    assert f"{repo} has changes that a worktree would not have: c, d, e and 2 more; " in error.message
    assert sorted(error.details["files"]) == ["c", "d", "e", "f", "z"]  # type: ignore[call-overload]
    assert "git stash" in error.message


def test_a_branch_that_is_there_is_taken(repo: Path) -> None:
    repos.git(repo, "branch", "orchd/Fix-login")
    error = refused(wants("other", "Fix login"), repo)
    assert (error.code, error.details) == ("branch-taken", {"branch": "orchd/Fix-login"})
    check(wants("other"), repo)


@pytest.mark.parametrize("there", ["orchd", "orchd/api/v2"])
def test_a_branch_that_leaves_no_room_is_in_the_way(repo: Path, there: str) -> None:
    repos.git(repo, "branch", there)
    assert refused(wants("api"), repo).code == "branch-taken"


def test_two_of_one_request_cannot_have_the_same_branch(repo: Path) -> None:
    assert refused(wants("a b", "a-b"), repo).code == "branch-taken"
    twice = [{"command": ["/bin/sh"], "worktree": True}] * 2
    assert "orchd/sh" in refused(twice, repo).message
    one, other = wants("x"), wants("x", cwd=str(repo / "sub"))
    assert refused(one + other, repo).code == "branch-taken"


def test_two_repositories_may_have_the_same_branch(repo: Path, tmp_path: Path) -> None:
    other = repos.repository(tmp_path / "other")
    check(wants("a") + wants("a", cwd=str(other)), repo)


def test_a_worktree_is_a_checkout_of_its_repository(repo: Path, tmp_path: Path) -> None:
    repos.git(repo, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    found = checkout_of(tmp_path / "tree/sub")
    assert (found.top, found.inside, found.repository) == (tmp_path / "tree", "sub/", repo / ".git")
    assert checkout_of(repo) == (repo, "", repo / ".git")
