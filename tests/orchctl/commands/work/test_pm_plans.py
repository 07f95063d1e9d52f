"""`orchctl pm` with the plans of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl
from tests.orchctl.pm.pm_runs import MOCK, pm_report

SPEC = """# Tasks

## Phase 1: Setup

- [x] T001 Make the project
- [ ] T002 [P] Lint in .eslintrc.json
- [ ] T003 [P] [US1] Test

## Phase 2: Build

- [ ] T004 [US1] Build in src/app.py (depends on T003)
"""
KIRO = "- [ ] 1. Data\n  - [ ] 1.1 Model\n  - [ ]* 1.2 Property test\n  - [ ] 1.3 Store\n- [ ] 2. Checkpoint\n"
MASTER = {
    "master": {
        "tasks": [
            {"id": 1, "title": "Setup", "status": "done"},
            {
                "id": 2,
                "title": "API",
                "status": "pending",
                "dependencies": [1],
                "subtasks": [
                    {"id": 1, "title": "Routes", "status": "pending"},
                    {"id": 2, "title": "Handlers", "status": "pending", "dependencies": [1]},
                ],
            },
            {"id": 3, "title": "UI", "status": "pending", "dependencies": [2]},
        ]
    }
}


def test_pm_processes_a_spec_kit_plan_in_order(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "specs/001").mkdir(parents=True)
    (tmp_path / "specs/001/spec.md").write_text("What is wanted.")
    path = tmp_path / "specs/001/tasks.md"
    path.write_text(SPEC)
    report = pm_report(orchctl("pm", "--tasks", "specs/001/tasks.md", "--tick", *MOCK, "--json"))
    assert sorted(row["id"] for row in report["developers"][:2]) == ["T002", "T003"]
    assert report["developers"][2]["id"] == "T004"
    assert path.read_text() == SPEC.replace("[ ]", "[x]")
    prompt = (tmp_path / ".agent/runs/pm-1/T004.prompt.md").read_text()
    assert "Task T004 of specs/001/tasks.md, Phase 2: Build. Read spec.md beside it first." in prompt


def test_pm_processes_a_kiro_plan_leaf_by_leaf(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text(KIRO)
    report = pm_report(orchctl("pm", "--tasks", "tasks.md", "--tick", *MOCK, "--json"))
    assert [row["id"] for row in report["developers"]] == ["1.1", "1.3", "2"]
    assert report["left"] == {"1.2": "optional: use --optional to start it"}
    assert (tmp_path / "tasks.md").read_text() == KIRO.replace("[ ] ", "[x] ")
    assert quick.agent(report["developers"][2]["agent"])["name"] == "task-2"


def test_a_failed_task_is_marked_open_again(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text(KIRO)
    quick.env["ORCHD_MOCK_FAIL"] = "1.3"
    report = pm_report(orchctl("pm", "--tasks", "tasks.md", "--tick", *MOCK, "--json"), code=1)
    assert report["left"]["2"] == "after 1.3, which failed (in order)"
    assert (tmp_path / "tasks.md").read_text() == KIRO.replace("[ ] 1.1", "[x] 1.1").replace("[ ] 1. ", "[-] 1. ")


def test_the_next_pm_resumes_tasks_marked_as_begun(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text(KIRO)
    quick.ctl("pause")
    command = ("pm", "--tasks", "tasks.md", "--tick", *MOCK)
    assert orchctl(*command, "--wait-timeout", "0.2").code == 75
    half_begun = KIRO.replace("[ ] 1. ", "[-] 1. ").replace("[ ] 1.1", "[-] 1.1")
    assert (tmp_path / "tasks.md").read_text() == half_begun
    quick.ctl("resume")
    assert orchctl(*command).code == 0
    assert (tmp_path / "tasks.md").read_text() == KIRO.replace("[ ] ", "[x] ")
    assert len(quick.status("--all")["agents"]) == 3


def test_a_task_that_could_not_be_started_is_marked_open_again(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    (tmp_path / "tasks.md").write_text(KIRO)
    result = orchctl("pm", "--tasks", "tasks.md", "--tick", "--runner", "no-such-runner")
    assert (result.code, result.err.partition(":")[0]) == (1, "unknown-runner")
    assert (tmp_path / "tasks.md").read_text() == KIRO


def test_pm_updates_the_statuses_in_a_task_master_file(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    path = tmp_path / ".taskmaster/tasks/tasks.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(MASTER, indent=2))
    report = pm_report(orchctl("pm", "--tasks", str(path.relative_to(tmp_path)), "--tick", *MOCK, "--json"))
    assert [row["id"] for row in report["developers"]] == ["2.1", "2.2", "3"]
    assert path.read_text() == json.dumps(MASTER, indent=2).replace("pending", "done")


def test_each_tag_of_a_task_master_file_is_a_separate_list(quick: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    task = {"id": 1, "title": "Do it", "status": "pending"}
    (tmp_path / "tasks/tasks.json").write_text(json.dumps({tag: {"tasks": [task]} for tag in ("master", "next", "v3")}))
    (tmp_path / "state.json").write_text('{"currentTag": "next"}')
    command = ("pm", "--tasks", "tasks/tasks.json", *MOCK, "--dry-run", "--json")
    assert pm_report(orchctl(*command))["tag"] == "next"
    assert pm_report(orchctl(*command, "--tag", "v3"))["tag"] == "v3"
    quick.ctl("pause")
    assert orchctl(*command[:-2], "--tag", "master", "--wait-timeout", "0.2").code == 75
    assert pm_report(orchctl(*command, "--tag", "master"))["begun"] == ["1"]
    assert pm_report(orchctl(*command))["begun"] == []
    quick.ctl("resume")


def test_a_dry_run_shows_waves_and_why_each_task_waits(stopped: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text(SPEC)
    assert orchctl("pm", "--tasks", "tasks.md", *MOCK, "--dry-run").out.splitlines() == [
        "wave 1  T002  mock  Lint in .eslintrc.json",
        "wave 1  T003  mock  Test",
        "wave 2  T004  mock  Build in src/app.py (depends on T003)  after T003; after T002 (Phase 1: Setup)",
    ]
    report = pm_report(orchctl("pm", "--tasks", "tasks.md", *MOCK, "--dry-run", "--json"))
    assert (report["format"], [len(wave) for wave in report["waves"]]) == ("spec-kit", [2, 1])
    assert report["waves"][1][0] == {
        "id": "T004",
        "title": "Build in src/app.py (depends on T003)",
        "labels": ["US1"],
        "files": ["src/app.py"],
        "after": ["T003", "T002"],
        "why": "after T003; after T002 (Phase 1: Setup)",
    }
    (tmp_path / "tasks.md").write_text(KIRO)
    lines = orchctl("pm", "--tasks", "tasks.md", *MOCK, "--dry-run").out.splitlines()
    assert lines[-1] == "1.2  not ready: optional: use --optional to start it"
    assert [line.split()[2] for line in lines[:-1]] == ["1.1", "1.3", "2"]
    with_it = orchctl("pm", "--tasks", "tasks.md", *MOCK, "--optional", "--dry-run").out.splitlines()
    assert [line.split()[2] for line in with_it] == ["1.1", "1.2", "1.3", "2"]


def test_pm_prints_ignored_checkboxes_and_implicitly_done_tasks(
    quick: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    text = "- [x] 1. A\n  - [ ] 1.1 B\n\n```\n- [ ] 9. C\n```\n"
    (tmp_path / "tasks.md").write_text(text)
    notes = "line 1: 1 is done; taken as done with it: 1.1", "line 4: 1 box in code or a comment is not a task"
    result = orchctl("pm", "--tasks", "tasks.md", *MOCK)
    assert (result.code, result.err.splitlines()) == (0, [*notes])
    assert orchctl("pm", "--tasks", "tasks.md", "--dry-run").out.splitlines() == ["nothing is ready", *notes]


@pytest.mark.parametrize(
    ("name", "text", "words", "error"),
    [
        (
            "t.md",
            "- [ ] T001 A (depends on T002)\n",
            (),
            "bad-tasks: {path} line 1: 'T001' depends on the unknown task 'T002'",
        ),
        ("t.md", "\n```\n- [ ] T001 A\n", (), "bad-tasks: {path} line 2: the code fence that begins here has no end"),
        ("t.json", '{\n "tasks": [\n  {"id" 1}\n ]\n}\n', (), "bad-tasks: {path} line 3: column 9 is not JSON: "),
        ("t.json", '{\n "a": 1\n}\n', (), "bad-tasks: {path} line 1: is not a Task Master file"),
        ("t.md", "- [ ] 1. A\n", ("--tag", "x"), "bad-tasks: {path} is read as kiro, which has no tags"),
        ("t.md", "- [ ] 1. A\n", ("--format", "kira"), "usage: --format must be one of spec-kit, kiro"),
    ],
)
def test_an_invalid_plan_or_option_starts_no_agent(
    stopped: Instance, orchctl: Orchctl, tmp_path: Path, name: str, text: str, words: tuple[str, ...], error: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    result = orchctl("pm", "--tasks", name, *words, *MOCK)
    assert result.err.startswith(error.format(path=path))
    assert not (tmp_path / ".agent").exists()


def test_format_options_require_a_tasks_file(stopped: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / ".beads").mkdir()
    for words in (("--format", "kiro"), ("--tag", "x"), ("--optional",)):
        assert orchctl("pm", *words).err.startswith("usage: --format, --tag and --optional require --tasks FILE")
