"""Runs for people."""

from __future__ import annotations

from typing import Any

from orchctl.render.runs import counted, run_lines, runs_lines, summary_lines
from tests.orchctl.agents import ENDED_AT, NOW, QUEUED_AT, agent, ended


def member(path: str, number: int, **fields: Any) -> dict[str, Any]:
    """Return a member of a run."""
    return {"path": path, "id": f"agent-{number:03d}", "required": True, "reason": None, "after": [], **fields}


def run(**fields: Any) -> dict[str, Any]:
    """Return a run of two members, one of them ended."""
    return {
        "id": "run-001",
        "name": "team",
        "task_id": "bd-1",
        "status": "running",
        "reason": None,
        "parent": None,
        "cwd": "/w",
        "results": "/w/.agent/runs/team-1",
        "began_at": QUEUED_AT,
        "ended_at": None,
        "counts": {"completed": 1, "running": 1, "failed": 0},
        "members": [
            {
                "path": "api",
                "id": "agent-001",
                "status": "completed",
                "required": True,
                "reason": None,
                "after": [],
                "weight": 2.0,
            },
            {
                "path": "web/ui",
                "id": "agent-002",
                "status": "running",
                "required": False,
                "reason": "hm",
                "after": ["api"],
                "weight": 1.0,
            },
        ],
        "groups": [],
        **fields,
    }


ANSWER: dict[str, Any] = {
    "run": run(),
    "agents": [ended(1, run="run-001", member="api"), agent(2, name="ui", run="run-001", member="web/ui")],
}


def test_members_are_counted() -> None:
    assert counted(run()) == "1 of 2 ended: 1 completed, 1 running"


def test_each_run_is_rendered_as_one_line() -> None:
    ended_run = run(id="run-002", status="failed", ended_at=ENDED_AT, reason="api failed", task_id=None)
    assert runs_lines([ended_run, run()], NOW) == [
        "run-002  team  failed   2m 1s  1 of 2 ended: 1 completed, 1 running  api failed",
        "run-001  team  running  2m     1 of 2 ended: 1 completed, 1 running  bd-1",
    ]


def test_a_run_is_shown_with_its_members() -> None:
    lines = list(run_lines({**ANSWER, "run": run(parent="agent-009")}, NOW, {"api": "/w/.agent/runs/team-1/api.md"}))
    assert lines == [
        "run-001  team  running  2m  1 of 2 ended: 1 completed, 1 running  bd-1",
        "started by agent-009",
        "results in /w/.agent/runs/team-1",
        "",
        "api     agent-001  completed  1m 1s                       /w/.agent/runs/team-1/api.md",
        "web/ui  agent-002  running    1m     optional  after api                                hm",
    ]


def test_a_run_without_results_is_shown_without_a_results_line() -> None:
    assert "results in" not in "\n".join(run_lines({**ANSWER, "run": run(results=None)}, NOW, {}))


def test_a_summary_names_members_by_their_path() -> None:
    failed_run = run(status="failed", reason="web/ui (agent-002) failed", counts={"completed": 1, "failed": 1})
    agents = [ANSWER["agents"][0], ended(2, status="failed", exit_code=3, member="web/ui")]
    assert list(summary_lines({"run": failed_run, "agents": agents})) == [
        "agent-001  api     completed  1m 1s  exit 0",
        "agent-002  web/ui  failed     1m 1s  exit 3",
        "run-001 failed: web/ui (agent-002) failed; 2 of 2 ended: 1 completed, 1 failed",
    ]


def test_control_characters_are_not_shown() -> None:
    odd = run(name="a\x1b[1m", task_id="\x07", reason="\x1b", results="/\x1b")
    assert all(line.isprintable() for line in [*runs_lines([odd], NOW), *run_lines({**ANSWER, "run": odd}, NOW, {})])
