"""Worktrees as the program between shim and agent makes them; no daemon is needed for that."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.worktrees.create import WorktreeRecord, all_in, read, record_path, write
from orchd.instance import runner_report
from tests.conftest import until
from tests.orchctl import repos
from tests.orchctl.repos import Runner

SHELL = "/bin/sh"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return repos.repository(tmp_path / "repo")


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """The runner of agent-001, which is called api."""
    return Runner(tmp_path / "home")


def test_a_command_runs_in_its_own_worktree_on_its_own_branch(repo: Path, runner: Runner) -> None:
    code, out, err = runner.run(repo, SHELL, "-c", 'pwd; echo "$PWD"; git branch --show-current; cat a')
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(runner.worktree)] * 2 + ["orchd/api", "one"]
    assert repos.branches(repo) == ["main", "orchd/api"]
    start = repos.git(repo, "rev-parse", "main")
    record = WorktreeRecord(str(repo / ".git"), "orchd/api", start, "main", is_made=True, checkout=str(repo))
    assert read(runner.worktree) == record


def test_pwd_variable_names_the_directory_in_the_worktree(repo: Path, runner: Runner) -> None:
    output = runner.run(repo / "sub", "/usr/bin/env", PWD=str(repo / "sub"))[
        1
    ].splitlines()  # a shell would see by itself
    assert f"PWD={runner.worktree}/sub" in output


def test_an_agent_runs_in_the_same_subdirectory_of_its_worktree(repo: Path, runner: Runner) -> None:
    (repo / "new/deep").mkdir(parents=True)
    assert runner.run(repo / "sub", SHELL, "-c", "pwd; cat b")[1] == f"{runner.worktree}/sub\ntwo"
    second_runner = Runner(runner.worktree.parents[1], "agent-002", "ui")
    assert second_runner.run(repo / "new/deep", SHELL, "-c", "pwd")[1] == f"{second_runner.worktree}/new/deep\n"


def test_a_worktree_begins_at_the_head_of_the_callers_checkout(repo: Path, runner: Runner, tmp_path: Path) -> None:
    repos.git(repo, "worktree", "add", "--quiet", "-b", "feature", str(tmp_path / "tree"))
    repos.commit(tmp_path / "tree", a="newer")
    assert runner.run(tmp_path / "tree", SHELL, "-c", "cat a")[1] == "newer"
    worktree = read(runner.worktree)
    assert worktree is not None
    assert worktree.origin == "feature"
    repos.git(repo, "checkout", "--quiet", "--detach")
    second_runner = Runner(runner.worktree.parents[1], "agent-002", "ui")
    assert second_runner.run(repo, SHELL, "-c", "cat a")[1] == "one"
    worktree = read(second_runner.worktree)
    assert worktree is not None
    assert worktree.origin is None


def test_runner_execs_the_command_and_restores_ignored_signals(repo: Path, runner: Runner) -> None:
    started = runner.start(repo, SHELL, "-c", 'echo $$; grep SigIgn /proc/$$/status; read x <"$0"; exit 7', "/dev/null")
    out, _ = started.communicate(timeout=30)
    pid, ignored = out.split()[0], out.split()[2]
    assert int(pid) == started.pid
    assert not int(ignored, 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)
    assert started.returncode == 7


def test_git_variables_of_a_hook_do_not_redirect_the_agent(repo: Path, runner: Runner, tmp_path: Path) -> None:
    other_repository = repos.repository(tmp_path / "other")
    script = "git rev-parse --show-toplevel; env | grep -c ^GIT_DIR"
    code, out, _ = runner.run(repo, SHELL, "-c", script, GIT_DIR=str(other_repository / ".git"))
    assert out.split() == [str(runner.worktree), "0"]
    assert code == 1
    assert repos.branches(other_repository) == ["main"]


def test_a_later_attempt_reuses_the_existing_worktree(repo: Path, runner: Runner) -> None:
    assert runner.run(repo, SHELL, "-c", "echo half >draft; exit 1")[0] == 1
    (repo / "a").write_text("the checkout may have changed meanwhile")
    assert runner.run(repo, SHELL, "-c", "cat draft", attempt=2)[:2] == (0, "half\n")


def test_a_first_attempt_never_takes_the_worktree_of_another_agent(repo: Path, runner: Runner) -> None:
    runner.run(repo, SHELL, "-c", "echo half >draft")
    code, _, err = runner.run(repo, SHELL, "-c", "true")
    assert (code, err[:15]) == (1, "worktree-taken:")
    record_path(runner.worktree).unlink()
    assert runner.run(repo, SHELL, "-c", "true", attempt=2)[2].startswith("worktree-taken: ")
    assert (runner.worktree / "draft").exists()


def test_a_removed_worktree_is_recreated_with_its_commits(repo: Path, runner: Runner) -> None:
    runner.run(repo, SHELL, "-c", "echo done >c; git add c; git commit --quiet -m c")
    repos.git(repo, "worktree", "remove", str(runner.worktree))
    assert runner.run(repo, SHELL, "-c", "cat c", attempt=2)[:2] == (0, "done\n")


def test_a_worktree_without_its_directory_is_recreated_with_its_commits(
    repo: Path, runner: Runner, tmp_path: Path
) -> None:
    runner.run(repo, SHELL, "-c", "echo done >c; git add c; git commit --quiet -m c")
    runner.worktree.rename(tmp_path / "away")
    assert runner.run(repo, SHELL, "-c", "cat c", attempt=2)[:2] == (0, "done\n")


def test_a_half_created_worktree_of_a_killed_attempt_is_recreated(repo: Path, runner: Runner) -> None:
    hook = repo / ".git/hooks/post-checkout"
    reached = repo / ".git/reached"
    hook.write_text(f"#!/bin/sh\necho $$ >{reached}.new\nmv {reached}.new {reached}\nexec sleep 60\n")
    hook.chmod(0o755)
    started = runner.start(repo, SHELL, "-c", "true", process_group="")
    until(reached.exists)
    children = [int(pid) for pid in Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()]
    started.kill()
    for pid in (*children, int(reached.read_text())):
        os.kill(pid, signal.SIGKILL)
    started.communicate()
    hook.unlink()
    worktree = read(runner.worktree)
    assert worktree is not None
    assert not worktree.is_made
    (runner.worktree / "a").unlink(missing_ok=True)
    assert runner.run(repo, SHELL, "-c", "git status --short; cat a", attempt=2)[:2] == (0, "one")
    assert repos.branches(repo) == ["main", "orchd/api"]


def test_a_half_created_worktree_pruned_by_git_is_recreated(repo: Path, runner: Runner) -> None:
    runner.run(repo, SHELL, "-c", "true")
    worktree = read(runner.worktree)
    assert worktree is not None
    write(runner.worktree, replace(worktree, is_made=False))
    (runner.worktree / ".git").unlink()
    repos.git(repo, "worktree", "prune")
    assert runner.run(repo, SHELL, "-c", "cat a", attempt=2)[:2] == (0, "one")


def test_a_worktree_begins_at_its_base_despite_later_checkout_changes(repo: Path, runner: Runner) -> None:
    base = repos.git(repo, "rev-parse", "HEAD")
    repos.commit(repo, a="later")
    (repo / "a").write_text("changed")
    assert runner.run(repo, SHELL, "-c", "cat a", ORCHD_WORKTREE_BASE=base) == (0, "one", "")


def test_changes_in_the_checkout_are_reported_if_no_base_is_given(repo: Path, runner: Runner) -> None:
    (repo / "a").write_text("changed")
    code, out, err = runner.run(repo, SHELL, "-c", "cat a")
    assert (code, out) == (0, "one")
    assert f"{repo} has changes that worktrees do not have: a; " in err


@pytest.mark.parametrize("prepared", ["taken", "outside", "empty"])
def test_a_worktree_that_cannot_be_created_fails_with_a_one_line_message(
    prepared: str, repo: Path, runner: Runner, tmp_path: Path
) -> None:
    codes = {"taken": "branch-taken", "outside": "no-repository", "empty": "no-commit"}
    place = repo
    if prepared == "taken":
        repos.git(repo, "branch", "orchd/api")
    elif prepared == "outside":
        place = tmp_path
    else:
        place = tmp_path / "new"
        place.mkdir()
        repos.git(place, "init", "--quiet")
    report = tmp_path / "report"
    code, out, err = runner.run(place, SHELL, "-c", "echo ran", ORCHD_REPORT=str(report))
    assert (code, out) == (1, "")
    assert err.startswith(f"{codes[prepared]}: ")
    assert err.count("\n") == 1
    reported = runner_report.read(str(report))
    assert reported is not None
    assert (reported.status, reported.reason) == ("failed", err.strip())
    assert not runner.worktree.exists()
    assert read(runner.worktree) is None


def test_a_command_missing_in_the_worktree_is_reported(repo: Path, runner: Runner) -> None:
    (repo / "build.sh").write_text("#!/bin/sh\n")
    code, _, err = runner.run(repo, "./build.sh")
    assert code == 127
    assert "cannot run './build.sh'" in err
    assert "is it committed?" in err
    assert runner.run(repo, "./a", attempt=2)[0] == 126


def test_an_agent_with_a_runner_runs_in_the_worktree(repo: Path, runner: Runner, tmp_path: Path) -> None:
    result = tmp_path / "result.md"
    variables = {"ORCHD_RUNNER": "mock", "ORCHD_MOCK_SECONDS": "0.01", "ORCHD_RESULT": str(result)}
    assert runner.run(repo, attempt=1, **variables)[0] == 0
    assert result.exists()
    assert (runner.worktree / "a").exists()


def test_seven_simultaneous_agents_each_get_a_worktree(repo: Path, tmp_path: Path) -> None:
    runners = [Runner(tmp_path / "home", f"agent-{number:03d}", f"dev-{number}") for number in range(1, 8)]
    started = [runner.start(repo, SHELL, "-c", "git branch --show-current") for runner in runners]
    outputs = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0] * 7, outputs
    assert [out.strip() for out, _ in outputs] == [f"orchd/dev-{number}" for number in range(1, 8)]


def test_only_one_of_seven_agents_with_the_same_name_gets_the_branch(repo: Path, tmp_path: Path) -> None:
    runners = [Runner(tmp_path / "home", f"agent-{number:03d}", "dev") for number in range(1, 8)]
    started = [runner.start(repo, SHELL, "-c", "true") for runner in runners]
    outputs = [process.communicate(timeout=60) for process in started]
    assert sorted(process.returncode for process in started) == [0] + [1] * 6
    errors = [err for (_, err), process in zip(outputs, started, strict=True) if process.returncode]
    assert all(err.startswith("branch-taken: ") for err in errors), errors
    assert len(all_in(tmp_path / "home/worktrees")) == 1


def test_intact_worktree_records_are_listed_in_order(tmp_path: Path) -> None:
    record = WorktreeRecord("/r/.git", "orchd/x", "abc", None)
    for number in (10, 9, 1000):
        write(tmp_path / f"agent-{number:03d}", record)
    (tmp_path / "agent-011.json").write_text('{"repository": ')
    (tmp_path / "agent-012.json").write_text('{"other": 1}')
    assert [(path.name, worktree) for path, worktree in all_in(tmp_path)] == [
        ("agent-009", record),
        ("agent-010", record),
        ("agent-1000", record),
    ]
    assert read(tmp_path / "agent-011") is None
