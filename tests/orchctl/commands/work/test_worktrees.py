"""`orchctl spawn --worktree`, and `orchctl worktrees`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl import repos
from tests.orchctl.conftest import Orchctl

COMMITS = 'echo done >new; git add new; git commit --quiet --message "$ORCHD_NAME"'


@pytest.fixture
def repo(tmp_path: Path, stopped: Instance) -> Path:
    """A repository with one commit, and a git without the settings of this machine."""
    stopped.env.update(repos.SETTINGS)
    return repos.repository(tmp_path / "repo")


def batch(repo: Path, *names: str, script: str = "true") -> str:
    """A batch file of agents with worktrees."""
    agents = [{"name": name, "command": ["sh", "-c", script], "worktree": True} for name in names]
    (repo.parent / "batch.json").write_text(json.dumps(agents))
    return str(repo.parent / "batch.json")


def test_seven_agents_at_once_work_each_on_a_branch_of_its_own(
    instance: Instance, orchctl: Orchctl, repo: Path
) -> None:
    names = [f"dev-{number}" for number in range(1, 8)]
    script = 'echo "$ORCHD_NAME" >a; git commit --quiet --all --message "$ORCHD_NAME"'
    result = orchctl("spawn", "--wait", "--batch", batch(repo, *names, script=script), cwd=repo)
    assert result.code == 0, result
    assert [repos.git(repo, "show", f"orchd/{name}:a") for name in names] == names
    assert (repo / "a").read_text() == "one"
    agents = {agent["name"]: agent for agent in instance.status("--all")["agents"]}
    worktrees = instance.home.worktrees
    assert {agent["worktree"] for agent in agents.values()} == {
        str(worktrees / agent["id"]) for agent in agents.values()
    }
    assert {agent["branch"] for agent in agents.values()} == {f"orchd/{name}" for name in names}


def test_an_agent_without_a_worktree_has_no_worktree_or_branch(instance: Instance) -> None:
    agent = instance.agent(instance.spawn("true"))
    assert (agent["worktree"], agent["branch"]) == (None, None)


def test_spawn_refuses_an_impossible_worktree_and_spawns_no_agent(
    instance: Instance, orchctl: Orchctl, repo: Path, tmp_path: Path
) -> None:
    def refused(*words: str, cwd: Path = repo) -> str:
        result = orchctl("spawn", *words, cwd=cwd)
        assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
        return result.err.partition(":")[0]

    assert refused("--worktree", "--", "true", cwd=tmp_path) == "no-repository"
    assert refused("--worktree", "--cwd", str(tmp_path), "--", "true") == "no-repository"
    assert refused("--batch", batch(repo, "a", "a")) == "branch-taken"
    repos.git(repo, "branch", "orchd/a")
    assert refused("--batch", batch(repo, "b", "a")) == "branch-taken"
    assert instance.status("--all")["agents"] == []


def test_the_base_is_fixed_at_spawn_and_uncommitted_changes_warn(
    instance: Instance, orchctl: Orchctl, repo: Path, gate: Callable[[], None], tmp_path: Path
) -> None:
    base = repos.git(repo, "rev-parse", "HEAD")
    first_id = instance.spawn("sh", "-c", f"read x <{tmp_path}/gate")
    (repo / "a").write_text("changed")
    result = orchctl("spawn", "--json", "--worktree", "--after", first_id, "--", "cat", "a", cwd=repo)
    reply = json.loads(result.out)
    assert reply["warnings"] == [result.err.strip()]
    assert f"{repo} has changes that worktrees do not have: a; " in result.err
    second_id = reply["agents"][0]["id"]
    assert instance.agent(second_id)["base"] == base
    repos.git(repo, "commit", "--quiet", "--all", "--message", "later")
    (repo / "a").write_text("changed again")
    gate()
    assert orchctl("wait", second_id).code == 0
    assert instance.ctl("logs", second_id) == "one"


def test_a_failed_worktree_creation_is_the_reason_of_its_agent(
    instance: Instance, orchctl: Orchctl, repo: Path, gate: Callable[[], None], tmp_path: Path
) -> None:
    first_id = instance.spawn("sh", "-c", f"read x <{tmp_path}/gate")
    second_id = orchctl("spawn", "--worktree", "--name", "api", "--after", first_id, "--", "true", cwd=repo).out.strip()
    repos.git(repo, "branch", "orchd/api")
    gate()
    assert orchctl("wait", second_id).code == 1
    assert instance.ctl("logs", second_id).startswith("branch-taken: ")
    assert instance.agent(second_id)["reason"].startswith("branch-taken: ")


def test_a_retry_reuses_the_worktree_of_the_last_attempt(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    script = 'test "$ORCHD_ATTEMPT" = 2 && cat draft && exit; echo half >draft; exit 1'
    result = orchctl("spawn", "--worktree", "--retries", "1", "--wait", "--", "sh", "-c", script, cwd=repo)
    assert result.code == 0
    assert instance.ctl("logs", "1") == "half\n"


def test_list_shows_the_worktrees_of_this_repository_or_all(
    instance: Instance, orchctl: Orchctl, repo: Path, tmp_path: Path
) -> None:
    other_repository = repos.repository(tmp_path / "other")
    orchctl("spawn", "--wait", "--batch", batch(repo, "api", script=COMMITS), cwd=repo)
    orchctl("spawn", "--wait", "--worktree", "--name", "ui", "--", "touch", "new", cwd=other_repository)
    (worktree,) = json.loads(orchctl("worktrees", "list", "--json", cwd=repo / "sub").out)["worktrees"]
    assert (worktree["agent"], worktree["branch"], worktree["status"]) == ("agent-001", "orchd/api", "completed")
    assert (worktree["ahead"], worktree["uncommitted"], worktree["origin"]) == (1, False, "main")
    all_lines = orchctl("worktrees", "list", "--all").out.splitlines()
    assert [line.split()[:3] for line in all_lines] == [
        ["agent-001", "completed", "orchd/api"],
        ["agent-002", "completed", "orchd/ui"],
    ]
    assert "1 ahead of main" in all_lines[0]
    assert "uncommitted changes in 1 file " in all_lines[1]
    outside = orchctl("worktrees", "list")
    assert (outside.code, outside.err[:15]) == (1, "no-repository: ")
    assert "--all" in outside.err


def test_list_needs_no_daemon_and_starts_none(orchctl: Orchctl, repo: Path, stopped: Instance) -> None:
    result = orchctl("worktrees", "list", cwd=repo)
    assert (result.code, result.out) == (0, "no worktrees; `orchctl spawn --worktree` creates one\n")
    assert not stopped.home.socket.exists()


def test_prune_removes_finished_merged_worktrees_and_explains_the_rest(
    instance: Instance, orchctl: Orchctl, repo: Path, gate: Callable[[], None], tmp_path: Path
) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "merged", "unmerged", script=COMMITS), cwd=repo)
    wait_command = f"read x <{tmp_path}/gate"
    orchctl("spawn", "--worktree", "--name", "running", "--", "sh", "-c", wait_command, cwd=repo)
    orchctl("spawn", "--wait", "--worktree", "--name", "dirty", "--", "touch", "new", cwd=repo)
    repos.git(repo, "merge", "--quiet", "orchd/merged")
    dry = orchctl("worktrees", "prune", "--dry-run", cwd=repo)
    assert dry.out.splitlines()[0] == "agent-001  would be removed, with its branch orchd/merged"
    assert len(repos.branches(repo)) == 5
    result = json.loads(orchctl("worktrees", "prune", "--json", cwd=repo).out)["worktrees"]
    assert [(worktree["agent"], worktree["removed"], worktree["branch_deleted"]) for worktree in result] == [
        ("agent-001", True, True),
        ("agent-002", False, False),
        ("agent-003", False, False),
        ("agent-004", False, False),
    ]
    unmerged, running, dirty = [worktree["reason"] for worktree in result[1:]]
    assert "in no other branch" in unmerged
    assert running in ("agent-003 is running", "agent-003 is starting")
    assert dirty == "it has uncommitted work: new"
    assert repos.branches(repo) == ["main", "orchd/dirty", "orchd/running", "orchd/unmerged"]
    gate()
    assert orchctl("wait", "agent-003").code == 0
    second_lines = orchctl("worktrees", "prune", "--all").out.splitlines()
    assert second_lines[1] == "agent-003  removed, with its branch orchd/running"


def test_prune_keeps_a_worktree_that_a_child_still_uses(
    instance: Instance, orchctl: Orchctl, repo: Path, gate: Callable[[], None], tmp_path: Path
) -> None:
    script = f"orchctl spawn -- sh -c 'read x <{tmp_path}/gate'"
    orchctl("spawn", "--wait", "--batch", batch(repo, "parent", script=script), cwd=repo)
    assert "agent-002 is running in it" in orchctl("worktrees", "prune", cwd=repo).out
    gate()
    assert orchctl("wait", "agent-002").code == 0
    assert "removed" in orchctl("worktrees", "prune", cwd=repo).out


def test_an_agent_retried_after_a_prune_gets_a_new_worktree(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "api", script='test "$ORCHD_ATTEMPT" = 2 && pwd'), cwd=repo)
    assert "removed" in orchctl("worktrees", "prune", cwd=repo).out
    orchctl("retry", "1")
    assert orchctl("wait", "1").code == 0
    assert instance.ctl("logs", "1") == f"{instance.home.worktrees}/agent-001\n"


def test_prune_in_an_agent_keeps_worktrees_of_other_agents(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "api"), cwd=repo)
    inside = orchctl("spawn", "--wait", "--", "orchctl", "worktrees", "prune", cwd=repo)
    assert inside.code == 0
    assert "is unknown" in instance.ctl("logs", "2")
    assert "orchd/api" in repos.branches(repo)


def test_an_agent_in_a_worktree_spawns_from_its_own_head(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    script = f"{COMMITS}\norchctl spawn --wait --worktree --name child -- cat new"
    options = ["--worktree", "--name", "parent", "--nesting", "1", "--wait"]
    assert orchctl("spawn", *options, "--", "sh", "-c", script, cwd=repo).code == 0
    assert instance.ctl("logs", "2") == "done\n"
    worktrees = json.loads(orchctl("worktrees", "list", "--json", cwd=repo).out)["worktrees"]
    assert [(worktree["branch"], worktree["origin"], worktree["ahead"]) for worktree in worktrees] == [
        ("orchd/parent", "main", 1),
        ("orchd/child", "orchd/parent", 0),
    ]


def test_a_mock_agent_runs_with_a_worktree(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    env = {**instance.env, "ORCHD_MOCK_SECONDS": "0.01"}
    result = repo.parent / "result.md"
    words = ["--worktree", "--runner", "mock", "--goal", "x", "--name", "m", "--result", str(result), "--wait"]
    assert orchctl("spawn", *words, cwd=repo, env=env).code == 0
    assert result.exists()
    assert "orchd/m" in repos.branches(repo)


def test_show_prints_the_work_why_it_is_kept_and_the_next_steps(
    instance: Instance, orchctl: Orchctl, repo: Path, tmp_path: Path
) -> None:
    script = f"{COMMITS}; echo x >a; touch mine"
    orchctl("spawn", "--wait", "--batch", batch(repo, "api", script=script), cwd=repo)
    repos.commit(repo, later="1")
    view = json.loads(orchctl("worktrees", "show", "api", "--json").out)
    assert (view["agent"], view["name"], view["status"]) == ("agent-001", "api", "completed")
    assert (view["origin"], view["ahead"], view["behind"], view["merged"]) == ("main", 1, 1, False)
    assert (view["changed"], view["untracked"]) == (["a"], ["mine"])
    assert view["unmerged"][0].endswith(" api")
    assert view["kept"] == "it has uncommitted work: a, mine"
    assert view["next"][-1] == "orchctl worktrees remove agent-001 --force"
    for word in ("1", "agent-001", "agent-1", "orchd/api", view["path"]):
        assert orchctl("worktrees", "show", word).out == orchctl("worktrees", "show", "api").out
    rows = dict(line.split(None, 1) for line in orchctl("worktrees", "show", "1").out.splitlines() if line[0] != " ")
    assert rows["agent"] == "agent-001 api completed"
    assert rows["target"] == "main, 1 ahead, 1 behind"
    assert rows["merged"] == "no, 1 in no other branch"
    assert rows["untracked"] == "mine"
    assert orchctl("worktrees", "show", "nope").err.startswith("no-worktree: 'nope'")
    other_repository = repos.repository(tmp_path / "other")
    orchctl("spawn", "--wait", "--batch", batch(other_repository, "api"), cwd=other_repository)
    assert orchctl("worktrees", "show", "api").err.startswith(
        "ambiguous-name: 'api' is ambiguous: agent-001 and agent-002"
    )


def test_show_needs_no_daemon(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "api"), cwd=repo)
    instance.ctl("daemon", "stop")
    result = orchctl("worktrees", "show", "api")
    assert result.code == 0
    assert "status unknown" in result.out


def test_remove_keeps_and_names_unmerged_or_uncommitted_work(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "done", "unmerged", script=COMMITS), cwd=repo)
    orchctl("spawn", "--wait", "--worktree", "--name", "dirty", "--", "touch", "new", cwd=repo)
    repos.git(repo, "merge", "--quiet", "orchd/done")
    result = orchctl("worktrees", "remove", "done", "unmerged", "3")
    assert result.code == 1
    removed, unmerged, dirty = result.out.splitlines()
    assert removed == "agent-001  removed, with its branch orchd/done"
    assert "in no other branch" in unmerged
    assert " unmerged; --force removes" in unmerged
    assert dirty.endswith("it has uncommitted work: new; --force removes it with its contents")
    assert repos.branches(repo) == ["main", "orchd/dirty", "orchd/unmerged"]
    assert orchctl("worktrees", "remove", "unmerged", "nope").code == 1  # one that is unknown: nothing is removed
    assert json.loads(orchctl("worktrees", "remove", "3", "--json").out)["worktrees"][0]["removed"] is False


def test_forced_remove_prints_lost_work_first_with_a_restore_command(
    instance: Instance, orchctl: Orchctl, repo: Path
) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "api", script=f"{COMMITS}; touch mine"), cwd=repo)
    tip = repos.git(repo, "rev-parse", "orchd/api")
    result = orchctl("worktrees", "remove", "api", "--force")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("agent-001  lost: 1 commit in no other branch: ")
    restore = f"git -C {repo}/.git branch orchd/api {tip}"
    assert lines[1] == f"agent-001  restore with: {restore}"
    assert lines[2] == "agent-001  lost: uncommitted changes in 1 file: mine"
    assert lines[3] == "agent-001  removed, with its branch orchd/api"
    assert repos.branches(repo) == ["main"]
    repos.git(repo, *restore.split()[1:])
    assert repos.git(repo, "rev-parse", "orchd/api") == tip


def test_remove_keeps_the_worktree_of_a_running_agent_even_with_force(
    instance: Instance, orchctl: Orchctl, repo: Path, gate: Callable[[], None], tmp_path: Path
) -> None:
    script = f"orchctl spawn -- sh -c 'read x <{tmp_path}/gate'"
    orchctl("spawn", "--wait", "--batch", batch(repo, "parent", script=script), cwd=repo)
    orchctl("spawn", "--worktree", "--name", "own", "--", "sh", "-c", f"read x <{tmp_path}/gate", cwd=repo)
    until(lambda: orchctl("worktrees", "show", "own").code == 0)  # made by its attempt
    for force in ((), ("--force",)):
        result = orchctl("worktrees", "remove", "parent", "own", *force)
        assert result.code == 1
        child, own_line = result.out.splitlines()
        assert child.endswith("; `orchctl cancel agent-002` first")
        assert own_line.endswith("; `orchctl cancel agent-003` first")
    view = json.loads(orchctl("worktrees", "show", "own", "--json").out)
    assert view["next"] == ["orchctl logs agent-003 -f", "orchctl cancel agent-003"]
    gate()
    assert orchctl("wait", "agent-002", "agent-003").code == 0
    assert orchctl("worktrees", "remove", "parent", "own").code == 0


def test_an_agent_cannot_remove_the_worktree_of_another(instance: Instance, orchctl: Orchctl, repo: Path) -> None:
    orchctl("spawn", "--wait", "--batch", batch(repo, "api"), cwd=repo)
    assert orchctl("spawn", "--wait", "--", "orchctl", "worktrees", "remove", "api", "--force", cwd=repo).code == 1
    assert instance.ctl("logs", "2").startswith("forbidden: ")
    assert "orchd/api" in repos.branches(repo)


def test_uncommitted_changes_are_noted_in_wait_why_list_and_json(
    instance: Instance, orchctl: Orchctl, repo: Path
) -> None:
    result = orchctl("spawn", "--wait", "--worktree", "--name", "api", "--", "touch", "x", "y", "z", cwd=repo)
    assert result.code == 0
    note = "uncommitted changes in 3 files"
    assert result.out.splitlines()[-1].endswith(f"exit 0; {note}")
    assert orchctl("why", "api").out.splitlines()[0].endswith(f"exit 0; {note}")
    notes = [{"code": "uncommitted-changes", "text": note}]
    assert json.loads(orchctl("why", "api", "--json").out)["agent"]["notes"] == notes
    assert json.loads(orchctl("wait", "api", "--json").out)["agents"][0]["notes"] == notes
    assert note in orchctl("worktrees", "list", cwd=repo).out
    assert json.loads(orchctl("worktrees", "list", "--json", cwd=repo).out)["worktrees"][0]["uncommitted_files"] == 3
    repos.commit(instance.home.worktrees / "agent-001", x="1", y="1", z="1")
    assert note not in orchctl("why", "api").out


def test_commits_elsewhere_are_shown_with_a_working_repair_command(
    instance: Instance, orchctl: Orchctl, repo: Path
) -> None:
    script = "git checkout -q --detach; echo 1 >x; git add x; git commit -qm x"
    result = orchctl("spawn", "--wait", "--worktree", "--name", "b1", "--", "sh", "-c", script, cwd=repo)
    assert "1 commit elsewhere: on a detached HEAD at " in result.out
    assert (
        orchctl("spawn", "--wait", "--worktree", "--name", "b2", "--after", "b1", "--", "cat", "x", cwd=repo).code == 0
    )
    assert "not on orchd/b1" in orchctl("why", "b1").out
    assert "clean, 1 commit elsewhere: on a detached HEAD" in orchctl("worktrees", "list", cwd=repo).out
    orchctl("worktrees", "remove", "b2", "--force")
    view = json.loads(orchctl("worktrees", "show", "b1", "--json").out)
    assert (view["merged"], view["elsewhere"]["commits"]) == (False, 1)
    assert "elsewhere" in orchctl("worktrees", "show", "b1").out
    subprocess.run(["sh", "-c", view["next"][0]], check=True, timeout=30)
    view = json.loads(orchctl("worktrees", "show", "b1", "--json").out)
    assert (view["elsewhere"], view["ahead"], view["merged"]) == (None, 1, False)
