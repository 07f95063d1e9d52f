"""Ends as events."""

from __future__ import annotations

import os
import select
import socket
import subprocess
from collections.abc import Iterator

import pytest

from orchd.processes.linux.exit_watch import GATE, ExitWatch


def ended(watch: ExitWatch[str]) -> list[tuple[str, int | None]]:
    """The next keys and pids that fire."""
    poll = select.poll()
    poll.register(watch.fileno(), select.POLLIN)
    assert poll.poll(10_000)
    return watch.fired()


def test_the_end_of_a_process_fires_once() -> None:
    watch: ExitWatch[str] = ExitWatch()
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert watch.process("a", process.pid)
    assert watch.process("a", process.pid)
    assert watch.fired() == []
    process.communicate()
    assert ended(watch) == [("a", process.pid)]
    assert watch.fired() == []


def test_an_ended_process_cannot_be_watched() -> None:
    process = subprocess.Popen(["true"])
    process.wait(10)
    assert not ExitWatch[str]().process("a", process.pid)


def test_a_forgotten_process_does_not_fire_and_holds_no_descriptor() -> None:
    watch: ExitWatch[str] = ExitWatch()
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    before = len(os.listdir("/proc/self/fd"))
    watch.process("a", process.pid)
    watch.forget("a")
    assert len(os.listdir("/proc/self/fd")) == before
    process.communicate()
    assert watch.fired() == []


@pytest.fixture
def gate() -> Iterator[tuple[int, socket.socket]]:
    """Our end of one, which the watch is to close, and the other."""
    near_end, far_end = socket.socketpair()
    with far_end:
        yield near_end.detach(), far_end


def test_data_from_a_gate_fires_until_it_is_read(gate: tuple[int, socket.socket]) -> None:
    watch: ExitWatch[str] = ExitWatch()
    watch.shim("a", os.getpid(), gate[0])
    assert watch.fired() == []
    gate[1].sendall(b"\n")
    assert ended(watch) == ended(watch) == [("a", GATE)]
    os.read(gate[0], 9)
    assert watch.fired() == []
    gate[1].close()
    assert ended(watch) == [("a", GATE)]
    watch.close(gate[0])
    assert watch.fired() == []


def test_a_shim_that_has_ended_is_not_watched_and_has_no_gate(gate: tuple[int, socket.socket]) -> None:
    process = subprocess.Popen(["true"])
    process.wait(10)
    watch: ExitWatch[str] = ExitWatch()
    with pytest.raises(ChildProcessError, match="was killed before it started"):
        watch.shim("a", process.pid, gate[0])
    assert (gate[1].recv(9), watch._watched) == (b"", {})


def test_a_watch_passed_on_to_another_key_fires_for_that_key(gate: tuple[int, socket.socket]) -> None:
    watch: ExitWatch[str] = ExitWatch()
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    watch.shim("a", process.pid, gate[0])
    watch.pass_on("a", "b")
    gate[1].sendall(b"\n")
    assert ended(watch) == [("b", GATE)]
    watch.close(gate[0])
    process.communicate()
    assert ended(watch) == [("b", process.pid)]


def test_watches_are_counted_per_process_and_keep_the_count_when_passed_on() -> None:
    watch: ExitWatch[str] = ExitWatch()
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    for key in "ac":
        watch.process(key, process.pid)
    assert watch.count(process.pid) == 2
    watch.pass_on("a", "b")
    watch.forget("a")
    assert watch.count(process.pid) == 2
    watch.forget("c")
    assert watch.count(process.pid) == 1
    process.communicate()
    assert {*ended(watch), *watch.fired()} == {("b", process.pid)}
    assert watch.count(process.pid) == 0
