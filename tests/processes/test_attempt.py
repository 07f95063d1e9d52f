"""A running attempt: it is released once, and its output tells that it lives."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchd.processes.attempt import RunningAttempt
from orchd.processes.attempt_files import AttemptFiles
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.usage import Usage
from orchd.processes.shims.shim import Shim
from tests.conftest import until
from tests.support.bench import Bench

NOW, WALL = 1000.0, 5000.0


def handle(directory: Path, shim: Shim | None = None) -> RunningAttempt:
    """A handle of an attempt that never was, whose files would be in this directory."""
    return RunningAttempt(
        ProcessTree("agent-001", 1, "/", 0, None), AttemptFiles(f"{directory}/one"), shim=shim, looked=NOW
    )


@pytest.fixture
def output_file(tmp_path: Path) -> Path:
    """The log of the attempt, with a line of a minute ago."""
    log = tmp_path / "one.log"
    log.write_text("hello\n")
    os.utime(log, (WALL - 60, WALL - 60))
    return log


def test_an_attempt_is_released_only_once(tmp_path: Path) -> None:
    opened: list[bytes] = []
    attempt = handle(tmp_path, SimpleNamespace(open=lambda: opened.append(b"go")))  # type: ignore[arg-type]
    attempt.release()
    attempt.release()
    assert (opened, attempt.is_released) == ([b"go"], True)


def test_an_attempt_of_an_earlier_daemon_cannot_be_released(tmp_path: Path) -> None:
    attempt = handle(tmp_path)
    attempt.release()
    assert not attempt.is_released


def test_cpu_time_of_earlier_attempts_of_the_shim_is_not_counted(tmp_path: Path) -> None:
    attempt = handle(tmp_path)
    attempt.cpu_before = 1.5
    assert attempt.shown(Usage(1.75, 4096)) == Usage(0.25, 4096, None)
    assert attempt.shown(Usage(1.25, 4096)).cpu_seconds == 0.0


def test_quiet_time_counts_from_the_last_output(tmp_path: Path, output_file: Path) -> None:
    attempt = handle(tmp_path)
    assert attempt.quiet_for(NOW + 300, WALL) == 60
    assert attempt.quiet_for(NOW + 400, WALL + 100) == 160
    with output_file.open("a") as log:
        log.write("again\n")
    os.utime(output_file, (WALL + 195, WALL + 195))
    assert attempt.quiet_for(NOW + 500, WALL + 200) == 5


@pytest.mark.usefixtures("output_file")
def test_a_clock_jump_does_not_extend_quiet_time_beyond_the_observed_time(tmp_path: Path) -> None:
    assert handle(tmp_path).quiet_for(NOW + 10, WALL + 86400) == 10
    assert handle(tmp_path).quiet_for(NOW + 10, WALL - 86400) == 0


def test_an_agent_without_a_log_is_quiet(tmp_path: Path) -> None:
    assert handle(tmp_path).quiet_for(NOW + 10, WALL) == 10


def test_quiet_time_grows_and_is_reset_by_output(bench: Bench) -> None:
    say = bench.home.directory / "say"
    os.mkfifo(say)
    agent = bench.spawn("sh", "-c", f"while read x < {say}; do echo $x; done")
    bench.ahead += 50
    assert bench.processes.quiet_for(agent.id, 1) >= 50
    say.write_text("hello\n")
    log = Path(f"{bench.home.agents}/{agent.id}.1.log")
    until(lambda: log.read_text() == "hello\n")
    assert bench.processes.quiet_for(agent.id, 1) < 30


def test_memory_peak_without_kernel_accounting_is_the_sampled_peak(tmp_path: Path) -> None:
    attempt = handle(tmp_path)
    assert attempt.memory_peak() is None
    attempt.peak = 1 << 20
    assert attempt.memory_peak() == 1 << 20
