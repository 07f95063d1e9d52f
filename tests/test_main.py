"""`orchd` as a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from orchd.__main__ import clock
from tests.conftest import DEADLINE, Instance


def test_orchd_prints_its_version() -> None:
    process = subprocess.run([sys.executable, "-m", "orchd", "--version"], capture_output=True, text=True, check=True)
    assert process.stdout.startswith("orchd 0.")


def test_an_unknown_option_prints_the_usage() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "orchd", "--hmoe", "/"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert "usage: orchd" in process.stderr


def test_a_failed_start_is_reported_through_the_ready_fd(stopped: Instance) -> None:
    stopped.home.create()
    stopped.configure("limit = 0")
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "orchd", "--home", str(stopped.directory), "--ready-fd", str(writer)]
    process = subprocess.run(
        command, env=stopped.env, pass_fds=[writer], capture_output=True, check=False, timeout=DEADLINE
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read().startswith(f"error: {stopped.home.config}: limit must be")
    assert process.returncode == 1


def test_a_failed_start_exits_with_1_when_the_ready_fd_is_closed(stopped: Instance) -> None:
    stopped.home.create()
    stopped.configure("limit = 0")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "orchd", "--home", str(stopped.directory), "--ready-fd", str(writer)]
    process = subprocess.run(
        command, env=stopped.env, pass_fds=[writer], capture_output=True, check=False, timeout=DEADLINE
    )
    os.close(writer)
    assert process.returncode == 1


def test_an_invalid_lock_file_is_reported_without_a_traceback(stopped: Instance) -> None:
    stopped.home.create()
    stopped.home.lock.mkdir()
    command = [sys.executable, "-m", "orchd", "--home", str(stopped.directory)]
    process = subprocess.run(command, env=stopped.env, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert process.returncode == 1
    assert f"{stopped.home.lock} is not a regular file; remove it" in process.stderr
    assert "Traceback" not in process.stderr


def test_the_clock_has_monotonic_and_wall_time() -> None:
    assert abs(clock().wall - time.time()) < 5
    assert clock().mono <= clock().mono
