"""Ends as events."""

from __future__ import annotations

import os
import select
import subprocess

from orchd.procs.watch import Watch


def ended(watch: Watch[str]) -> list[tuple[str, int | None]]:
    """What fires next."""
    poll = select.poll()
    poll.register(watch.fileno(), select.POLLIN)
    assert poll.poll(10_000)
    return watch.fired()


def test_the_end_of_a_process_fires_once() -> None:
    watch: Watch[str] = Watch()
    made = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert watch.process("a", made.pid)
    assert watch.process("a", made.pid)
    assert watch.fired() == []
    made.communicate()
    assert ended(watch) == [("a", made.pid)]
    assert watch.fired() == []


def test_one_that_has_ended_cannot_be_watched() -> None:
    made = subprocess.Popen(["true"])
    made.wait(10)
    assert not Watch[str]().process("a", made.pid)


def test_what_is_forgotten_does_not_fire_and_holds_no_descriptor() -> None:
    watch: Watch[str] = Watch()
    made = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    before = len(os.listdir("/proc/self/fd"))
    watch.process("a", made.pid)
    watch.forget("a")
    assert len(os.listdir("/proc/self/fd")) == before
    made.communicate()
    assert watch.fired() == []
