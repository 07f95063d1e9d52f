"""Worktrees with work that git does not count: they stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchctl.worktrees.prune import Agents
from tests.orchctl import repos
from tests.orchctl.repos import commit, git
from tests.orchctl.worktrees.test_prune import GONE, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A worktree without changes."""
    return Bench(tmp_path)


def written(place: Path, *names: str) -> None:
    """Files with some content."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)


@pytest.mark.parametrize("name", ["notes.txt", "out/report.csv", "out/deep/er/x", "build/lib.so"])
def test_an_ignored_file_keeps_the_worktree_unless_ignored_is_given(bench: Bench, name: str) -> None:
    bench.ignores("notes.txt", "out/", "build/")
    written(bench.tree, name)
    assert bench.kept() == f"it has files that git ignores: {name}; `prune --ignored` removes them too"
    assert bench.pruned(with_ignored=True) == GONE
    assert bench.is_gone()


def test_the_first_file_of_each_ignored_directory_is_named(bench: Bench) -> None:
    bench.ignores("out*/")
    written(bench.tree, *(f"out{number}/{name}" for number in range(5) for name in "ab"))
    assert ": out0/a, out1/a, out2/a and 2 more; " in bench.kept()


def test_an_empty_ignored_directory_does_not_keep_the_worktree(bench: Bench) -> None:
    bench.ignores("out/")
    (bench.tree / "out/deep").mkdir(parents=True)
    assert bench.pruned() == GONE


def test_links_in_ignored_directories_count_as_work_and_are_not_followed(bench: Bench, tmp_path: Path) -> None:
    bench.ignores("out/")
    written(tmp_path / "elsewhere", "x")
    (bench.tree / "out").mkdir()
    (bench.tree / "out/link").symlink_to(tmp_path / "elsewhere")
    assert ": out/link; " in bench.kept()
    assert bench.pruned(with_ignored=True) == GONE
    assert (tmp_path / "elsewhere/x").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_an_unreadable_ignored_directory_keeps_the_worktree(bench: Bench) -> None:
    bench.ignores("out/")
    (bench.tree / "out/closed").mkdir(parents=True)
    (bench.tree / "out/closed").chmod(0)
    assert "out/closed" in bench.kept()
    (bench.tree / "out/closed").chmod(0o700)


def test_files_that_tools_regenerate_do_not_keep_the_worktree(bench: Bench) -> None:
    bench.ignores("node_modules", "__pycache__", "*.pyc", "target/", "env/", ".claude/state/", ".DS_Store")
    written(bench.tree, "node_modules/left-pad/index.js", "sub/__pycache__/b.pyc", "old.pyc", "target/CACHEDIR.TAG")
    written(
        bench.tree, "target/debug/app", "env/pyvenv.cfg", "env/bin/python", ".claude/state/agents.json", ".DS_Store"
    )
    assert bench.pruned() == GONE
    assert bench.is_gone()


def test_files_configured_as_reproducible_do_not_keep_the_worktree(bench: Bench) -> None:
    bench.ignores("build/", "gen/", "*.log", ".orchd.toml")
    written(bench.tree, "build/a/b", "gen/x", "sub/y.log")
    assert bench.kept().count(",") == 2
    (bench.home / "config.toml").write_text('[worktree]\nreproducible = ["build"]\n')
    (bench.repo / ".orchd.toml").write_text('[worktree]\nreproducible = ["**/*.log", "gen/**"]\n')
    assert bench.pruned() == GONE


def test_an_unchanged_copied_file_does_not_keep_the_worktree(bench: Bench) -> None:
    commit(bench.repo, **{".gitignore": ".env\n.orchd.toml\n"})
    written(bench.repo, ".env")
    (bench.repo / ".orchd.toml").write_text('[worktree]\ncopy = [".env"]\n')
    bench.tree = bench.made("agent-002", "ui")
    agents = {"agent-002": {"id": "agent-002", "status": "completed"}}
    tree = bench.worktree("agent-002")
    (bench.tree / ".env").write_text("changed")
    written(bench.repo, ".env")
    assert ": .env; " in str(tree.pruned(_agents(agents), is_dry=False).reason)
    (bench.tree / ".env").write_text(".env")
    (bench.repo / ".env").write_text("changed in the checkout")
    assert tree.pruned(_agents(agents), is_dry=False) == GONE


def _agents(agents: dict[str, dict[str, str]]) -> Agents:
    return Agents(agents, [])


@pytest.mark.parametrize("with_ignored", [False, True])
def test_a_worktree_in_an_ignored_directory_keeps_the_outer_worktree(bench: Bench, with_ignored: bool) -> None:
    bench.ignores(".worktrees/")
    git(bench.tree, "worktree", "add", "--quiet", ".worktrees/x")
    written(bench.tree, ".worktrees/x/work")
    assert bench.kept(with_ignored=with_ignored).startswith("it contains another worktree: .worktrees/x; ")


@pytest.mark.parametrize("place", ["inner", ".worktrees/deep/inner", "node_modules/pkg", "env/src/pkg"])
def test_a_repository_in_an_ignored_directory_keeps_the_worktree(bench: Bench, place: str) -> None:
    bench.ignores("inner", ".worktrees", "node_modules", "env")
    repos.repository(bench.tree / place)
    written(bench.tree, "env/pyvenv.cfg")
    assert bench.kept(with_ignored=True).startswith(f"it contains repositories, or work in submodules: {place} (a ")


def test_a_nested_worktree_of_another_repository_keeps_the_outer_worktree(bench: Bench, tmp_path: Path) -> None:
    other_repository = repos.repository(tmp_path / "other")
    bench.ignores(".worktrees/")
    git(other_repository, "worktree", "add", "--quiet", str(bench.tree / ".worktrees/x"))
    assert ": .worktrees/x; " in bench.kept(with_ignored=True)


class Nested(Bench):
    """The worktree has a submodule `lib`, filled."""

    def __init__(self, directory: Path) -> None:
        self.library = repos.repository(directory / "library")
        super().__init__(directory)
        self.pruned()
        git(self.repo, "submodule", "--quiet", "add", str(self.library), "lib")
        commit(self.repo)
        (self.repo / ".git/info/exclude").write_text(".orchd.toml\n")
        (self.repo / ".orchd.toml").write_text("[worktree]\nsubmodules = true\n")
        self.tree = self.made("agent-001", "api")


@pytest.fixture
def nested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nested:
    """A worktree with a submodule without changes."""
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    return Nested(tmp_path)


def test_a_worktree_with_clean_submodules_is_pruned(nested: Nested) -> None:
    assert (nested.tree / "lib/a").read_text() == "one"
    assert nested.pruned() == GONE
    assert nested.is_gone()


def test_a_worktree_with_empty_submodules_is_pruned(nested: Nested) -> None:
    git(nested.tree, "submodule", "--quiet", "deinit", "--all")
    assert nested.pruned() == GONE
    assert nested.is_gone()


def test_a_worktree_with_a_submodule_at_a_commit_in_no_branch_is_pruned(nested: Nested) -> None:
    git(nested.library, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(nested.library, "checkout", "--quiet", "--detach")
    pinned = commit(nested.library, a="pinned")
    git(nested.library, "checkout", "--quiet", "main")
    git(nested.repo, "update-index", "--cacheinfo", f"160000,{pinned},lib")
    git(nested.repo, "commit", "--quiet", "--message", "pin")
    nested.tree = nested.made("agent-002", "ui")
    assert (nested.tree / "lib/a").read_text() == "pinned"
    agents = {"agent-002": {"id": "agent-002", "status": "completed"}}
    assert nested.worktree("agent-002").pruned(_agents(agents), is_dry=False) == GONE


@pytest.mark.parametrize("name", ["a", "new", "out/x"])
def test_files_in_a_submodule_keep_the_worktree(nested: Nested, name: str) -> None:
    exclude = git(nested.tree / "lib", "rev-parse", "--git-path", "info/exclude")
    Path(exclude).parent.mkdir(exist_ok=True)
    Path(exclude).write_text("out/\n")
    written(nested.tree / "lib", name)
    reasons = {"a": "uncommitted work: lib", "new": "work in submodules: lib/new; ", "out/x": "submodules: lib/out/x; "}
    assert reasons[name] in nested.kept(with_ignored=True)


def test_unpushed_commits_in_a_submodule_keep_the_worktree(nested: Nested) -> None:
    commit(nested.tree / "lib", own="x")
    assert nested.kept() == "it has uncommitted work: lib"
    git(nested.tree, "commit", "--quiet", "--all", "--message", "lib")
    git(nested.repo, "merge", "--quiet", "orchd/api")
    assert nested.kept() == "it contains repositories, or work in submodules: lib; move or push them first"
    git(nested.tree / "lib", "push", "--quiet", "origin", "HEAD:refs/heads/pushed")
    assert nested.pruned() == GONE


def test_commits_of_a_deinitialised_submodule_keep_the_worktree(nested: Nested) -> None:
    git(nested.tree / "lib", "checkout", "--quiet", "-b", "work")
    commit(nested.tree / "lib", own="x")
    git(nested.tree / "lib", "checkout", "--quiet", "--detach", "origin/main")
    git(nested.tree, "submodule", "--quiet", "deinit", "--all")
    assert nested.kept() == "it contains repositories, or work in submodules: lib; move or push them first"


def test_files_in_an_empty_submodule_directory_keep_the_worktree(nested: Nested) -> None:
    git(nested.tree, "submodule", "--quiet", "deinit", "--all")
    written(nested.tree, "lib/work")
    assert ": lib; " in nested.kept(with_ignored=True)


def test_a_repository_committed_as_a_gitlink_keeps_the_worktree(bench: Bench) -> None:
    repos.repository(bench.tree / "inner")
    git(bench.tree, "add", "inner")
    git(bench.tree, "commit", "--quiet", "--message", "embedded")
    git(bench.repo, "merge", "--quiet", "orchd/api")
    assert ": inner (a repository with 1 commit); " in bench.kept(with_ignored=True)
