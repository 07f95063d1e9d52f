"""`orchctl pm`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl import repos
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Background, Orchctl, Terminal
from tests.orchctl.pm.agent_counts import most_at_once, queued_together
from tests.orchctl.pm.fake_bd import FakeBd
from tests.orchctl.pm.pm_runs import MOCK, issues, pm_report


def test_seven_developers_start_in_one_request_and_their_issues_are_closed(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, tmp_path: Path
) -> None:
    names = [f"bd-{number}" for number in range(1, 8)]
    fake.say(*issues(*names, labels=["backend"], description="The whole of it."))
    report = pm_report(orchctl("pm", *MOCK, "--json"))
    assert [(row["id"], row["status"], row["task"]) for row in report["developers"]] == [
        (row["id"], "completed", "closed") for row in report["developers"]
    ]
    assert sorted(row["id"] for row in report["developers"]) == names
    assert queued_together(quick) == [7]
    assert {fake.issue(name)["status"] for name in names} == {"closed"}
    assert not fake.has_overlapped
    assert len(fake.calls("update")) == len(fake.calls("close")) == 7
    agent = quick.agent(report["developers"][0]["agent"])
    assert (agent["task_id"], agent["name"], agent["skill"]) == (
        agent["name"],
        agent["name"],
        "skyfom-backend-developer",
    )
    assert agent["goal"] == f"Do {agent['name']}"
    assert Path(agent["result"]).read_text().startswith(f"# {agent['name']}")
    assert "The whole of it." in Path(agent["stdin"]).read_text()
    assert report["results"] == str(tmp_path / ".agent/runs/pm-1")
    assert report["speed_up"] > 1


@pytest.mark.parametrize("envelope", [False, True])
def test_issues_that_become_ready_after_a_close_are_started(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, envelope: bool
) -> None:
    fake.say(*issues("bd-1", "bd-2"), *issues("bd-3", needs=["bd-1", "bd-2"]), envelope=envelope)
    report = pm_report(orchctl("pm", *MOCK, "--json"))
    assert [row["id"] for row in report["developers"]][-1] == "bd-3"
    assert fake.issue("bd-3")["status"] == "closed"
    assert queued_together(quick) == [2, 1]


def test_pm_runs_at_most_max_developers_at_once(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    fake.say(*issues(*(f"bd-{number}" for number in range(9))))
    assert len(pm_report(orchctl("pm", *MOCK, "--max", "3", "--json"))["developers"]) == 9
    assert most_at_once(quick) == 3


def test_pm_without_max_runs_at_most_the_limit_at_once(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    quick.ctl("limit", "2")
    fake.say(*issues(*(f"bd-{number}" for number in range(5))))
    assert orchctl("pm", *MOCK).code == 0
    assert most_at_once(quick) == 2


def test_the_next_developer_starts_when_another_has_finished(
    quick: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    (tmp_path / "skills/slow").mkdir(parents=True)
    member = after("inner", command=["sh", "-c", f"read x <{tmp_path}/gate"])
    written(tmp_path / "skills/slow/composition.json", composition(member))
    (tmp_path / "plan.md").write_text("- [ ] A (skill: slow)\n- [ ] B\n- [ ] C\n- [ ] D\n")
    pm = background("pm", "--tasks", "plan.md", "--max", "2", *MOCK, "--json", cwd=tmp_path)
    early_names = {"b", "c", "d"}
    until(
        lambda: early_names <= {agent["name"] for agent in quick.status()["agents"] if agent["status"] == "completed"}
    )
    gate()
    out, _ = pm.communicate(timeout=30)
    assert [row["id"] for row in json.loads(out)["developers"]][-1] == "a"
    assert most_at_once(quick, {"a", *early_names}) == 2


def test_pm_once_starts_one_batch(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    fake.say(*issues("bd-1", "bd-2"), *issues("bd-3", needs=["bd-1"]))
    report = pm_report(orchctl("pm", *MOCK, "--once", "--max", "1", "--json"))
    assert [row["id"] for row in report["developers"]] == ["bd-1"]
    assert fake.issue("bd-2")["status"] == "open"


def test_a_claim_that_another_claimer_won_is_skipped(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    fake.say(*issues("bd-1", "bd-2", "bd-3"), rivals=["bd-2"])
    report = pm_report(orchctl("pm", *MOCK, "--json", "--max", "2"))
    assert sorted(row["id"] for row in report["developers"]) == ["bd-1", "bd-3"]
    assert report["skipped"] == ["bd-2"]
    assert fake.issue("bd-2")["assignee"] == "somebody else"


def test_an_assigned_issue_is_claimed_once(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    fake.say(*issues("bd-1", assignee="alice"), *issues("bd-2", "bd-3"))
    report = pm_report(orchctl("pm", *MOCK, "--json", "--max", "1"))
    assert [row["id"] for row in report["developers"]] == ["bd-2", "bd-3"]
    assert len(fake.calls("update", "bd-1")) == 1


def test_a_failed_issue_is_reopened_and_retried_only_by_the_next_pm(
    quick: Instance, fake: FakeBd, orchctl: Orchctl
) -> None:
    quick.env["ORCHD_MOCK_FAIL"] = "bd-2"
    fake.say(*issues("bd-1", "bd-2"), *issues("bd-3", needs=["bd-2"]))
    result = orchctl("pm", *MOCK, "--json")
    report = pm_report(result, code=1)
    assert report["counts"] == {"completed": 1, "failed": 1}
    (bad,) = [row for row in report["developers"] if row["id"] == "bd-2"]
    assert (bad["task"], bad["reason"]) == ("open", quick.agent(bad["agent"])["reason"])
    assert (fake.issue("bd-2")["status"], fake.issue("bd-2")["assignee"]) == ("open", "")
    assert bad["agent"] in fake.issue("bd-2")["notes"]
    del quick.env["ORCHD_MOCK_FAIL"]
    second_report = pm_report(orchctl("pm", *MOCK, "--json"))
    assert [row["id"] for row in second_report["developers"]] == ["bd-2", "bd-3"]
    assert second_report["name"] == "pm-2"


def test_close_failed_closes_a_failed_issue(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    quick.env["ORCHD_MOCK_FAIL"] = "bd-1"
    fake.say(*issues("bd-1"))
    assert orchctl("pm", *MOCK, "--close-failed").code == 1
    assert fake.issue("bd-1")["close_reason"].startswith("failed: agent-001 ended as failed")


@pytest.mark.parametrize(
    ("modes", "code"),
    [({"ready": "hang"}, "bd-hung"), ({"ready": "garbage"}, "bd-nonsense"), ({"ready": "error"}, "bd-failed")],
)
def test_a_failing_bd_is_reported_and_no_agent_is_started(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, modes: dict[str, str], code: str
) -> None:
    fake.say(*issues("bd-1"), modes=modes)
    result = orchctl("pm", *MOCK, "--bd-timeout", "0.5")
    assert (result.code, result.out, result.err.partition(":")[0]) == (1, "", code)
    assert quick.status("--all")["agents"] == []


def test_a_bd_hang_at_the_second_claim_does_not_block_the_first_issue(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, tmp_path: Path
) -> None:
    fake.say(*issues("bd-1", "bd-2"))
    program = tmp_path / "bin/bd"
    script = program.read_text()
    program.write_text(script.replace("exec", 'test "$2" = bd-2 && exec sleep 60\nexec'))
    report = pm_report(orchctl("pm", *MOCK, "--json", "--bd-timeout", "0.5"), code=1)
    assert [(row["id"], row["task"]) for row in report["developers"]] == [("bd-1", "closed")]
    assert "bd-hung" in report["troubles"][0]
    program.write_text(script)
    second_report = pm_report(orchctl("pm", *MOCK, "--json"))
    assert (second_report["name"], [row["id"] for row in second_report["developers"]]) == ("pm-1", ["bd-1", "bd-2"])


@pytest.mark.parametrize("words", [(), ("--once",)])
def test_a_bd_failure_after_the_last_developer_keeps_the_report(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, tmp_path: Path, words: tuple[str, ...]
) -> None:
    fake.say(*issues("bd-1"))
    program = tmp_path / "bin/bd"
    fails = f'test "$1" = ready && ! mkdir {tmp_path}/seen && exit 9\nexec'
    program.write_text(program.read_text().replace("exec", fails))
    report = pm_report(orchctl("pm", *MOCK, "--json", *words), code=1)
    assert [(row["id"], row["task"]) for row in report["developers"]] == [("bd-1", "closed")]
    assert "`bd ready" in report["troubles"][0]


def test_an_issue_with_a_failed_close_is_closed_by_the_next_pm(quick: Instance, fake: FakeBd, orchctl: Orchctl) -> None:
    fake.say(*issues("bd-1", "bd-2"), modes={"close": "error"})
    report = pm_report(orchctl("pm", *MOCK, "--json", "--max", "1"), code=1)
    assert [(row["status"], row["task"]) for row in report["developers"]] == [("completed", None)]
    assert "its list was not updated: bd-failed: `bd close bd-1`: database is locked" in report["troubles"][0]
    fake.change(modes={})
    second_report = pm_report(orchctl("pm", *MOCK, "--json"))
    assert [(row["id"], row["task"]) for row in second_report["developers"]] == [("bd-1", "closed"), ("bd-2", "closed")]
    assert len(quick.status("--all")["agents"]) == 2


def test_issues_are_reopened_when_the_daemon_refuses_the_request(
    quick: Instance, fake: FakeBd, orchctl: Orchctl
) -> None:
    fake.say(*issues("bd-1", "bd-2"))
    result = orchctl("pm", "--runner", "no-such-runner")
    assert (result.code, result.err.partition(":")[0]) == (1, "unknown-runner")
    assert {fake.issue(issue_id)["status"] for issue_id in ("bd-1", "bd-2")} == {"open"}
    assert len(pm_report(orchctl("pm", *MOCK, "--json"))["developers"]) == 2


def test_pm_prints_each_finished_developer_and_a_summary(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, tmp_path: Path
) -> None:
    fake.say(*issues("bd-1"))
    result = orchctl("pm", *MOCK)
    row, summary_line = result.out.splitlines()
    assert row.split()[:3] == ["bd-1", "agent-001", "completed"]
    assert row.endswith(f"{tmp_path}/.agent/runs/pm-1/bd-1.md")
    assert summary_line.startswith("pm-1: 1 developer, 1 completed; ")
    assert result.err.startswith("agent-001 completed in ")
    assert orchctl("pm", *MOCK).out == "pm-2: nothing is ready\n"


def test_pm_on_a_terminal_shows_progress(
    quick: Instance, fake: FakeBd, background: Background, terminal: Terminal, tmp_path: Path
) -> None:
    fake.say(*issues("bd-1", "bd-2"))
    quick.ctl("pause")
    pm = background("pm", *MOCK, stderr=terminal.theirs, cwd=tmp_path)
    terminal.until("waiting: 0 of 2 ended, 2 queued")
    quick.ctl("resume")
    assert pm.wait(30) == 0


def test_a_dry_run_claims_no_issue_and_starts_no_agent(stopped: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    fake = FakeBd(tmp_path, stopped.env)
    fake.say(*issues(*(f"bd-{number}" for number in range(9)), labels=["ui"]))
    report = pm_report(orchctl("pm", *MOCK, "--dry-run", "--json"))
    assert [spec["task_id"] for spec in report["agents"]] == [f"bd-{number}" for number in range(7)]
    assert (report["max"], report["ready"]) == (7, 9)
    assert "bd-0  skyfom-frontend-developer  mock  Do bd-0" in orchctl("pm", *MOCK, "--dry-run").out
    assert fake.calls("update") == []
    assert not (tmp_path / ".agent").exists()
    assert not stopped.home.socket.exists()


def test_pm_processes_and_ticks_a_markdown_list_in_order(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text("# Plan\n- [ ] API (id: api)\n- [ ] UI (after: api)\n- [ ] Docs (after: ui)\n- [x] CI\n")
    quick.env["ORCHD_MOCK_FAIL"] = "ui"
    report = pm_report(orchctl("pm", "--tasks", "plan.md", "--tick", *MOCK, "--json"), code=1)
    assert [(row["id"], row["task"]) for row in report["developers"]] == [("api", "ticked"), ("ui", "open")]
    assert report["left"] == {"docs": "after ui, which failed"}
    assert plan.read_text().startswith("# Plan\n- [x] API (id: api)\n- [ ] UI")
    del quick.env["ORCHD_MOCK_FAIL"]
    assert orchctl("pm", "--tasks", "plan.md", "--tick", *MOCK).code == 0
    assert "[ ]" not in plan.read_text()


def test_pm_waits_for_every_agent_when_the_file_cannot_be_ticked(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "plan.md").write_text("- [ ] A\n- [ ] B\n")
    (tmp_path / ".plan.md.new").mkdir()
    command = ("pm", "--tasks", "plan.md", "--tick", *MOCK, "--json")
    report = pm_report(orchctl(*command), code=1)
    assert {(row["id"], row["status"]) for row in report["developers"]} == {("a", "completed"), ("b", "completed")}
    assert "not-ticked" in report["troubles"][0]
    (tmp_path / ".plan.md.new").rmdir()
    second_report = pm_report(orchctl(*command))
    assert {(row["id"], row["task"]) for row in second_report["developers"]} == {("a", "ticked"), ("b", "ticked")}
    assert (tmp_path / "plan.md").read_text() == "- [x] A\n- [x] B\n"


def test_the_next_pm_reads_finished_tasks_from_a_killed_pms_journal(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "plan.md").write_text("- [ ] A\n- [ ] B (after: a)\n")
    assert orchctl("pm", "--tasks", "plan.md", "--once", *MOCK).code == 0
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    journal.write_text(journal.read_text().replace('{"finished": true}', ""))
    report = pm_report(orchctl("pm", "--tasks", "plan.md", *MOCK, "--json"))
    assert [row["id"] for row in report["developers"]] == ["a", "b"]
    assert len(quick.status("--all")["agents"]) == 2


def test_each_worktree_gets_a_branch_name_that_is_not_taken(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    quick.env.update(repos.SETTINGS)
    repo = repos.repository(tmp_path / "repo")
    (repo / "plan.md").write_text("- [ ] A\n- [ ] B\n")
    repos.git(repo, "branch", "orchd/a")
    report = pm_report(orchctl("pm", "--tasks", "plan.md", "--worktree", *MOCK, "--json", cwd=repo))
    assert sorted(row["branch"] for row in report["developers"]) == ["orchd/a-2", "orchd/b"]
    (repo / "a").write_text("changed")
    report = pm_report(orchctl("pm", "--tasks", "plan.md", "--worktree", *MOCK, "--json", cwd=repo))
    assert report["counts"] == {"completed": 2}
    assert ["has changes that worktrees do not have: a; " in text for text in report["warnings"]] == [True]


def test_a_developer_can_be_a_whole_composition(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("- [ ] Sign in (id: bd-1) (labels: fullstack)\n")
    report = pm_report(orchctl("pm", "--tasks", "plan.md", *MOCK, "--json"))
    assert report["counts"] == {"completed": 1}
    agents = quick.status("--all")["agents"]
    assert sorted(agent["member"] for agent in agents if agent["member"]) == [
        "skyfom-backend-developer",
        "skyfom-frontend-developer",
        "skyfom-mobile-developer",
    ]
    assert {agent["task_id"] for agent in agents} == {"bd-1"}


def test_developers_of_a_pm_in_an_agent_are_children_of_that_agent(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "plan.md").write_text("- [ ] A\n- [ ] B\n")
    words = ["spawn", "--wait", "--nesting", "1", "--", "orchctl", "pm", "--tasks", "plan.md", *MOCK]
    assert orchctl(*words).code == 0
    assert [agent["parent"] for agent in quick.status("--all")["agents"]].count("agent-001") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tasks", "x.md", "--beads"), "usage: --tasks cannot be combined with --beads"),
        (("--max", "0", "--tasks", "x.md"), "usage: --max must be 1 or more, not 0"),
        (("--tick",), "usage: --tick requires --tasks FILE"),
        ((), "no-tasks: no .beads directory in "),
        (("--beads",), "no-tasks: no .beads directory in "),
        (("--tasks", "none.md"), "bad-tasks: "),
    ],
)
def test_pm_refuses_invalid_arguments_as_usage_errors(orchctl: Orchctl, words: tuple[str, ...], message: str) -> None:
    result = orchctl("pm", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
