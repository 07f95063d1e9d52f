"""The command of an attempt: its program, its variables, its directories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchd.processes.attempt_files import files_of
from orchd.processes.launching.command import environment_of
from tests.conftest import Instance
from tests.support.bench import Bench
from tests.support.process_state import process_state


def test_agent_identity_variables_override_the_clients_environment(bench: Bench) -> None:
    env = {"PATH": "/usr/bin:/bin", "MINE": "1", "ORCHD_HOME": "/x", "ORCHD_AGENT": "agent-9", "ORCHD_OUTPUT_DIR": "/x"}
    state = process_state(bench, env=env)["env"]
    assert {name: value for name, value in state.items() if name != "LC_CTYPE"} == {  # type: ignore[attr-defined]
        "PATH": f"{bench.home.bin}:/usr/bin:/bin",
        "MINE": "1",
        "PWD": "/",
        "ORCHD_HOME": str(bench.home.directory),
        "ORCHD_AGENT": "agent-001",
        "ORCHD_ATTEMPT": "1",
        "ORCHD_NAME": "python",
    }


def test_an_agent_without_a_path_gets_the_default_path(bench: Bench) -> None:
    agent = bench.spawn("true", env={})
    assert environment_of(bench.home, agent, {})["PATH"] == f"{bench.home.bin}:{os.defpath}"
    assert environment_of(bench.home, agent, {"PATH": ""})["PATH"] == f"{bench.home.bin}:{os.defpath}"


def test_pwd_keeps_a_logical_path_to_the_directory(bench: Bench, tmp_path: Path) -> None:
    real, other, link = tmp_path / "real", tmp_path / "other", tmp_path / "link"
    real.mkdir()
    other.mkdir()
    link.symlink_to(real)
    state = process_state(bench, cwd=str(real), env={"PATH": os.defpath, "PWD": str(link)})
    assert (state["env"]["PWD"], state["cwd"]) == (str(link), str(real))  # type: ignore[index]
    agent = bench.spawn("true", cwd=str(real), env={})
    for wrong in (other, tmp_path / "none", f"{tmp_path}/./link", f"{tmp_path}/other/../link", "link", ""):
        assert environment_of(bench.home, agent, {"PWD": str(wrong)})["PWD"] == str(real)
    logical = bench.spawn("true", cwd=str(link), env={})
    assert environment_of(bench.home, logical, {"PWD": str(other)})["PWD"] == str(link)


def test_an_agent_of_a_caller_in_a_symlinked_directory_keeps_its_pwd(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    link = tmp_path / "link"
    shows = "sh -c 'echo in $PWD; pwd'"
    command = ["/bin/sh", "-c", f"cd {link} && orchctl spawn --wait -- {shows}"]
    process = subprocess.run(command, env=instance.env, capture_output=True, text=True, check=True)
    log = Path(instance.home.agents / "agent-001.1.log").read_text()
    assert log == f"in {link}\n{link}\n", process
    assert subprocess.run(["/bin/sh", "-c", f"cd {link} && pwd"], capture_output=True, text=True).stdout == f"{link}\n"


def test_a_program_path_is_relative_to_the_working_directory(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "it.sh"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    for command in ("./it.sh", str(program)):
        agent = bench.spawn(command, cwd=str(tmp_path))
        bench.until_over(agent)
        assert bench.agent(agent.id).status.value == "completed"


@pytest.mark.parametrize(
    ("path", "meant"),
    [("./bin:/usr/bin:/bin", "bin/tool"), ("/usr/bin:bin", "bin/tool"), (":/usr/bin", "tool"), ("/usr/bin:", "tool")],
)
def test_relative_path_entries_resolve_against_the_working_directory(
    bench: Bench, tmp_path: Path, path: str, meant: str
) -> None:
    there = tmp_path / "a:b"  # which no PATH could name
    for program in (there / "bin" / "tool", there / "tool"):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text('#!/bin/sh\necho "$0"\n')
        program.chmod(0o700)
    agent = bench.spawn("tool", cwd=str(there), env={"PATH": path})
    bench.until_over(agent)
    assert bench.agent(agent.id).status.value == "completed"
    output = Path(files_of(bench.home, agent.id, 1).log).read_text().strip()
    assert (there / output).samefile(there / meant)


def test_a_program_in_the_daemons_directory_is_not_used(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ours"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    agent = bench.spawn("ours", cwd="/", env={"PATH": ".:/usr/bin:/bin"})
    assert agent.status.value == "failed"
    assert "no such program" in str(agent.reason)


def test_a_builtin_of_the_shell_is_no_program(bench: Bench) -> None:
    agent = bench.spawn("trap")
    assert agent.status.value == "failed"
    assert "no such program" in str(agent.reason)


@pytest.mark.parametrize("word", ["", "a b", "$HOME", "*", "';echo x", "-n", "\n", "\udcff"])
def test_an_agent_receives_its_arguments_byte_for_byte(bench: Bench, word: str) -> None:
    assert process_state(bench, word)["args"] == [word]


def test_runner_does_not_import_modules_from_the_working_directory(instance: Instance, tmp_path: Path) -> None:
    """A checkout, or a variable of the agent's, may hold files that are called as modules of ours or of Python's."""
    planted = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for name in ("json.py", "sitecustomize.py", "orchctl/__init__.py", "orchctl/runners/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(planted)
    there = ["--cwd", str(tmp_path), "--env", f"PYTHONPATH={tmp_path}"]
    options = ["--runner", "mock", "--goal", "g", "--result", str(tmp_path / "r.md")]
    agent_id = instance.ctl("spawn", *options, *there).strip()
    instance.ctl("wait", agent_id)
    assert (tmp_path / "r.md").is_file()
    assert not (tmp_path / "ran").exists()
