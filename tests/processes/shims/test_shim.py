"""The lines that a shim gets to serve another attempt, and what is kept out of them."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state.agents import ProcessAttributes, Spec
from orchd.processes.attempt_files import AttemptFiles
from orchd.processes.launching import handover
from orchd.processes.launching.command import AgentCommand, command
from orchd.processes.linux.cgroups import Cgroup
from orchd.processes.shims.shim import MOST, Shim

SPEC = Spec(("true",), "name", "/", "e")
VARIABLES = {"PATH": "/bin", "PWD": "/", "ORCHD_HOME": "/h", "ORCHD_AGENT": "agent-001", "ORCHD_GOAL": "one"}
TRUE = command(["/bin/true"], VARIABLES)
FILES = AttemptFiles("/h/agents/agent-002.1")


def shim(gate: int | None = None, **fields: Any) -> Shim:
    """One in a cgroup of its own."""
    return replace(Shim(0, gate, Cgroup(Path("/nowhere")), SPEC, TRUE), **fields)


def line(spec: Spec, agent_command: AgentCommand) -> bytes | None:
    """Return the line that the shim gets for the next attempt."""
    prepared = shim().prepared(spec, agent_command, FILES)
    return None if prepared is None else prepared[1]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours of a gate, and a shim's."""
    near_end, far_end = socket.socketpair()
    with near_end, far_end:
        yield near_end, far_end


def test_the_first_attempt_gets_a_line_without_changes(ends: tuple[socket.socket, socket.socket]) -> None:
    shim(ends[0].fileno()).open()
    assert ends[1].recv(99) == b":\n"


def test_opening_a_gate_without_a_peer_is_no_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    handle = shim(ends[0].fileno())
    handle.open()
    assert not handle.has_served()


def test_a_shim_that_ended_without_reading_has_not_served(ends: tuple[socket.socket, socket.socket]) -> None:
    handle = shim(ends[0].fileno())
    handle.open()
    ends[1].close()  # which the kernel tells as a connection that was reset
    assert not handle.has_served()


def test_a_shim_has_served_when_it_reports_so(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].sendall(b"\n")
    assert shim(ends[0].fileno()).has_served()


def test_a_closed_gate_is_not_opened_again() -> None:
    handle = shim(None)
    handle.open()
    assert not handle.has_served()


@pytest.mark.parametrize(
    "fields",
    [
        {"cgroup": None},
        {"attempts": MOST},
        {"spec": replace(SPEC, stdin="/x")},
        {"spec": replace(SPEC, memory_max=1)},
        {"spec": replace(SPEC, pids_max=9)},
    ],
)
def test_a_shim_with_limits_stdin_full_record_or_no_cgroup_is_not_reused(fields: dict[str, Any]) -> None:
    assert shim().may_be_followed
    assert not shim(**fields).may_be_followed


def test_the_line_contains_only_the_differences() -> None:
    names = ["ORCHD_GOAL", "ORCHD_SKILL", "PWD"]
    goal, skill, pwd = (f"_orchd_{TRUE.slots.index(name)}" for name in names)
    variables = {**VARIABLES, "PWD": "/a b", "ORCHD_AGENT": "agent-002", "ORCHD_SKILL": "s"}
    del variables["ORCHD_GOAL"]
    assert (
        line(replace(SPEC, cwd="/a b"), command(["/bin/echo", "it's"], variables))
        == (
            f"next agent-002.1&&{goal}=ORCHD_GOAL&&{skill}=ORCHD_SKILL=s&&{pwd}='PWD=/a b'&&_orchd_cwd='/a b'"
            """&&set -- /bin/echo 'it'"'"'s'\n"""
        ).encode()
    )


@pytest.mark.parametrize(
    ("spec", "variables"),
    [
        (replace(SPEC, stdin="/x"), {}),
        (replace(SPEC, cpu_max=0.5), {}),
        (SPEC, {f"MINE_{number}": "1" for number in range(9)}),
        (SPEC, {"not a word": "1"}),
        (SPEC, {"_": "/bin/true"}),
        (SPEC, {"ORCHD_HOME": "/other"}),
        (SPEC, {"ORCHD_GOAL": "two\nlines"}),
        (SPEC, {"ORCHD_GOAL": "g\u00f6al"}),
        (SPEC, {"ORCHD_GOAL": "x" * 4096}),
    ],
)
def test_an_agent_that_needs_its_own_shim_gets_no_line(spec: Spec, variables: dict[str, str]) -> None:
    assert line(SPEC, TRUE) is not None
    assert line(spec, command(["/bin/true"], {**VARIABLES, **variables})) is None


def test_an_agent_with_other_process_attributes_gets_no_line() -> None:
    for attributes in (ProcessAttributes(umask=0o022), ProcessAttributes(limits=(("nofile", 9, 9),))):
        assert line(SPEC, command(["/bin/true"], VARIABLES, attributes)) is None


def test_the_line_contains_a_changed_variable() -> None:
    assert (
        line(SPEC, command(["/bin/true"], {**VARIABLES, "PATH": "/x y"}))
        == f"next agent-002.1&&_orchd_{TRUE.slots.index('PATH')}='PATH=/x y'&&set -- /bin/true\n".encode()
    )


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=4), st.text(max_size=20))
def test_shell_reads_any_quoted_arguments_unchanged(words: list[str], goal: str) -> None:
    written = line(SPEC, command(["/bin/x", *words], {**VARIABLES, "ORCHD_GOAL": goal}))
    if written is None:
        assert not goal.isascii() or not goal.isprintable()
        return
    variable = f"_orchd_{TRUE.slots.index('ORCHD_GOAL')}"
    show = f"""printf '%s\\0' "${variable}" "$@" """
    script = f"next() {{ :; }}; {written.decode()}{show}"
    env = {variable: "ORCHD_GOAL=one"}
    output = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env=env).stdout
    assert os.fsdecode(output).split("\0")[:-1] == [f"ORCHD_GOAL={goal}", "/bin/x", *words]


def test_a_name_that_a_later_agent_lacks_stays_in_no_slot() -> None:
    handle = shim()
    prepared = handle.prepared(SPEC, command(["/bin/true"], {**VARIABLES, "PS4": "x"}), FILES)
    assert prepared is not None
    assert "PS4" in prepared[0]
    handle.command = command(["/bin/true"], {**VARIABLES, "PS4": "x"})._replace(slots=prepared[0])
    prepared = handle.prepared(SPEC, TRUE, FILES)
    assert prepared is not None
    assert "PS4" not in prepared[0]  # bash has such a variable, and would export it
    assert b"PS4" not in prepared[1]


def test_an_agent_gets_its_own_variables_and_none_of_the_agents_before_it() -> None:
    handle, names = shim(), [f"MINE_{number}" for number in range(20)]
    shell = [f"{name}={quote(value)}" for name, value in handover.shim_environment(TRUE.slots, VARIABLES).items()]
    for name in names:
        agent_command = command(["/usr/bin/env", "-0"], {**VARIABLES, name: f"of {name}"})
        prepared = handle.prepared(SPEC, agent_command, FILES)
        assert prepared is not None
        handle.command = agent_command._replace(slots=prepared[0])
        shell.append(f'{prepared[1].decode()}(export ORCHD_HOME=/h; eval "$_orchd_begin")')
    script = "\n".join(["next() { :; }", f"_orchd_begin={quote(TRUE.begin)}", *shell])
    output = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env={}).stdout
    mine = [entry for entry in os.fsdecode(output).split("\0") if entry.startswith("MINE_")]
    assert mine == [f"{name}=of {name}" for name in names]
    assert "_orchd_" not in os.fsdecode(output)
