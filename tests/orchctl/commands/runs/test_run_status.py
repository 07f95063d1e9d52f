"""`orchctl run-status`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl

WRITES = ["sh", "-c", 'echo done >"$ORCHD_RESULT"']


def test_a_run_is_shown_with_its_members_and_results(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    members = (after("api", command=WRITES), after("ui", "api", command=["false"]), after("qa", "ui", command=["true"]))
    written(tmp_path / "team.json", composition(*members))
    orchctl("run", "team.json", "--task-id", "bd-1")
    result = orchctl("run-status", "run-001")
    assert (result.code, result.err) == (0, "")
    head, results, _, api, ui, qa = result.out.splitlines()
    assert head.split()[:3] == ["run-001", "team", "failed"]
    assert "bd-1" in head
    assert results == f"results in {tmp_path}/.agent/runs/team-1"
    assert api.split()[:3] == ["api", "agent-001", "completed"]
    assert api.endswith("/team-1/api.md")
    assert ui.split()[:3] == ["ui", "agent-002", "failed"]
    assert qa.split()[:3] == ["qa", "agent-003", "skipped"]


def test_run_status_json_has_the_run_and_its_agents(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    written(tmp_path / "team.json", composition(after("a", command=["true"])))
    orchctl("run", "team.json")
    answer = json.loads(orchctl("run-status", "run-1", "--json").out)
    assert answer["run"]["members"][0]["path"] == "a"
    assert (answer["agents"][0]["run"], answer["agents"][0]["member"]) == ("run-001", "a")


def test_an_unknown_run_is_refused(orchctl: Orchctl, instance: Instance) -> None:
    result = orchctl("run-status", "run-007")
    assert result.code == 1
    assert result.err.startswith("unknown-run: ")
