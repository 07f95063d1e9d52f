"""Whether agents can have git worktrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.worktrees import checks
from orchctl.worktrees.checks import checkout_of, looked_at
from tests.orchctl import repos


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "repo")


def check(specs: list[dict[str, object]], directory: Path) -> list[str]:
    """Return the warnings, in a home without a configuration."""
    return checks.check(specs, directory, directory / "no-home/config.toml")


def wants(*names: str, **fields: object) -> list[dict[str, object]]:
    """Return agents that request worktrees."""
    return [{"name": name, "command": ["true"], "worktree": True, **fields} for name in names]


def refused(specs: list[dict[str, object]], directory: Path) -> RefusedError:
    """Return why the agents cannot have worktrees."""
    with pytest.raises(RefusedError) as caught:
        check(specs, directory)
    return caught.value


def test_a_clean_checkout_allows_any_number_of_worktrees(repo: Path) -> None:
    (repo / "untracked").touch()
    check(wants("a", "b", "c"), repo / "sub")


def test_agents_without_a_worktree_are_not_checked(tmp_path: Path) -> None:
    check([{"command": ["true"]}, {"command": ["true"], "worktree": False}], tmp_path)


def test_a_directory_outside_a_repository_is_refused(tmp_path: Path, repo: Path) -> None:
    error = refused(wants("a"), tmp_path)
    assert error.code == "no-repository"
    assert str(tmp_path) in error.message
    assert refused(wants("a", cwd=str(tmp_path)), repo).code == "no-repository"
    assert refused(wants("a"), repo / ".git").code == "no-repository"
    assert refused(wants("a"), tmp_path / "none").code == "no-repository"


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    repos.git(tmp_path / "new", "init", "--quiet")
    assert refused(wants("a"), tmp_path / "new").code == "no-commit"


def test_the_default_base_is_the_current_commit_of_each_checkout(repo: Path, tmp_path: Path) -> None:
    other_repository = repos.repository(tmp_path / "other")
    plain: dict[str, object] = {"command": ["true"]}
    specs = [*wants("a"), *wants("b", cwd=str(other_repository)), plain, *wants("c", base="0" * 40)]
    assert check(specs, repo) == []
    assert [spec.get("base") for spec in specs] == [
        repos.git(repo, "rev-parse", "HEAD"),
        repos.git(other_repository, "rev-parse", "HEAD"),
        None,
        "0" * 40,
    ]


def test_uncommitted_changes_of_the_checkout_cause_a_warning(repo: Path) -> None:
    repos.commit(repo, **dict.fromkeys("cdef", "x"))
    for name in "cdef":
        (repo / name).write_text("changed")
    repos.git(repo, "mv", "a", "z")
    specs = wants("x")
    (warning,) = check(specs, repo / "sub")
    assert warning.startswith(f"{repo} has changes that worktrees do not have: c, d, e and 2 more; ")
    assert specs[0]["base"] == repos.git(repo, "rev-parse", "HEAD")


def test_a_failing_git_status_causes_a_warning(repo: Path) -> None:
    repos.commit(repo, **{".gitattributes": "a filter=x\n"})
    repos.git(repo, "config", "filter.x.clean", "false")
    repos.git(repo, "config", "filter.x.required", "true")
    (repo / "a").write_text("two")
    (warning,) = check(wants("x"), repo)
    assert "cannot check " in warning


def test_changes_to_agent_state_files_and_the_plan_are_ignored(repo: Path) -> None:
    books = (".beads/issues.jsonl", ".agent/runs/pm-1/a.md", ".claude/state/agents.json", "sub/.beads/x", "plan.md")
    repos.commit(repo, **dict.fromkeys(books, "x"))
    for name in books:
        (repo / name).write_text("changed")
    assert ["plan.md" in text for text in check(wants("x"), repo)] == [True]
    (repo / "link.md").symlink_to("plan.md")
    checkout, config = checkout_of(repo), repo / "none.toml"
    assert looked_at(checkout, config, [repo / "link.md"]) == []
    repos.commit(repo, **{"odd/latest.yaml": "x"})
    (repo / "odd/latest.yaml").write_text("changed")
    assert len(looked_at(checkout, config, [repo / "plan.md"])) == 1
    config.write_text('sessions_path = "odd"\n')
    assert looked_at(checkout, config, [repo / "plan.md"]) == []
    (repo / ".beadsy").mkdir()
    repos.commit(repo, **{".beadsy/a": "x"})
    (repo / ".beadsy/a").write_text("changed")
    (warning,) = looked_at(checkout, config, [repo / "plan.md"])
    assert ": .beadsy/a; " in warning


def test_empty_submodules_cause_a_warning(repo: Path) -> None:
    (repo / ".gitmodules").touch()
    (warning,) = check(wants("x"), repo)
    assert "submodules are empty in worktrees" in warning
    (repo / ".orchd.toml").write_text("[worktree]\nsubmodules = true\n")
    assert check(wants("x"), repo) == []


def test_an_existing_branch_name_is_refused(repo: Path) -> None:
    repos.git(repo, "branch", "orchd/Fix-login")
    error = refused(wants("other", "Fix login"), repo)
    assert (error.code, error.details) == ("branch-taken", {"branch": "orchd/Fix-login"})
    check(wants("other"), repo)


@pytest.mark.parametrize("branch", ["orchd", "orchd/api/v2"])
def test_an_agent_branch_blocked_by_an_existing_ref_is_refused(repo: Path, branch: str) -> None:
    repos.git(repo, "branch", branch)
    assert refused(wants("api"), repo).code == "branch-taken"


def test_two_agents_of_one_request_cannot_have_the_same_branch(repo: Path) -> None:
    assert refused(wants("a b", "a-b"), repo).code == "branch-taken"
    twice = [{"command": ["/bin/sh"], "worktree": True}] * 2
    assert "orchd/sh" in refused(twice, repo).message
    first, second = wants("x"), wants("x", cwd=str(repo / "sub"))
    assert refused(first + second, repo).code == "branch-taken"


def test_two_repositories_may_have_the_same_branch(repo: Path, tmp_path: Path) -> None:
    other_repository = repos.repository(tmp_path / "other")
    check(wants("a") + wants("a", cwd=str(other_repository)), repo)


def test_checkout_of_a_worktree_names_its_top_and_its_repository(repo: Path, tmp_path: Path) -> None:
    repos.git(repo, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    checkout = checkout_of(tmp_path / "tree/sub")
    assert (checkout.top, checkout.inside, checkout.repository) == (tmp_path / "tree", "sub/", repo / ".git")
    assert checkout_of(repo) == (repo, "", repo / ".git")
