"""The script of the skill: what an LLM starts with `&`. It knows nothing of this package but the program `orchctl`."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchctl.skills import find
from tests.conftest import BIN, DEADLINE, Instance, until
from tests.witness import Witness

SCRIPT = find.SHIPPED / "skill-parallel-orchestration/scripts/spawn_agent_mock.py"
OLD = [shutil.which("python3.8"), *sorted(map(str, Path.home().glob(".pyenv/versions/3.8*/bin/python")))]


def words(name: str = "subtask-A") -> list[str]:
    """Return the arguments of the script."""
    return ["--task_name", name, "--goal", "Implement Logic", "--output_dir", "docs/tasks/results"]


def run_script(
    instance: Instance, directory: Path, *options: str, python: str = sys.executable, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    return subprocess.run(
        [python, SCRIPT, *options],
        env={**instance.env, "ORCHD_MOCK_SECONDS": "0.01", **env},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@contextmanager
def start_script(instance: Instance, directory: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Start the script with an agent that takes long."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *words()],
        env={**instance.env, "ORCHD_MOCK_SECONDS": "30", **env},
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_the_script_prints_the_agent_id_and_the_result_path(instance: Instance, tmp_path: Path) -> None:
    process = run_script(instance, tmp_path, *words())
    result = tmp_path / "docs/tasks/results/subtask-A.md"
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == f"agent-001\nagent-001 subtask-A completed, {result}\n"
    assert result.read_text()
    agent = instance.agent("agent-001")
    assert (agent["name"], agent["goal"], agent["runner"]) == ("subtask-A", "Implement Logic", "mock")


def test_the_script_starts_a_daemon_if_none_runs(stopped: Instance, tmp_path: Path) -> None:
    assert run_script(stopped, tmp_path, *words()).returncode == 0


EIGHT = f"""for name in A B C D E F G H; do
  {sys.executable} {SCRIPT} --task_name "subtask-$name" --goal Implement --output_dir docs/tasks/results &
