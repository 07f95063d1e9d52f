"""What a shim is told so that it serves another attempt, and what it is not told."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.model import Spec
from orchd.procs.cgroups import Cgroup
from orchd.procs.command import Command
from orchd.procs.files import Files
from orchd.procs.successors import MOST, Shim

SPEC = Spec(("true",), "name", "/", "e")
VARIABLES = {"PATH": "/bin", "ORCHD_AGENT": "agent-001", "ORCHD_GOAL": "one"}
FILES = Files("/h/agents/agent-002.1")


def shim(gate: int | None = None, **fields: object) -> Shim:
    """One in a cgroup of its own."""
    return replace(Shim(0, gate, Cgroup(Path("/nowhere")), SPEC, VARIABLES), **fields)  # type: ignore[arg-type]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours of a gate, and a shim's."""
    ours, its = socket.socketpair()
    with ours, its:
        yield ours, its


def test_the_first_is_served_as_it_is(ends: tuple[socket.socket, socket.socket]) -> None:
    shim(ends[0].fileno()).open()
    assert ends[1].recv(99) == b":\n"


def test_a_gate_behind_which_nobody_is_left_is_no_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    held = shim(ends[0].fileno())
    held.open()
    assert not held.has_served()


def test_one_that_left_without_reading_has_not_served(ends: tuple[socket.socket, socket.socket]) -> None:
    held = shim(ends[0].fileno())
    held.open()
    ends[1].close()  # which the kernel tells as a connection that was reset
    assert not held.has_served()


def test_it_has_served_when_it_says_so(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].sendall(b"\n")
    assert shim(ends[0].fileno()).has_served()


def test_a_gate_that_was_closed_is_not_opened_any_more() -> None:
    held = shim(None)
    held.open()
    assert not held.has_served()


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
def test_nobody_follows_where_things_would_not_be_as_they_were(fields: dict[str, object]) -> None:
    assert shim().may_be_followed
    assert not shim(**fields).may_be_followed


def test_the_line_tells_what_is_different_and_nothing_else() -> None:
    command = Command(["/bin/echo", "it's"], {"PATH": "/bin", "ORCHD_AGENT": "agent-002", "ORCHD_SKILL": "s"})
    assert shim()._line(SPEC, command, FILES) == (
        b"""next agent-002.1&&export ORCHD_SKILL=s&&unset ORCHD_GOAL&&set -- /bin/echo 'it'"'"'s'\n"""
    )


@pytest.mark.parametrize(
    ("spec", "variables"),
    [
        (replace(SPEC, cwd="/tmp"), {}),
        (replace(SPEC, stdin="/x"), {}),
        (replace(SPEC, cpu_max=0.5), {}),
        (SPEC, {"PATH": "/other"}),
        (SPEC, {"MINE": "1"}),
        (SPEC, {"ORCHD_HOME": "/other"}),
        (SPEC, {"ORCHD_GOAL": "two\nlines"}),
        (SPEC, {"ORCHD_GOAL": "g\u00f6al"}),
        (SPEC, {"ORCHD_GOAL": "x" * 4096}),
    ],
)
def test_there_is_no_line_for_whoever_needs_a_shim_of_its_own(spec: Spec, variables: dict[str, str]) -> None:
    assert shim()._line(SPEC, Command(["/bin/true"], VARIABLES), FILES) is not None
    assert shim()._line(spec, Command(["/bin/true"], {**VARIABLES, **variables}), FILES) is None


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=4), st.text(max_size=20))
def test_whatever_the_words_are_a_shell_takes_them_for_words(words: list[str], goal: str) -> None:
    line = shim()._line(SPEC, Command(["/bin/x", *words], {**VARIABLES, "ORCHD_GOAL": goal}), FILES)
    if line is None:
        assert not goal.isascii() or not goal.isprintable()
        return
    show = r"""printf '%s\0' "$ORCHD_GOAL" "$@" """
    script = f"next() {{ :; }}; {line.decode()}{show}"
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env=VARIABLES).stdout
    assert os.fsdecode(said).split("\0")[:-1] == [goal, "/bin/x", *words]
