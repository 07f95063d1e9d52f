"""Processes as /proc shows them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchd.processes.linux import procfs
from orchd.processes.linux.procfs import (
    all_processes,
    below,
    children_of,
    environment_markers,
    own_children,
    read_process,
    send,
)
from tests.conftest import until
from tests.support.machine import descriptors

ODD = "import os, sys; open('/proc/self/comm', 'w').write(') Z 1 (x'); print(flush=True); sys.stdin.read()"


def test_a_process_with_an_odd_name_is_parsed() -> None:
    with subprocess.Popen([sys.executable, "-c", ODD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as odd:
        assert odd.stdout is not None
        odd.stdout.readline()
        info = read_process(odd.pid)
        assert info is not None
        assert (info.pid, info.parent, info.session, info.is_zombie) == (odd.pid, os.getpid(), os.getsid(0), False)
        assert info.started > 0
        odd.communicate()


def test_an_unreaped_process_is_a_zombie_and_a_reaped_process_is_none() -> None:
    ended = subprocess.Popen(["true"])
    until(lambda: (info := read_process(ended.pid)) is not None and info.is_zombie)
    assert ended.pid not in all_processes()
    ended.wait()
    assert read_process(ended.pid) is None


def test_only_orchd_markers_are_read_from_an_environment() -> None:
    env = {"ORCHD_HOME": "/h=1", "ORCHD_AGENT": "agent-001", "ORCHD_OTHER": "x", "SECRET": "s", "A": "ORCHD_ATTEMPT=9"}
    with subprocess.Popen(["sleep", "600"], env=env) as marked:
        try:  # between two programs a process shows no environment at all
            until(lambda: environment_markers(marked.pid))
            assert environment_markers(marked.pid) == {"ORCHD_HOME": "/h=1", "ORCHD_AGENT": "agent-001"}
        finally:
            marked.kill()
    assert environment_markers(marked.pid) == {}


def test_below_returns_all_descendants_without_the_roots() -> None:
    with subprocess.Popen(["sh", "-c", "sh -c 'sleep 600; true' & sleep 600; true"], start_new_session=True) as top:
        until(lambda: len(list(below([top.pid], all_processes()))) == 3)
        assert top.pid not in below([top.pid], all_processes())
        assert top.pid in (own_children() or [])
        os.killpg(top.pid, signal.SIGKILL)


def test_children_of_a_process_include_children_of_all_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    for thread, children in (("1", "7 8 "), ("2", "")):
        (tmp_path / "5/task" / thread).mkdir(parents=True)
        (tmp_path / "5/task" / thread / "children").write_text(children)
    (tmp_path / "5/task/3").symlink_to("ended meanwhile")
    assert children_of(5) == [7, 8]
    assert children_of(6) == []


def test_a_kernel_without_children_files_gives_none_instead_of_no_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    monkeypatch.setattr(procfs, "_children_file", procfs._children_file.__wrapped__)
    (tmp_path / "5/task/1").mkdir(parents=True)
    assert own_children() is None
    assert children_of(5) is None


def test_children_beyond_a_single_read_are_all_listed() -> None:
    script = "i=0; while [ $i -lt 900 ]; do sleep 600 & i=$((i+1)); done; echo; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as top:
        assert top.stdout is not None
        top.stdout.readline()
        assert len(children_of(top.pid) or []) == 900
        os.killpg(top.pid, signal.SIGKILL)


def test_a_process_with_an_ended_first_thread_is_alive() -> None:
    script = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[600]).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    with subprocess.Popen([sys.executable, "-S", "-c", script]) as process:
        try:
            until(lambda: (info := read_process(process.pid)) is not None and info.state == b"Z")
            assert read_process(process.pid).is_zombie is False  # type: ignore[union-attr]
            assert process.pid in all_processes()
        finally:
            process.kill()
        until(lambda: (info := read_process(process.pid)) is None or info.is_zombie)


def test_a_signal_is_not_sent_to_a_process_that_reuses_the_pid() -> None:
    before = len(descriptors(os.getpid()))
    with subprocess.Popen(["sleep", "600"]) as process:
        info = read_process(process.pid)
        assert info is not None
        send(info._replace(started=info.started - 1), signal.SIGKILL)
        assert process.poll() is None
        send(info, signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    send(info, signal.SIGKILL)
    assert len(descriptors(os.getpid())) == before
