"""Files that a worktree gets besides the files of its commit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from orchctl.worktrees.create import read
from orchd.instance import runner_report
from tests.orchctl import repos
from tests.orchctl.repos import Runner, commit, git

SHELL = "/bin/sh"


class Bench:
    """A repository with a `.orchd.toml`, a home, and the runner of an agent."""

    def __init__(self, directory: Path) -> None:
        self.repo = repos.repository(directory / "repo")
        commit(self.repo, **{".gitignore": ".env*\nlocal/\n.orchd.toml\n"})
        self.home = directory / "home"
        self.home.mkdir()
        self.runner = Runner(self.home)
        self.tree = self.runner.worktree

    def says(self, *lines: str) -> None:
        """Write the table [worktree] of the project's file."""
        (self.repo / ".orchd.toml").write_text("\n".join(["[worktree]", *lines]))

    def configure(self, *lines: str) -> None:
        """Write the same table in config.toml."""
        (self.home / "config.toml").write_text("\n".join(["[worktree]", *lines]))

    def trust(self) -> None:
        """Trust the commands in the project's file."""
        self.configure(f'trusted = ["{self.repo}"]')

    def run(self, script: str = "true", attempt: int = 1, **env: str) -> tuple[int, str, str]:
        """Run it and return its exit code and output."""
        return self.runner.run(self.repo, SHELL, "-c", script, attempt=attempt, **env)

    def hook(self, place: Path, script: str) -> None:
        """A hook of git that runs after each checkout."""
        place.mkdir(exist_ok=True)
        hook = place / "post-checkout"
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A repository without settings."""
    return Bench(tmp_path)


@pytest.mark.parametrize("place", [".git/hooks", "own-hooks"])
def test_a_failing_checkout_hook_only_warns_if_the_worktree_is_complete(bench: Bench, place: str) -> None:
    bench.hook(bench.repo / place, "echo git-lfs is missing >&2; exit 2")
    git(bench.repo, "config", "core.hooksPath", str(bench.repo / place))
    code, out, err = bench.run("cat a sub/b; git status --short")
    assert (code, out) == (0, "onetwo")
    assert err.startswith("a git hook failed; the worktree is complete without it: ")
    assert "git-lfs is missing" in err


def test_output_of_a_successful_hook_is_not_shown(bench: Bench) -> None:
    bench.hook(bench.repo / ".git/hooks", "touch hooked; echo hello >&2")
    assert bench.run("ls hooked") == (0, "hooked\n", "")


def test_background_process_of_a_hook_does_not_delay_the_agent(bench: Bench) -> None:
    bench.hook(bench.repo / ".git/hooks", "sleep 600 & echo $! >left")
    try:
        assert bench.run()[0] == 0
    finally:
        os.kill(int((bench.tree / "left").read_text()), signal.SIGKILL)


def test_a_failing_smudge_filter_fails_the_attempt_until_it_is_fixed(bench: Bench) -> None:
    commit(bench.repo, **{".gitattributes": "a filter=lfs\n"})
    git(bench.repo, "config", "filter.lfs.smudge", "echo no network >&2; false")
    git(bench.repo, "config", "filter.lfs.required", "true")
    git(bench.repo, "config", "filter.lfs.clean", "cat")
    code, out, err = bench.run("echo ran")
    assert (code, out) == (1, "")
    assert err.startswith("git-failed: ")
    assert "smudge filter lfs failed" in err
    git(bench.repo, "config", "filter.lfs.smudge", "cat")
    assert bench.run("cat a", attempt=2) == (0, "one", "")


def test_a_hook_that_refuses_the_branch_is_not_reported_as_branch_taken(bench: Bench) -> None:
    hook = bench.repo / ".git/hooks/reference-transaction"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    code, _, err = bench.run()
    assert (code, err.partition(":")[0]) == (1, "git-failed")


def test_ignored_files_matching_patterns_of_both_configs_are_copied(bench: Bench) -> None:
    for name in (".env", ".env.test", "sub/.env", "local/deep/x", "local/y"):
        (bench.repo / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.repo / name).write_text(name)
    (bench.repo / ".env").chmod(0o600)
    (bench.repo / "local/link").symlink_to("y")
    bench.configure('copy = ["local"]')
    bench.says('copy = ["**/.env"]')
    assert bench.run()[::2] == (0, "")
    files = sorted(str(path.relative_to(bench.tree)) for path in bench.tree.rglob("*") if not path.is_dir())
    copies = [".env", "local/deep/x", "local/link", "local/y", "sub/.env"]
    assert [name for name in files if name not in (".git", ".gitignore", "a", "sub/b")] == copies
    assert (bench.tree / ".env").stat().st_mode & 0o777 == 0o600
    assert (bench.tree / "local/link").readlink() == Path("y")
    record = read(bench.tree)
    assert record is not None
    assert sorted(record.copied) == copies


def test_files_that_git_does_not_ignore_are_reported_and_not_copied(bench: Bench) -> None:
    (bench.repo / "notes").touch()
    repos.repository(bench.repo / "local/inner")
    bench.says('copy = ["notes", "a", "local", "nothing-like-it"]')
    code, out, err = bench.run("git status --short; ls local")
    assert (code, out) == (2, "")
    assert [line.partition(" is not copied: ")[0] for line in err.splitlines()[:2]] == ["notes", "local/inner/"]


def test_copy_overwrites_no_file_and_stays_inside_the_worktree(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bench.repo / "local").symlink_to(outside)
    (bench.repo / ".env").write_text("committed")
    git(bench.repo, "add", "--force", "local", ".env")
    base = commit(bench.repo)
    git(bench.repo, "rm", "--quiet", "--cached", "local", ".env")
    (bench.repo / "local").unlink()
    (bench.repo / "local").mkdir()
    (bench.repo / "local/x").touch()
    (bench.repo / ".env").write_text("mine")
    bench.says('copy = [".env", "local"]')
    code, out, err = bench.run("cat .env", ORCHD_WORKTREE_BASE=base)
    assert (code, out) == (0, "committed")
    assert "its directory is outside the worktree" in err
    assert list(outside.iterdir()) == []


def test_setup_runs_at_worktree_top_before_the_agent_and_logs_its_output(bench: Bench) -> None:
    bench.trust()
    bench.says("setup = 'pwd; echo $ORCHD_CHECKOUT; echo to stderr >&2; cat; touch made'")
    code, out, err = bench.runner.run(bench.repo / "sub", SHELL, "-c", "ls ../made")
    assert (code, out) == (0, f"{bench.tree}\n{bench.repo}\n../made\n")
    assert err == "setup: pwd; echo $ORCHD_CHECKOUT; echo to stderr >&2; cat; touch made\nto stderr\n"


def test_a_later_attempt_does_not_repeat_the_setup(bench: Bench) -> None:
    bench.trust()
    bench.says("setup = 'echo x >>made'")
    assert bench.run("exit 1")[0] == 1
    assert bench.run("cat made", attempt=2) == (0, "x\n", "")


def test_a_failed_setup_is_the_reason_and_the_next_attempt_retries_it(bench: Bench, tmp_path: Path) -> None:
    bench.trust()
    bench.says("setup = 'test -e ../ready || { echo no registry; exit 3; }'")
    report = tmp_path / "report"
    code, out, err = bench.run("echo ran", ORCHD_REPORT=str(report))
    assert (code, out) == (1, "no registry\n")
    reported = runner_report.read(str(report))
    assert reported is not None
    assert str(reported.reason).startswith(
        "setup-failed: the set-up of the worktree failed with exit code 3: `test -e "
    )
    assert str(reported.reason) in err
    (bench.tree.parent / "ready").touch()
    assert bench.run("echo ran", attempt=2)[:2] == (0, "ran\n")


def test_setup_in_config_toml_needs_no_trust_and_project_setup_overrides(bench: Bench) -> None:
    bench.configure("setup = 'echo common'", f'trusted = ["{bench.repo.parent}"]')
    assert bench.run()[1] == "common\n"
    bench.says("setup = 'echo own'")
    second_runner = Runner(bench.home, "agent-002", "other")
    assert second_runner.run(bench.repo, "/bin/true")[1] == "own\n"


@pytest.mark.parametrize("trusted", ["", "/elsewhere", "{repo}/sub", "{repo}x"])
def test_setup_of_an_untrusted_project_does_not_run(bench: Bench, trusted: str) -> None:
    bench.configure(f'trusted = ["{trusted.format(repo=bench.repo)}"]' if trusted else "")
    bench.says("setup = 'echo ran'")
    code, out, err = bench.run("echo ran")
    assert (code, out) == (1, "")
    assert err.startswith(f"untrusted-setup: {bench.repo}/.orchd.toml has the set-up command `echo ran`, and ")
    assert f"{bench.home}/config.toml" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[worktree]\ncopi = []", "worktree.copi is an unknown key"),
        ("[other]\n", "other is an unknown key"),
        ('[worktree]\ncopy = ["../x"]', "worktree.copy[0] must be a pattern inside the checkout"),
        ('[worktree]\ncopy = ["/etc/passwd"]', "worktree.copy[0] must be a pattern inside the checkout"),
        ('[worktree]\ntrusted = ["/"]', "worktree.trusted is an unknown key"),
        ("[worktree", ".orchd.toml: "),
    ],
)
def test_an_invalid_project_file_is_refused_with_its_error(bench: Bench, text: str, message: str) -> None:
    (bench.repo / ".orchd.toml").write_text(text)
    code, _, err = bench.run()
    assert (code, err.partition(":")[0]) == (1, "bad-config")
    assert message in err


@pytest.fixture
def library(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository of a submodule `lib` of the bench's."""
    bench.runner.env["GIT_ALLOW_PROTOCOL"] = "file"
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    origin = repos.repository(tmp_path / "library")
    git(bench.repo, "submodule", "--quiet", "add", str(origin), "lib")
    commit(bench.repo)
    return origin


def test_submodules_are_filled_if_configured(bench: Bench, library: Path) -> None:
    bench.says("submodules = true")
    assert bench.run("cat lib/a; git status --short") == (0, "one", "")


def test_empty_submodules_are_reported(bench: Bench, library: Path) -> None:
    code, out, err = bench.run("ls lib")
    assert (code, out) == (0, "")
    assert err.startswith("the submodules are empty here: lib; `submodules = true` ")


def test_a_submodule_failure_fails_the_attempt_until_it_is_fixed(bench: Bench, library: Path, tmp_path: Path) -> None:
    library.rename(tmp_path / "away")
    bench.says("submodules = true")
    code, _, err = bench.run("echo ran")
    assert (code, err.partition(":")[0]) == (1, "submodules-failed")
    (tmp_path / "away").rename(library)
    assert bench.run("cat lib/a", attempt=2)[:2] == (0, "one")
