"""The counts that benchmarks take from outside."""

from __future__ import annotations

import os
import subprocess
import time

from benchmarks.peers.base import until
from benchmarks.sightings import Look, Watch, look

SCRIPT, SECONDS = "/tmp/x/node.sh", "0.3123"
LINES = [
    (1, ["sh", SCRIPT, "make", "11", SECONDS]),
    (2, ["sh", SCRIPT, "make", "11", SECONDS]),  # a subshell of the same
    (3, ["sleep", SECONDS]),
    (4, ["sleep", "1000.12", SECONDS]),
    (5, ["sleep", "0.3124"]),  # of somebody else
    (6, ["sh", "/tmp/y/node.sh", "make", "13", SECONDS]),
    (7, ["sleep"]),
    (8, ["parallel", "-j7", "sh", SCRIPT, "parallel", "{}", SECONDS, ":::", "1"]),  # has it among its arguments
]


def test_agents_are_counted_once_and_other_processes_never() -> None:
    assert look(LINES, SCRIPT, SECONDS) == Look(frozenset({"11", "12"}), frozenset({3}))


def test_only_agents_seen_in_two_consecutive_looks_are_counted() -> None:
    watch = Watch(SCRIPT, SECONDS)
    watch.count(Look(frozenset("ab"), frozenset({1, 2})))
    watch.count(Look(frozenset("bc"), frozenset({2, 3})))
    assert (watch.most_alive, watch.most_working) == (1, 1)


def test_a_watch_sees_no_movement_while_no_agent_works_starts_or_ends() -> None:
    watch, still = Watch(SCRIPT, SECONDS), Look(frozenset("a"), frozenset())
    watch.count(still)
    moved = watch.moved_at
    watch.count(still)
    assert watch.moved_at == moved
    watch.count(Look(frozenset("b"), frozenset()))
    assert moved < watch.moved_at <= time.monotonic()


def test_a_running_process_is_counted_as_working() -> None:
    seconds = f"1000.{os.getpid()}"
    with subprocess.Popen(["sleep", seconds]) as process:
        try:
            watch = Watch(SCRIPT, seconds)

            def is_seen() -> bool:  # not at once: a program that has just begun shows no words yet
                watch.look()
                return watch.most_working == 1

            until(is_seen, "the process to be seen")
        finally:
            process.kill()
