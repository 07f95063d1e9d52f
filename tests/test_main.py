"""`orchd` as a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from orchd.__main__ import clock
from tests.conftest import DEADLINE, Instance


def test_it_says_its_version() -> None:
    process = subprocess.run([sys.executable, "-m", "orchd", "--version"], capture_output=True, text=True, check=True)
    assert process.stdout.startswith("orchd 0.")


def test_what_it_is_not_given_is_usage() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "orchd", "--hmoe", "/"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert "usage: orchd" in process.stderr


def test_the_process_that_starts_it_is_told_why_it_does_not_run(stopped: Instance) -> None:
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


def test_the_process_that_started_it_may_be_gone_by_then(stopped: Instance) -> None:
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


def test_a_machine_that_lacks_something_is_a_sentence_and_no_traceback(stopped: Instance) -> None:
    stopped.home.create()
    stopped.home.lock.mkdir()
    command = [sys.executable, "-m", "orchd", "--home", str(stopped.directory)]
    process = subprocess.run(command, env=stopped.env, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert process.returncode == 1
    assert f"{stopped.home.lock} is not a regular file; remove it" in process.stderr
    assert "Traceback" not in process.stderr


def test_one_clock_is_compared_and_one_is_shown() -> None:
    assert abs(clock().wall - time.time()) < 5
    assert clock().mono <= clock().mono