done
wait"""


def test_eight_background_scripts_respect_a_limit_of_seven(instance: Instance, tmp_path: Path) -> None:
    instance.ctl("pause")
    witness = Witness(instance.directory, limit=7, resident=28)
    env = {**instance.env, "ORCHD_MOCK_SECONDS": "1"}
    shell = subprocess.Popen(
        ["sh", "-c", EIGHT], env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: len(instance.status()["agents"]) == 8)
    instance.ctl("resume")
    out, err = shell.communicate(timeout=DEADLINE)
    witness.close()
    names = [f"subtask-{letter}" for letter in "ABCDEFGH"]
    assert (err, witness.violations, witness.peak_working) == ("", [], 7)
    assert sorted(path.name for path in (tmp_path / "docs/tasks/results").iterdir()) == [f"{name}.md" for name in names]
    assert sorted(re.findall(r"^agent-\d+ (subtask-\w) completed", out, re.MULTILINE)) == names
    assert [agent["status"] for agent in instance.status("--all")["agents"]] == ["completed"] * 8


def test_the_script_exits_with_the_exit_code_of_a_failed_agent(instance: Instance, tmp_path: Path) -> None:
    result = run_script(instance, tmp_path, *words(), ORCHD_MOCK_FAIL="subtask-A")
    assert result.returncode == instance.agent("agent-001")["exit_code"] != 0
    assert result.stdout.splitlines()[1].startswith("agent-001 subtask-A failed: ")
    assert result.stdout.endswith(", no result\n")


def test_the_script_exits_with_143_if_cancelled_and_75_if_timed_out(stopped: Instance, tmp_path: Path) -> None:
    stopped.configure("timeout = 0.5\ngrace = 0.1\n")
    stopped.start()
    assert run_script(stopped, tmp_path, *words(), ORCHD_MOCK_SECONDS="30").returncode == 75
    stopped.ctl("limit", "1")
    stopped.ctl("pause")
    with start_script(stopped, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "agent-002\n"
        stopped.ctl("cancel", "2")
        assert process.wait(DEADLINE) == 143
        assert process.stdout.read().startswith("agent-002 subtask-A cancelled")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_script_and_not_its_agent(instance: Instance, tmp_path: Path, number: signal.Signals) -> None:
    with start_script(instance, tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "agent-001\n"
        process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number
        assert process.stderr.read() == (
            "spawn_agent_mock.py: agent-001 keeps running: `orchctl wait agent-001` waits for it, "
            "`orchctl cancel agent-001` ends it\n"
        )
    assert instance.agent("agent-001")["status"] == "running"


def test_a_signal_during_the_spawn_still_reports_the_agent(instance: Instance, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    os.mkfifo(tmp_path / "gate")
    slow.write_text(f'#!/bin/sh\necho here >&2\nread x <{tmp_path}/gate\nexec {BIN}/orchctl "$@"\n')
    slow.chmod(0o755)
    with start_script(instance, tmp_path, ORCHCTL=str(slow)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "here\n"
        process.terminate()
        (tmp_path / "gate").write_text("\n")
        assert process.wait(DEADLINE) == 143
        assert "agent-001 keeps running" in process.stderr.read()


def test_a_missing_orchctl_is_reported_with_a_remedy(stopped: Instance, tmp_path: Path) -> None:
    result = run_script(stopped, tmp_path, *words(), PATH=str(tmp_path))
    assert (result.returncode, result.stdout) == (127, "")
    assert (
        result.stderr
        == "spawn_agent_mock.py: no `orchctl` is found: install orchd, or give its path in the variable ORCHCTL\n"
    )


def test_the_orchctl_variable_sets_the_path_of_orchctl(instance: Instance, tmp_path: Path) -> None:
    assert run_script(instance, tmp_path, *words(), PATH="/usr/bin:/bin", ORCHCTL=str(BIN / "orchctl")).returncode == 0
    assert run_script(instance, tmp_path, *words(), ORCHCTL="/no/where").returncode == 127


def test_a_refusal_by_orchctl_is_printed_with_its_exit_code(instance: Instance, tmp_path: Path) -> None:
    long = words()
    long[3] = "x" * 5000
    result = run_script(instance, tmp_path, *long)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("spawn_agent_mock.py: usage: --goal must be at most 4,096 characters")


def test_a_silent_failure_of_orchctl_is_reported(stopped: Instance, tmp_path: Path) -> None:
    result = run_script(stopped, tmp_path, *words(), ORCHCTL=shutil.which("false") or "")
    assert (result.returncode, result.stderr) == (1, "spawn_agent_mock.py: orchctl ended with 1 and said nothing\n")


@pytest.mark.parametrize("options", [words()[:4], [*words(), "--more", "x"], words("../up"), words("")])
def test_missing_unknown_and_invalid_options_are_refused(
    stopped: Instance, tmp_path: Path, options: Sequence[str]
) -> None:
    result = run_script(stopped, tmp_path, *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage: spawn_agent_mock.py ")


def test_the_script_imports_only_the_standard_library() -> None:
    imported = {
        name.name
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, ast.Import)
        for name in node.names
    }
    sources = [node for node in ast.walk(ast.parse(SCRIPT.read_text())) if isinstance(node, ast.ImportFrom)]
    imported |= {str(node.module).split(".")[0] for node in sources}
    assert imported <= {*sys.stdlib_module_names, "__future__"}
    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))


@pytest.mark.skipif(not any(OLD), reason="no Python 3.8 here")
def test_the_script_runs_on_python_3_8(instance: Instance, tmp_path: Path) -> None:
    works = next(
        program
        for program in OLD
        if program and not subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode
    )
    result = run_script(instance, tmp_path, *words(), python=works)
    assert (result.returncode, result.stderr) == (0, "")
