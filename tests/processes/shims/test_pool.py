"""Shims that serve one attempt after another: which attempts a shim serves, and what each of them finds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchd.core.inputs import SpawnFailed
from orchd.processes.linux.procfs import environment_markers
from tests.conftest import until
from tests.processes.shims.attempts import Attempts
from tests.support.attempts import agent


def test_successive_agents_are_served_by_the_same_shim(attempts: Attempts) -> None:
    show = 'echo "$0 $ORCHD_AGENT $ORCHD_ATTEMPT $ORCHD_NAME $ORCHD_GOAL"; exit'
    first = agent("sh", "-c", f"{show} 3", "a", goal="the first")
    second = agent("sh", "-c", f"{show} 4", "b", number=2)
    third = agent("sh", "-c", f"{show} 5", "c", number=3, goal="it's the third")
    pid = attempts.start(first)
    codes = [attempts.end(first).outcome.code]
    for follower in (second, third):
        assert attempts.start(follower) == pid
        assert attempts.processes.shims() == {pid: (follower.id, 1)}
        assert follower.cgroup == first.cgroup
        codes.append(attempts.end(follower).outcome.code)
    assert codes == [3, 4, 5]
    assert [attempts.log(agent) for agent in (first, second, third)] == [
        "a agent-001 1 name the first\n",
        "b agent-002 1 name \n",
        "c agent-003 1 name it's the third\n",
    ]


def test_a_reusable_shim_has_no_agent_markers_in_its_environment(attempts: Attempts, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    new_agent = agent("sh", "-c", f"echo there; read x <{tmp_path}/go")
    pid = attempts.start(new_agent)
    attempts.processes.release(new_agent.id, 1)
    until(lambda: attempts.log(new_agent) == "there\n")
    assert environment_markers(pid) == {"ORCHD_HOME": str(attempts.home.directory)}
    (child,) = psutil.Process(pid).children()
    assert environment_markers(child.pid) == {
        **environment_markers(pid),
        "ORCHD_AGENT": "agent-001",
        "ORCHD_ATTEMPT": "1",
    }
    (tmp_path / "go").write_text("\n")
    assert attempts.news()


def shown(pid: int) -> list[str]:
    """The arguments of a process, as ps shows them; a program that is just beginning has none for a moment."""
    command_line: str = until(Path(f"/proc/{pid}/cmdline").read_text)
    return command_line.rstrip("\0").split("\0")


def test_arguments_of_a_reused_shim_name_no_agent(attempts: Attempts, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    first = agent("sh", "-c", ": the-first")
    pid = attempts.start(first)
    arguments = shown(pid)
    assert arguments[-1] == "orchd-shim"
    assert not [word for word in arguments if "agent-0" in word or "the-first" in word]
    assert attempts.end(first).outcome.code == 0
    second = agent("sh", "-c", f"echo there; read x <{tmp_path}/go", number=2)
    assert attempts.start(second) == pid
    attempts.processes.release(second.id, 1)
    until(lambda: attempts.log(second) == "there\n")
    assert shown(pid) == arguments
    (child,) = psutil.Process(pid).children()
    assert environment_markers(child.pid)["ORCHD_AGENT"] == "agent-002"
    assert shown(child.pid)[-1].startswith("echo there")
    (tmp_path / "go").write_text("\n")
    assert attempts.news()


@pytest.mark.parametrize("word", ["\n", "\x80", "x" * 40000])
def test_a_shim_that_names_its_agent_is_not_reused(attempts: Attempts, word: str) -> None:
    new_agent = agent("/usr/bin/printf", "%s", word)
    pid = attempts.start(new_agent)
    assert "orchd-agent-001.1" in shown(pid)
    attempts.end(new_agent)
    assert Path(f"{attempts.home.agents}/agent-001.1.log").read_bytes() == os.fsencode(word)
    assert attempts.start(agent("true", number=2)) != pid


@pytest.mark.parametrize("word", ["", "a b", "$HOME", "*", "';echo x", '"', "\\", "-n", "`id`", "!", "~", "#", "--"])
def test_first_agent_of_a_shim_receives_its_arguments_byte_for_byte(attempts: Attempts, word: str) -> None:
    new_agent = agent("/usr/bin/printf", "[%s]", word)
    assert shown(attempts.start(new_agent))[-1] == "orchd-shim"
    assert attempts.end(new_agent).outcome.code == 0
    assert attempts.log(new_agent) == f"[{word}]"


@pytest.mark.parametrize("word", ["", "a b", "$HOME", "*", "';echo x", '"', "\\", "-n", "`id`", "!", "~", "#", "--"])
def test_next_agent_of_a_shim_receives_its_arguments_byte_for_byte(attempts: Attempts, word: str) -> None:
    pid = attempts.run("true")
    second = agent("/usr/bin/printf", "[%s]", word, number=2)
    assert attempts.start(second) == pid
    assert attempts.end(second).outcome.code == 0
    assert attempts.log(second) == f"[{word}]"


@pytest.mark.parametrize("is_first", [True, False])
def test_an_agent_with_a_stdin_gets_its_own_shim(attempts: Attempts, is_first: bool) -> None:
    fields: dict[str, Any] = {"stdin": "/dev/zero"}
    pid = attempts.run("true", **(fields if is_first else {}))
    second = agent("head", "-c3", number=2, **({} if is_first else fields))
    assert attempts.start(second) != pid
    attempts.end(second)
    assert attempts.log(second) == ("" if is_first else "\0\0\0")


OTHERS: dict[str, dict[str, Any]] = {
    "variables": {"environment": "other"},
    "own variables": {"variables": (("A", "1"),)},
}


@pytest.mark.parametrize("fields", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("is_first", [True, False])
def test_an_agent_with_other_variables_reuses_a_shim_and_gets_only_its_own(
    attempts: Attempts, fields: dict[str, Any], is_first: bool
) -> None:
    pid = attempts.run("true", **(fields if is_first else {}))
    second = agent("env", number=2, **({} if is_first else fields))
    assert attempts.start(second) == pid
    attempts.end(second)
    output = attempts.log(second)
    assert ("OTHER=1" in output, "A=1" in output) == (
        not is_first and "environment" in fields,
        not is_first and "variables" in fields,
    )


def test_each_enters_its_own_directory_and_enters_it_anew(attempts: Attempts, tmp_path: Path) -> None:
    first, second, current = tmp_path / "it's", tmp_path / "2", tmp_path / "current"
    for directory in (first, second):
        directory.mkdir()
    current.symlink_to(first)
    pid = attempts.run("pwd", "-P", cwd=str(current))
    for number, (words, cwd) in enumerate(
        [
            (("ln", "-sfn", "2", "current"), tmp_path),
            (("sh", "-c", "pwd -P; echo $PWD"), current),
            (("sh", "-c", "rm -rf ../2 && mkdir ../2"), second),
            (("touch", "made"), second),
            (("pwd", "-P"), first),
        ],
        2,
    ):
        new_agent = agent(*words, number=number, cwd=str(cwd))
        assert attempts.start(new_agent) == pid
        assert attempts.end(new_agent).outcome.code == 0
    assert attempts.log(agent(number=3)) == f"{second}\n{current}\n"
    assert (second / "made").exists()
    assert attempts.log(agent(number=6)) == f"{first}\n"


@pytest.mark.parametrize("is_first", [True, False])
def test_an_agent_reports_a_directory_deleted_before_its_gate_opens(
    attempts: Attempts, tmp_path: Path, is_first: bool
) -> None:
    (tmp_path / "there").mkdir()
    pid = 0 if is_first else attempts.run("true", number=9)
    new_agent = agent("touch", str(tmp_path / "ran"), cwd=str(tmp_path / "there"))
    assert attempts.start(new_agent) == pid or is_first
    (tmp_path / "there").rmdir()
    exited = attempts.end(new_agent)
    assert exited.outcome.code == 126
    assert exited.note == "its working directory could not be entered when it was about to start"
    assert not (tmp_path / "ran").exists()
    assert attempts.run("true", number=2) == new_agent.pid


def test_a_directory_deleted_by_the_previous_agent_is_refused(attempts: Attempts, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    attempts.run("rmdir", str(tmp_path / "there"), cwd=str(tmp_path / "there"))
    result = attempts.processes.start(agent("true", number=2, cwd=str(tmp_path / "there")))
    assert isinstance(result, SpawnFailed)
    assert (result.reason, result.is_passing) == (f"cannot start in {tmp_path}/there: no such directory", False)


@pytest.mark.parametrize("word", ["\n", "\x80", "\t", "x" * 4096, "\udcff"])
def test_an_agent_with_arguments_unfit_for_a_line_gets_its_own_shim(attempts: Attempts, word: str) -> None:
    pid = attempts.run("true")
    second = agent("/usr/bin/printf", "%s", word, number=2)
    assert attempts.start(second) != pid
    attempts.end(second)
    assert Path(f"{attempts.home.agents}/agent-002.1.log").read_bytes() == os.fsencode(word)
