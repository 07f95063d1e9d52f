"""`orchctl pm --tick` when the plan cannot be read at the moment a developer ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl.conftest import Background, Orchctl
from tests.orchctl.pm.pm_runs import MOCK, pm_report

PLAN = "- [ ] Uno\n- [ ] Due (after: uno)\n"
TICK = ("pm", "--tasks", "plan.md", "--tick", *MOCK, "--json")


def damaged(path: Path) -> None:
    """A byte that is not UTF-8 is appended."""
    path.write_bytes(path.read_bytes() + b"\xff")


def broken(path: Path) -> None:
    """A line is half written."""
    path.write_text(f"{PLAN}- [ ] Tre (priority: x)\n")


@pytest.mark.parametrize("damage", [Path.unlink, damaged, broken])
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_the_next_pm_ticks_an_unticked_task_without_starting_it_again(
    quick: Instance,
    orchctl: Orchctl,
    background: Background,
    tmp_path: Path,
    damage: Callable[[Path], None],
    is_forgotten: bool,
) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text(PLAN)
    quick.ctl("pause")
    pm = background(*TICK, cwd=tmp_path)
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    until(lambda: journal.exists() and '"started"' in journal.read_text())
    damage(plan)
    quick.ctl("resume")
    first_report = json.loads(pm.communicate(timeout=30)[0])
    assert pm.returncode == 1
    assert [(row["id"], row["task"]) for row in first_report["developers"]] == [("uno", None)]
    assert "not-ticked" in first_report["troubles"][0]
    plan.write_text(PLAN)
    if is_forgotten:
        quick.ctl("prune", "--older-than", "0s")
        assert quick.status("--all")["agents"] == []
    second_report = pm_report(orchctl(*TICK))
    assert [(row["id"], row["status"], row["task"]) for row in second_report["developers"]] == [
        ("uno", "completed", "ticked"),
        ("due", "completed", "ticked"),
    ]
    assert plan.read_text() == PLAN.replace("[ ]", "[x]")
    assert pm_report(orchctl(*TICK))["developers"] == []


def test_a_pm_with_tick_ticks_tasks_of_an_earlier_pm_without_tick(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.md"
    plan.write_text(PLAN)
    quick.env["ORCHD_MOCK_FAIL"] = "due"
    words = [word for word in TICK if word != "--tick"]
    first_report = pm_report(orchctl(*words, "--once"))
    assert [(row["id"], row["task"]) for row in first_report["developers"]] == [("uno", "open")]
    journal = tmp_path / ".agent/runs/pm-1/journal.jsonl"
    kept_lines = [line for line in journal.read_text().splitlines() if "finished" not in line]
    journal.write_text("\n".join(kept_lines) + "\n")  # as if it had been killed before its end
    pm_report(orchctl(*TICK), code=1)
    assert plan.read_text() == PLAN.replace("[ ] Uno", "[x] Uno")
    assert [agent["task_id"] for agent in quick.status("--all")["agents"]] == ["uno", "due"]
