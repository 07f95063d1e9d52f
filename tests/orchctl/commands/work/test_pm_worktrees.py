"""`orchctl pm --worktree`: where developers begin, and what is no reason to start none. And plans with many names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl import repos
from tests.orchctl.conftest import Background, Orchctl
from tests.orchctl.pm.fake_bd import FakeBd
from tests.orchctl.pm.pm_runs import MOCK, issues, pm_report

# Commits what is there and a file of its own name.
_COMMITTER = '''
[runners.committer]
command = ["sh", "-c", """
ls >seen-$ORCHD_NAME; echo x >$ORCHD_NAME
git add .; git commit --quiet -m x; echo x >$ORCHD_RESULT
"""]
'''
COMMITTER = ("--runner", "committer", "--worktree", "--json")


@pytest.fixture
def repo(quick: Instance, tmp_path: Path) -> Path:
    """A repository, and a runner whose agents commit something."""
    quick.env.update(repos.SETTINGS)
    quick.configure(_COMMITTER)
    quick.ctl("config", "reload")
    return repos.repository(tmp_path / "repo")


def files_at_begin(repo: Path, developer: str) -> list[str]:
    """Return the files in the worktree of a developer when it began."""
    listing = repos.git(repo, "show", f"orchd/{developer}:seen-{developer}")
    return [name for name in listing.split() if not name.startswith("seen")]


def test_pm_processes_a_plan_that_is_committed_and_ticked(quick: Instance, orchctl: Orchctl, repo: Path) -> None:
    repos.commit(repo, **{"plan.md": "- [ ] A\n- [ ] B (after: a)\n- [ ] C (after: a)\n- [ ] D (after: b, c)\n"})
    report = pm_report(orchctl("pm", "--tasks", "plan.md", "--tick", *COMMITTER, cwd=repo))
    assert (report["counts"], report["warnings"]) == ({"completed": 4}, [])
    assert "[ ]" not in (repo / "plan.md").read_text()
    assert (repo / "a").read_text() == "one"
    assert repos.git(repo, "show", "orchd/b:a") == "x"  # as the developer of a left it
    assert {"b", "c"} <= set(files_at_begin(repo, "d"))


def test_a_later_pm_starts_worktrees_from_the_work_of_an_earlier_pm(
    quick: Instance, orchctl: Orchctl, repo: Path
) -> None:
    plan = repo / "plan.md"
    plan.write_text("- [ ] First\n")
    pm_report(orchctl("pm", "--tasks", "plan.md", "--tick", *COMMITTER, cwd=repo))
    plan.write_text(plan.read_text() + "- [ ] Second (after: first)\n")
    pm_report(orchctl("pm", "--tasks", "plan.md", "--tick", *COMMITTER, cwd=repo))
    assert "first" in files_at_begin(repo, "second")


def test_a_merge_conflict_of_dependencies_fails_only_their_dependent(
    quick: Instance, orchctl: Orchctl, repo: Path
) -> None:
    quick.configure(_COMMITTER.replace(">$ORCHD_NAME\n", ">$ORCHD_NAME; echo $ORCHD_NAME >both\n"))
    (repo / "plan.md").write_text("- [ ] A\n- [ ] B\n- [ ] C (after: a, b)\n")
    report = pm_report(orchctl("pm", "--tasks", "plan.md", *COMMITTER, cwd=repo), code=1)
    (bad,) = [row for row in report["developers"] if row["status"] == "failed"]
    assert bad["id"] == "c"
    assert bad["reason"].startswith("merge-conflict: ")


def test_changes_by_bd_cause_no_warning_and_blockers_run_first(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, repo: Path, tmp_path: Path
) -> None:
    blocked = {"needs": ["bd-1"], "dependencies": [{"depends_on_id": "bd-1", "type": "blocks"}]}
    fake.say(*issues("bd-1"), *issues("bd-2", **blocked))
    repos.commit(repo, **{".beads/issues.jsonl": "{}\n"})
    (repo / ".beads/issues.jsonl").write_text("changed\n")
    quick.env["BEADS_DIR"] = str(tmp_path / ".beads")
    report = pm_report(orchctl("pm", "--beads", *COMMITTER, cwd=repo))
    assert (report["counts"], report["warnings"]) == ({"completed": 2}, [])
    assert "bd-1" in files_at_begin(repo, "bd-2")


def test_tasks_start_from_the_work_of_their_dependencies_across_runs(
    quick: Instance, orchctl: Orchctl, repo: Path
) -> None:
    tasks = repo / "tasks"
    for name, before in (("one", ""), ("two", "after: one\n"), ("three", "after: two\n")):
        tasks.mkdir(exist_ok=True)
        (tasks / f"subtask-{name}.md").write_text(f"---\n{before}goal: x\n---\nDo {name}.\n")
    words = ("tasks", "run", "tasks", "--worktree", "--runner", "committer", "--wait", "--json")
    assert orchctl(*words, "--only", "one", "--only", "two", cwd=repo).code == 0
    assert "one" in files_at_begin(repo, "two")
    (repo / "a").write_text("changed")
    (warning,) = json.loads(orchctl(*words, cwd=repo).out)["warnings"]
    assert "has changes that worktrees do not have: a; " in warning
    assert {"one", "two"} <= set(files_at_begin(repo, "three"))


@pytest.mark.parametrize("kind", ["symlink", "hard link", "linked directory"])
def test_only_one_pm_runs_on_a_plan_under_all_its_paths(
    quick: Instance, orchctl: Orchctl, background: Background, tmp_path: Path, kind: str
) -> None:
    first_checkout, second_checkout = tmp_path / "here", tmp_path / "there"
    for place in (first_checkout, second_checkout):
        place.mkdir()
    (first_checkout / "plan.md").write_text("- [ ] A\n")
    linked_plan = second_checkout / "plan.md"
    if kind == "symlink":
        linked_plan.symlink_to(first_checkout / "plan.md")
    elif kind == "hard link":
        linked_plan.hardlink_to(first_checkout / "plan.md")
    else:
        (second_checkout / "link").symlink_to(first_checkout)
        linked_plan = second_checkout / "link/plan.md"
    quick.ctl("pause")
    first_pm = background("pm", "--tasks", "plan.md", *MOCK, cwd=first_checkout)
    until(lambda: quick.status()["agents"])
    if kind != "hard link":  # a tick replaces the file, and whatever is locked of it
        (first_checkout / "new").write_text("- [ ] A\n")
        (first_checkout / "new").rename(first_checkout / "plan.md")
    result = orchctl("pm", "--tasks", str(linked_plan), *MOCK, cwd=second_checkout)
    assert (result.code, result.err.partition(":")[0]) == (1, "pm-running")
    quick.ctl("resume")
    assert first_pm.wait(30) == 0
    assert len(quick.status("--all")["agents"]) == 1


def test_a_task_that_is_ticked_by_hand_during_a_pm_is_not_started(
    quick: Instance, orchctl: Orchctl, background: Background, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text("- [ ] A\n- [ ] B\n- [ ] C (after: b)\n")
    quick.ctl("pause")
    pm = background("pm", "--tasks", "plan.md", "--max", "1", *MOCK, "--json", cwd=tmp_path)
    until(lambda: quick.status()["agents"])
    plan.write_text(plan.read_text().replace("- [ ] B", "- [x] B"))
    quick.ctl("resume")
    out, _ = pm.communicate(timeout=30)
    assert [row["id"] for row in json.loads(out)["developers"]] == ["a", "c"]


def test_the_next_pm_skips_a_task_that_was_ticked_after_a_kill(
    quick: Instance, orchctl: Orchctl, tmp_path: Path, gate: Callable[[], None]
) -> None:
    (tmp_path / "plan.md").write_text("- [ ] A\n- [ ] B\n")
    pm_report(orchctl("pm", "--tasks", "plan.md", "--once", "--max", "1", *MOCK, "--json"))
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    lines = journal.read_text().splitlines()
    taken_entry = {**json.loads(lines[1]), "id": "b", "file": "b"}
    taken_entry["item"] = {**taken_entry["item"], "id": "b", "title": "B"}
    journal.write_text("\n".join([*lines[:-1], json.dumps(taken_entry), '{"id": "b", "state": "taken"}', ""]))
    (tmp_path / "plan.md").write_text("- [x] A\n- [x] B\n")
    report = pm_report(orchctl("pm", "--tasks", "plan.md", *MOCK, "--json"))
    assert ([row["id"] for row in report["developers"]], report["skipped"]) == (["a"], ["b"])


def test_an_invalid_byte_in_a_journal_is_reported_with_its_line(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "plan.md").write_text("- [ ] A\n")
    pm_report(orchctl("pm", "--tasks", "plan.md", "--once", *MOCK, "--json"))
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    lines = journal.read_bytes().splitlines()
    lines[2] = b'{"id": "a", "state": "tak\xff"}'
    journal.write_bytes(b"\n".join(lines[:-1]) + b"\n")
    for words in ((), ("--dry-run",)):
        result = orchctl("pm", "--tasks", "plan.md", *MOCK, *words)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"broken-journal: {journal} line 3: the byte 0xff is not valid in a journal; ")
        assert f"move {journal.parent} elsewhere" in result.err
