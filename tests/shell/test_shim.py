"""The shim, run for real: what it writes down, and when it never runs."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.procs import shim


def run(
    tmp_path: Path,
    *argv: str,
    go: bytes = shim.GO,
    kill: signal.Signals | None = None,
    door: int | None = None,
    script: str = shim.SCRIPT,
) -> shim.Record:
    """The record of a shim that was given this gate and this agent."""
    record = os.open(tmp_path / "exit", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(record, b"boot\n")
    read, write = os.pipe()
    held = [read, record] if door is None else [read, record, door]
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 40) for descriptor in held]
    moved = [(descriptor, index + 3) for index, descriptor in enumerate(high)]
    pid = os.posix_spawn(
        shim.SHELL,
        [shim.SHELL, "-c", shim.SCRIPT_IN_CGROUP if door else script, "name", *argv],
        dict(os.environ),
        file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for source, target in moved],
        setsid=True,
    )
    for descriptor in (read, *high):
        os.close(descriptor)
    with suppress(BrokenPipeError):  # it may not have waited
        os.write(write, go)
    os.close(write)
    if kill:
        os.killpg(pid, kill)
    os.waitpid(pid, 0)
    os.close(record)
    return shim.parse_record((tmp_path / "exit").read_text())


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 255])
def test_the_exit_code_is_written_down(tmp_path: Path, code: int) -> None:
    assert run(tmp_path, "/bin/sh", "-c", f"exit {code}")[:2] == (True, code)


def test_death_by_a_signal_is_told_as_a_shell_does(tmp_path: Path) -> None:
    assert run(tmp_path, "/bin/sh", "-c", "kill -KILL $$").code == 137


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_before_there_is_an_agent_is_heeded_instead_of_it(
    tmp_path: Path, kill: signal.Signals
) -> None:
    script = shim.SCRIPT.replace("read -r go", f"kill -{kill.value} $$; read -r go")
    assert run(tmp_path, "/bin/sh", "-c", f"touch {tmp_path}/ran", script=script)[:2] == (True, 143)
    assert not (tmp_path / "ran").exists()


def test_without_a_word_at_the_gate_nothing_runs(tmp_path: Path) -> None:
    record = run(tmp_path, "/bin/sh", "-c", f"touch {tmp_path}/ran", go=b"")
    assert not record.ran
    assert not (tmp_path / "ran").exists()


def test_the_agent_holds_none_of_the_shims_descriptors(tmp_path: Path) -> None:
    run(tmp_path, "/bin/sh", "-c", f"ls /proc/$$/fd > {tmp_path}/fds")
    assert not {"3", "4", "5"} & set((tmp_path / "fds").read_text().split()) - {"3"}


def test_it_moves_into_its_cgroup_and_the_agent_does_not_hold_the_door(tmp_path: Path) -> None:
    with open(tmp_path / "procs", "wb") as door:
        record = run(tmp_path, "/bin/sh", "-c", f"ls /proc/$$/fd > {tmp_path}/fds", door=door.fileno())
    assert record.code == 0
    assert (tmp_path / "procs").read_text() == "0\n"
    assert not {"4", "5"} & set((tmp_path / "fds").read_text().split())


def test_one_that_its_cgroup_does_not_take_never_runs(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as door:
        record = run(tmp_path, "/bin/sh", "-c", f"touch {tmp_path}/ran", door=door.fileno())
    assert record == shim.Record(ran=False, code=None, cpu_seconds=0.0, was_shut_out=True)
    assert not (tmp_path / "ran").exists()


def test_the_time_of_what_the_agent_waited_for_is_counted(tmp_path: Path) -> None:
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    assert run(tmp_path, "/bin/sh", "-c", f"sh -c '{busy}'; true").cpu_seconds > 0.01


@given(st.text(max_size=60))
def test_any_text_is_a_record(text: str) -> None:
    record = shim.parse_record(text)
    assert record.ran or record.code is None


@pytest.mark.parametrize("text", ["", "\n", "boot\n", "boot\n12x", "boot\n12", "boot\n0m0.0s 0m0.0s\n"])
def test_a_torn_record_knows_no_code(text: str) -> None:
    assert shim.parse_record(text).code is None


def test_a_time_that_no_agent_can_have_taken_does_no_harm() -> None:
    """Whoever holds the record may have written it."""
    assert shim.parse_record(f"boot\n0\n0m0s 0m0s\n{'9' * 400}m1s 0m2.5s\n").cpu_seconds < 1e12
