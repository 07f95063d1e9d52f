"""The shim, run for real: what it writes down, and when it never runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.processes.launching import handover
from orchd.processes.shims import script as shim

NAME = "agent-001.1"


@dataclass
class Told:
    """The record that a shim wrote, and how often it reported that it had served."""

    text: str
    served: int

    def of(self, name: str = NAME) -> shim.ExitRecord:
        """The record of one attempt."""
        return shim.parse_record(self.text, name)


def lives(
    tmp_path: Path,
    *argv: str,
    lines: tuple[bytes, ...] = (shim.GO,),
    kill: signal.Signals | None = None,
    door: int | None = None,
    kills_itself: tuple[str, signal.Signals] | None = None,
    name: str = f"orchd-{NAME}",
    shell: str = shim.SHELL,
    cwd: str = "/",
    variables: Mapping[str, str] = {},
) -> Told:
    """The whole life of a shim that was given these lines through its gate, each after it had served."""
    record = os.open(tmp_path / "exit", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(record, b"boot\n")
    gate, far_end = socket.socketpair()
    descriptors = [far_end.detach(), record] if door is None else [far_end.detach(), record, door]
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 40) for descriptor in descriptors]
    moved = [(descriptor, index + 3) for index, descriptor in enumerate(high)]
    script = shim.SCRIPT if door is None else shim.SCRIPT_IN_CGROUP
    if kills_itself:
        place, number = kills_itself
        script = script.replace(place, f"kill -{number.value} $$\n{place}")
    pid = os.posix_spawn(
        shell,
        ["sh", "-c", script, name, *argv],
        {"_orchd_logs": str(tmp_path), "_orchd_cwd": cwd, "_orchd_begin": 'exec "$@"', **variables},
        file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for source, target in moved],
        setsid=True,
        setsigdef=[signal.SIGHUP],  # who ignores it from the start, as under nohup, can set no trap for it
    )
    for descriptor in (descriptors[0], *high):
        os.close(descriptor)
    served = 0
    with gate, suppress(BrokenPipeError, ConnectionResetError):  # it may not have waited
        for line in lines:
            gate.sendall(line)
            if kill:
                os.killpg(pid, kill)
            if gate.recv(16) != shim.SERVED:
                break
            served += 1
    os.waitpid(pid, 0)
    os.close(record)
    return Told((tmp_path / "exit").read_text(), served)


def run(tmp_path: Path, *argv: str, **how: Any) -> shim.ExitRecord:
    """The record of a shim that served one agent."""
    return lives(tmp_path, *argv, **how).of()


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 255])
def test_the_exit_code_is_recorded(tmp_path: Path, code: int) -> None:
    assert run(tmp_path, "/bin/sh", "-c", f"exit {code}")[:2] == (True, code)


def test_death_by_a_signal_is_recorded_as_128_plus_the_signal(tmp_path: Path) -> None:
    assert run(tmp_path, "/bin/sh", "-c", "kill -KILL $$").code == 137


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_before_the_agent_starts_prevents_its_start(tmp_path: Path, kill: signal.Signals) -> None:
    result = lives(tmp_path, "/bin/sh", "-c", f"touch {tmp_path}/ran", kills_itself=("while read", kill))
    assert result.of()[:2] == (True, 143)
    assert result.served == 0
    assert not (tmp_path / "ran").exists()


def test_no_agent_runs_without_a_line_through_the_gate(tmp_path: Path) -> None:
    record = run(tmp_path, "/bin/sh", "-c", f"touch {tmp_path}/ran", lines=())
    assert not record.ran
    assert not (tmp_path / "ran").exists()


def test_the_agent_holds_none_of_the_shims_descriptors(tmp_path: Path) -> None:
    run(tmp_path, "/bin/sh", "-c", f"ls /proc/$$/fd > {tmp_path}/fds")
    assert not {"3", "4", "5"} & set((tmp_path / "fds").read_text().split()) - {"3"}


def test_shim_enters_its_cgroup_and_agent_does_not_inherit_the_descriptor(tmp_path: Path) -> None:
    with open(tmp_path / "procs", "wb") as door:
        record = run(tmp_path, "/bin/sh", "-c", f"ls /proc/$$/fd > {tmp_path}/fds", door=door.fileno())
    assert record.code == 0
    assert (tmp_path / "procs").read_text() == "0\n"
    assert not {"4", "5"} & set((tmp_path / "fds").read_text().split())


def test_an_agent_never_runs_if_its_shim_cannot_enter_the_cgroup(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as door:
        record = run(tmp_path, "/bin/sh", "-c", f"touch {tmp_path}/ran", door=door.fileno())
    assert record == shim.ExitRecord(ran=False, code=None, cpu_seconds=0.0, was_shut_out=True)
    assert not (tmp_path / "ran").exists()


def test_cpu_time_of_reaped_children_is_counted(tmp_path: Path) -> None:
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    assert run(tmp_path, "/bin/sh", "-c", f"sh -c '{busy}'; true").cpu_seconds > 0.01


@given(st.text(max_size=60))
def test_any_text_parses_as_an_exit_record(text: str) -> None:
    record = shim.parse_record(text, NAME)
    assert record.ran or record.code is None


@pytest.mark.parametrize(
    "text",
    ["", "\n", "boot\n", f"boot\n{NAME} 12x\n", f"boot\n{NAME} 12", "boot\n0m0.0s 0m0.0s\n", "boot\n12"],
)
def test_a_truncated_record_has_no_exit_code(text: str) -> None:
    assert shim.parse_record(text, NAME)[:2] == (True, None)


def test_an_impossible_cpu_time_in_a_record_is_limited() -> None:
    """Whoever holds the record may have written it."""
    assert shim.parse_record(f"boot\n{NAME} 0\n0m0s 0m0s\n{'9' * 400}m1s 0m2.5s\n", NAME).cpu_seconds < 1e12


@pytest.mark.parametrize("first", ["boot\n", "exit-record 3 boot\n"])
def test_boot_id_is_read_from_every_record_version(first: str) -> None:
    assert shim.boot_of(f"{first}{NAME} 3\n") == "boot"
    assert shim.header(b"boot") == b"exit-record 3 boot\n"


@pytest.mark.parametrize(
    "text",
    [
        "boot\n3\n0m0.1s 0m0.1s\n0m1.5s 0m0.5s\n",  # of version 1, in which a shim served one attempt
        f"boot\n{NAME} 3\n0m0.1s 0m0.1s\n0m1.5s 0m0.5s\n",
        f"exit-record 3 boot\n{NAME} 3\n0m0.1s 0m0.1s\n0m1.5s 0m0.5s\n",
    ],
)
def test_records_of_earlier_versions_are_read(text: str) -> None:
    assert shim.parse_record(text, NAME) == shim.ExitRecord(ran=True, code=3, cpu_seconds=2.0)


@pytest.mark.parametrize("first", ["boot\n", "exit-record 3 boot\n"])
@pytest.mark.parametrize("word", ["gate", "cgroup"])
def test_reason_for_never_running_is_read_from_every_record_version(first: str, word: str) -> None:
    assert shim.parse_record(f"{first}{word}\n", NAME)[:2] == (False, None)


def test_a_record_of_a_later_version_is_reported_with_an_upgrade_note() -> None:
    record = shim.parse_record(f"exit-record 4 boot\n{NAME} exit=3\n", NAME)
    assert (record.ran, record.code) == (True, None)
    assert record.note == "its exit record has version 4, and this orchd knows 3: upgrade orchd"


def test_shim_reports_an_unreachable_directory_and_serves_the_next_attempt(tmp_path: Path) -> None:
    enters = f"next {SECOND}&&_orchd_cwd=/&&set -- /bin/sh -c 'pwd'\n".encode()
    result = lives(tmp_path, "/bin/touch", f"{tmp_path}/ran", lines=(shim.GO, enters), cwd=f"{tmp_path}/none")
    assert (result.of().code, result.of().note) == (
        126, "its working directory could not be entered when it was about to start"
    )  # fmt: skip
    assert (result.of(SECOND).code, result.of(SECOND).note) == (0, None)
    assert (tmp_path / f"{SECOND}.log").read_text() == "/\n"
    assert not (tmp_path / "ran").exists()


SECOND = "agent-002.1"


def ready(command: str, name: str = SECOND) -> bytes:
    """A line for another attempt."""
    return f"next {name}&&set -- /bin/sh -c '{command}'\n".encode()


def test_successive_attempts_are_served_and_recorded_separately(tmp_path: Path) -> None:
    result = lives(
        tmp_path, "/bin/sh", "-c", "exit 3", lines=(shim.GO, ready("exit 4"), ready("exit 5", "agent-003.7"))
    )
    assert result.served == 3
    assert [result.of(name).code for name in (NAME, SECOND, "agent-003.7")] == [3, 4, 5]
    assert result.of("agent-004.1") == shim.ExitRecord(
        ran=False, code=None, cpu_seconds=0.0, before=result.of(SECOND).before
    )


SHELLS = [path for name in ("sh", "dash", "bash", "busybox", "mksh", "ksh", "yash") if (path := shutil.which(name))]


@pytest.mark.parametrize("shell", SHELLS)
def test_shim_script_runs_in_any_posix_shell(tmp_path: Path, shell: str) -> None:
    """It is asked for by the name `sh`, as which each of them keeps to the standard."""
    says = "echo $ORCHD_AGENT; exit 4"
    result = lives(
        tmp_path, "/bin/sh", "-c", "exit 3", lines=(shim.GO, ready(says), ready(says, "agent-003.1")), shell=shell
    )
    assert (result.served, [result.of(name).code for name in (NAME, SECOND, "agent-003.1")]) == (3, [3, 4, 4])
    assert [(tmp_path / f"agent-00{number}.1.log").read_text() for number in (2, 3)] == ["agent-002\n", "agent-003\n"]
    assert result.text.endswith("\ngate\n")


def test_cpu_time_is_recorded_per_attempt(tmp_path: Path) -> None:
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    result = lives(tmp_path, "/bin/sh", "-c", busy, lines=(shim.GO, ready("exit 0")))
    first, second = result.of(), result.of(SECOND)
    assert first.cpu_seconds > 0.02
    assert (first.before, second.before) == (0.0, first.cpu_seconds)
    assert second.cpu_seconds < first.cpu_seconds / 2


def test_a_shim_that_cannot_prepare_an_attempt_records_that_it_never_ran(tmp_path: Path) -> None:
    (tmp_path / f"{SECOND}.log").mkdir()
    result = lives(tmp_path, "/bin/true", lines=(shim.GO, ready(f"touch {tmp_path}/ran")))
    assert not (tmp_path / "ran").exists()
    assert (result.of().code, result.of(SECOND).ran) == (0, False)


def test_a_signalled_shim_serves_no_further_agent(tmp_path: Path) -> None:
    result = lives(tmp_path, "/bin/sh", "-c", "kill -TERM $PPID; exit 6", lines=(shim.GO, ready("touch ran")))
    assert (result.served, result.of().code) == (0, 6)


def test_a_signal_during_the_handover_does_not_end_the_next_attempt(tmp_path: Path) -> None:
    """Only who is left of the one before can have sent it, and then nobody follows before they are gone."""
    late = ("done\n", signal.SIGTERM)
    result = lives(tmp_path, "/bin/true", lines=(shim.GO, ready("exit 4")), kills_itself=late)
    assert (result.of().code, result.of(SECOND).code) == (0, 4)


def test_a_shim_killed_during_its_second_attempt_keeps_the_first_record(tmp_path: Path) -> None:
    result = lives(tmp_path, "/bin/sh", "-c", "exit 7", lines=(shim.GO, ready("kill -KILL $PPID")))
    assert (result.of().code, result.of(SECOND)[:2]) == (7, (True, None))


def test_agent_identity_is_derived_from_the_name_of_the_shim(tmp_path: Path) -> None:
    show = f'echo "$ORCHD_AGENT $ORCHD_ATTEMPT" > {tmp_path}/said'
    lives(tmp_path, "/bin/sh", "-c", show, name="orchd-agent-012.3")
    assert (tmp_path / "said").read_text() == "agent-012 3\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_first_attempt_comes_in_variables_that_the_agent_does_not_inherit(tmp_path: Path, shell: str) -> None:
    script = f'echo "$ORCHD_AGENT $ORCHD_ATTEMPT $1 ${{_orchd_first-}}${{_orchd_words-}}" >{tmp_path}/said'
    words = handover.carried(["/bin/sh", "-c", script, "sh", "it's * $HOME"])
    assert words is not None
    variables = {handover.FIRST: "agent-012.3", handover.WORDS: words}
    result = lives(tmp_path, name=shim.LABEL, shell=shell, variables=variables)
    assert result.of("agent-012.3").code == 0
    assert (tmp_path / "said").read_text() == "agent-012 3 it's * $HOME \n"
