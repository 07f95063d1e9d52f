"""`orchctl run`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchd.protocol import operations, schema
from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Background, Orchctl, Terminal

WRITES = ["sh", "-c", 'cat >/dev/null; echo "$ORCHD_TASK_ID $ORCHD_SKILL" >"$ORCHD_RESULT"']


@pytest.fixture
def team(tmp_path: Path) -> str:
    """Two members, one after the other, that write their variables into their results."""
    value = composition(after("api", command=WRITES), after("ui", "api", command=WRITES))
    return str(written(tmp_path / "team.json", value))


def test_run_prints_the_run_id_then_its_members_and_a_summary(team: str, orchctl: Orchctl, instance: Instance) -> None:
    result = orchctl("run", team, "--task-id", "bd-1")
    assert (result.code, result.err) == (0, "")
    begun_line, api, ui, summary_line = result.out.splitlines()
    assert begun_line == "run-001"
    assert api.split()[:3] == ["agent-001", "api", "completed"]
    assert ui.split()[:3] == ["agent-002", "ui", "completed"]
    assert summary_line == "run-001 completed; 2 of 2 ended: 2 completed"


def test_run_writes_results_and_prompts_to_its_results_directory(
    team: str, orchctl: Orchctl, instance: Instance, tmp_path: Path
) -> None:
    orchctl("run", team, "--task-id", "bd-1", "--requirements", "Log in", "--context", "a=b")
    results = tmp_path / ".agent/runs/team-1"
    assert (results / "api.md").read_text() == "bd-1 api\n"
    prompt = (results / "ui.prompt.md").read_text()
    for text in ("does ui", "bd-1", "Log in", "a: b", str(results / "api.md"), str(results / "ui.md")):
        assert text in prompt
    orchctl("run", team)
    assert (tmp_path / ".agent/runs/team-2/api.md").read_text() == " api\n"


def test_a_failed_run_exits_with_code_1(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    written(tmp_path / "bad.json", composition(after("a", command=["false"]), after("b", "a", command=["true"])))
    result = orchctl("run", "bad.json")
    assert (result.code, result.err) == (1, "")
    begun_line, first, second, summary_line = result.out.splitlines()
    assert begun_line == "run-001"
    assert [line.split()[2] for line in (first, second)] == ["failed", "skipped"]
    assert summary_line.startswith("run-001 failed: ")


def test_run_json_is_one_object_with_the_ended_run(team: str, orchctl: Orchctl, instance: Instance) -> None:
    result = orchctl("run", team, "--json")
    answer = json.loads(result.out)
    assert (result.code, result.err) == (0, "")
    assert [(agent["name"], agent["status"]) for agent in answer["agents"]] == [
        ("api", "completed"),
        ("ui", "completed"),
    ]
    assert (answer["run"]["id"], answer["run"]["status"]) == ("run-001", "completed")


def test_a_detached_run_does_not_wait(
    orchctl: Orchctl, instance: Instance, gate: Callable[[], None], tmp_path: Path
) -> None:
    written(tmp_path / "slow.json", composition(after("a", command=["sh", "-c", f"read x <{tmp_path}/gate"])))
    assert orchctl("run", "slow.json", "--detach") == (0, "run-001\n", "")
    gate()
    assert orchctl("wait", "run-001").code == 0


def test_run_on_a_terminal_shows_progress(
    instance: Instance, background: Background, terminal: Terminal, gate: Callable[[], None], tmp_path: Path
) -> None:
    path = written(tmp_path / "slow.json", composition(after("a", command=["sh", "-c", f"read x <{tmp_path}/gate"])))
    running = background("run", str(path), stderr=terminal.theirs, cwd=tmp_path)
    terminal.until("waiting: 0 of 1 ended, 1 running")
    gate()
    assert running.communicate(timeout=30)[0].startswith("run-001\nagent-001  a  completed")


def test_a_dry_run_shows_the_request_and_does_nothing(
    team: str, orchctl: Orchctl, stopped: Instance, tmp_path: Path
) -> None:
    result = orchctl("run", team, "--dry-run", "--json", "--task-id", "bd-1")
    built = schema.parse(operations.Run, json.loads(result.out))
    assert [member.path for member in built.members] == ["api", "ui"]
    assert built.results == str(tmp_path / ".agent/runs/team-1")
    for_people = orchctl("run", team, "--dry-run")
    assert for_people.out.splitlines()[0] == f"team: 2 members, results in {tmp_path}/.agent/runs/team-1"
    assert "ui, after api" in for_people.out
    assert not (tmp_path / ".agent").exists()
    assert not stopped.home.socket.exists()


def test_mock_agents_run_without_claude_on_the_path(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    env = {**instance.env, "ORCHD_MOCK_SECONDS": "0.01", "ORCHD_MOCK_FAIL": "b", "PATH": str(tmp_path / "bin")}
    written(tmp_path / "team.json", composition("a", after("b", required=False)))
    result = orchctl("run", "team.json", env=env)
    assert result.err.startswith("using the mock runner, no real work is done")
    assert [line.split()[2] for line in result.out.splitlines()[1:3]] == ["completed", "failed"]
    assert (tmp_path / ".agent/runs/team-1/a.md").exists()
    assert orchctl("run", "team.json", "--runner", "mock", "--dry-run", env=env).err == ""


def test_run_refuses_an_unknown_runner(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", composition("a"))
    result = orchctl("run", "team.json", "--runner", "nothing")
    assert result.code == 1
    assert result.err.startswith("unknown-runner: unknown runner 'nothing'; valid runners are mock, ")
    assert list((tmp_path / ".agent/runs").iterdir()) == []


def test_a_bad_composition_is_refused_and_no_file_is_written(
    orchctl: Orchctl, stopped: Instance, tmp_path: Path
) -> None:
    written(tmp_path / "bad.json", composition(after("a", "zz")))
    result = orchctl("run", "bad.json")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("bad-composition: ")
    assert not (tmp_path / ".agent").exists()


def test_a_refused_run_request_leaves_no_results_directory(
    team: str, orchctl: Orchctl, stopped: Instance, tmp_path: Path
) -> None:
    result = orchctl("run", team, "--task-id", "x" * 201)
    assert (result.code, result.err[:18]) == (2, "usage: --task-id m")
    assert not list(tmp_path.glob(".agent/runs/*"))


def test_requirements_and_directories_may_be_non_utf_8(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    place = tmp_path / "caf\udce9"
    path = written(place / "team.json", composition(after("api", command=WRITES)))
    result = orchctl("run", str(path), "--requirements", "caf\udce9", cwd=place)
    assert result.code == 0, result
    assert b"caf\xe9" in (place / ".agent/runs/team-1/api.prompt.md").read_bytes()
    assert (place / ".agent/runs/team-1/api.md").is_file()


@pytest.mark.parametrize(("required", "code"), [(False, 0), (True, 1)])
def test_run_and_wait_have_the_same_exit_code_and_output(
    required: bool,
    code: int,
    orchctl: Orchctl,
    instance: Instance,
    tmp_path: Path,
) -> None:
    extra = {"skillName": "extra", "role": "r", "required": required, "command": ["false"]}
    strategy = {"errorHandling": "continue-on-error"}
    written(tmp_path / "team.json", composition(after("main", command=["true"]), extra, coordinationStrategy=strategy))
    result = orchctl("run", "team.json")
    waited = orchctl("wait", "run-001")
    assert (result.code, waited.code) == (code, code)
    assert (result.err, waited.err) == ("", "")
    assert result.out == f"run-001\n{waited.out}"
    assert waited.out.splitlines()[-1].startswith(f"run-001 {'failed' if required else 'completed'}")
    answer = json.loads(orchctl("wait", "run-001", "--json").out)
    assert [(run["id"], run["status"]) for run in answer["runs"]] == [
        ("run-001", "failed" if required else "completed")
    ]
    assert orchctl("wait", "agent-002").code == 1  # asked for by itself


def test_wait_for_a_run_and_an_agent_evaluates_both(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    extra = {"skillName": "extra", "role": "r", "required": False, "command": ["false"]}
    written(tmp_path / "team.json", composition(after("main", command=["true"]), extra))
    assert orchctl("run", "team.json").code == 0
    instance.spawn("false")
    assert orchctl("wait", "run-001", "agent-003").code == 1
    assert orchctl("wait", "run-1", "--timeout", "5s").code == 0


def test_result_paths_with_colons_and_newlines_reach_dependents(
    orchctl: Orchctl, instance: Instance, tmp_path: Path
) -> None:
    place = tmp_path / "a:b\nc d"
    reads = "import json, os; print(*map(os.path.exists, json.loads(os.environ['ORCHD_RESULTS'])))"
    value = composition(
        after("x", id="a:b", command=WRITES),
        after("y", id="c:d", command=WRITES),
        after("last", "a:b", "c:d", command=[sys.executable, "-c", reads]),
        after("mock", "a:b", runner="mock"),
    )
    written(place / "team.json", value)
    result = orchctl("run", "team.json", cwd=place, env={**instance.env, "ORCHD_MOCK_SECONDS": "0.01"})
    assert result.code == 0, result
    assert orchctl("logs", "agent-003").out == "True True\n"
    assert f"- has read {place}/.agent/runs/team-1/a:b.md" in (place / ".agent/runs/team-1/mock.md").read_text()


def test_a_run_continues_after_its_wait_timeout(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "team.json", composition("a"))
    env = {**instance.env, "ORCHD_MOCK_SECONDS": "600"}
    result = orchctl("run", "team.json", "--wait-timeout", "0.1", env=env)
    assert result.code == 75
    assert "timed-out: run-001 continues" in result.err
    assert "running" in orchctl("runs").out
