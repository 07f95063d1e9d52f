"""`orchctl pm` after a pm that was killed, interrupted or out of time: the same command goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl.conftest import Background, Orchctl
from tests.orchctl.pm.fake_bd import FakeBd
from tests.orchctl.pm.pm_runs import MOCK, issues, pm_report


def wait_for_agents(instance: Instance, count: int) -> None:
    """Return when there are so many agents."""
    until(lambda: len(instance.status("--all")["agents"]) == count)


@pytest.mark.parametrize("when", ["still there", "over"])
def test_the_next_pm_continues_a_killed_pm_and_starts_no_agent_twice(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, background: Background, tmp_path: Path, when: str
) -> None:
    fake.say(*issues("bd-1", "bd-2", "bd-3"))
    quick.ctl("pause")
    pm = background("pm", *MOCK, "--max", "2", cwd=tmp_path)
    wait_for_agents(quick, 2)
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    until(lambda: journal.read_text().count('"started"') == 2)
    pm.send_signal(signal.SIGKILL)
    pm.wait(30)
    quick.ctl("resume")
    if when == "over":
        quick.ctl("wait", "1", "2")
    report = pm_report(orchctl("pm", *MOCK, "--json", "--max", "2"))
    assert sorted((row["id"], row["task"]) for row in report["developers"]) == [
        ("bd-1", "closed"),
        ("bd-2", "closed"),
        ("bd-3", "closed"),
    ]
    assert len(quick.status("--all")["agents"]) == 3
    assert [len(fake.calls("update", issue_id)) for issue_id in ("bd-1", "bd-2", "bd-3")] == [1, 1, 1]


def cut_journal(journal: Path, state: str) -> None:
    """Cut the journal off where the first item is in `state`."""
    kept_lines = []
    for line in journal.read_text().splitlines():
        kept_lines.append(line)
        if f'"state": "{state}"' in line:
            break
    journal.write_text("\n".join(kept_lines) + "\n")


@pytest.mark.parametrize(
    ("state", "is_spawned"), [("taking", False), ("taken", False), ("taken", True), ("started", True)]
)
def test_the_next_pm_starts_each_task_once_after_a_kill_in_any_state(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, tmp_path: Path, state: str, is_spawned: bool
) -> None:
    fake.say(*issues("bd-1", "bd-2"))
    orchctl("pm", *MOCK, "--once", "--max", "1")
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    cut_journal(journal, state)
    fake.say(*issues("bd-1", status="in_progress", assignee="me"), *issues("bd-2"))
    if not is_spawned:  # as if the first had never got so far: its prompt was at another place then
        journal.write_text(journal.read_text().replace('"file": "bd-1"', '"file": "other"'))
    report = pm_report(orchctl("pm", *MOCK, "--json"))
    rows = sorted((row["id"], row["task"]) for row in report["developers"])
    assert rows == [("bd-1", "closed"), ("bd-2", "closed")]
    agents = quick.status("--all")["agents"]
    assert sorted(agent["task_id"] for agent in agents) == ["bd-1"] * (1 if is_spawned else 2) + ["bd-2"]


def test_an_interrupted_claim_that_another_claimer_won_is_skipped(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, tmp_path: Path
) -> None:
    fake.say(*issues("bd-1"))
    orchctl("pm", *MOCK)
    cut_journal(tmp_path / ".agent/runs/pm-1/journal.jsonl", "taking")
    fake.say(*issues("bd-1", status="in_progress", assignee="somebody else"))
    report = pm_report(orchctl("pm", *MOCK, "--json"))
    assert (report["developers"], report["skipped"]) == ([], ["bd-1"])
    assert len(quick.status("--all")["agents"]) == 1


def test_two_pms_cannot_run_on_the_same_list(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, background: Background, tmp_path: Path
) -> None:
    fake.say(*issues("bd-1"))
    quick.ctl("pause")
    (tmp_path / "sub").mkdir()
    pm = background("pm", *MOCK, cwd=tmp_path)
    wait_for_agents(quick, 1)
    for place in (tmp_path, tmp_path / "sub"):
        result = orchctl("pm", *MOCK, cwd=place)
        assert (result.code, result.err.partition(":")[0]) == (1, "pm-running")
    quick.ctl("resume")
    assert pm.wait(30) == 0


def test_an_interrupted_pm_leaves_developers_running_and_prints_them(
    quick: Instance, fake: FakeBd, orchctl: Orchctl, background: Background, tmp_path: Path
) -> None:
    fake.say(*issues("bd-1"))
    quick.ctl("pause")
    pm = background("pm", *MOCK, cwd=tmp_path)
    until(lambda: '"started"' in _journal(tmp_path))
    pm.send_signal(signal.SIGINT)
    _, err = pm.communicate(timeout=30)
    assert pm.returncode == 130
    assert err == "interrupted: keep running without a pm: agent-001; run the same command to wait for them\n"
    quick.ctl("resume")
    assert pm_report(orchctl("pm", *MOCK, "--json"))["counts"] == {"completed": 1}


def _journal(directory: Path) -> str:
    path = directory / ".agent/runs/pm-1/journal.jsonl"
    return path.read_text() if path.exists() else ""


def test_a_timed_out_pm_exits_with_75_and_the_same_command_resumes_it(
    quick: Instance, fake: FakeBd, orchctl: Orchctl
) -> None:
    fake.say(*issues("bd-1"))
    quick.ctl("pause")
    result = orchctl("pm", *MOCK, "--wait-timeout", "0.2")
    assert result.code == 75
    assert result.err == "timed-out: keep running without a pm: agent-001; run the same command to wait for them\n"
    report = pm_report(orchctl("pm", *MOCK, "--wait-timeout", "0.2", "--json"), code=75)
    assert (report["timed_out"], report["going"], report["developers"]) == (True, ["agent-001"], [])
    quick.ctl("resume")
    assert orchctl("pm", *MOCK).code == 0
    assert len(quick.status("--all")["agents"]) == 1
