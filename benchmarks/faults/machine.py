"""A machine that runs out of processes, open files and memory; and a calendar that jumps."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.faults.killing import BRIEF, CODES
from benchmarks.faults.lab import BOOK, Lab, rest, until
from benchmarks.faults.layer import Layer
from benchmarks.faults.tally import Tally
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from orchd.protocol.errors import WireError

_DAY = 86_400
_GROUP = Path("/sys/fs/cgroup/memory")
_PROTECTED = -500  # what a service manager gives a daemon that is to outlive others


def without_processes(tally: Tally) -> Iterator[None]:
    """Only each second, or third, of the daemon's forks succeeds."""
    while True:
        for every in (2, 3):
            with Lab(tally, "limit = 3\n") as lab:
                layer = Layer(lab.directory, lab.home.directory)
                layer.set(every=every)
                lab.start(**layer.env)
                lab.watch(3, 12)
                lab.audit(dict(zip(lab.spawn([lab.spec(BRIEF, code) for code in CODES]), CODES, strict=True)))
                if not layer["refused"]:
                    raise AssertionError("no fork was refused")
            yield


def without_files(tally: Tally) -> Iterator[None]:
    """The daemon may open none to a dozen files more for a while, as agents start and clients send requests."""
    while True:
        for more in range(13):
            with Lab(tally, "limit = 3\n") as lab:
                lab.start()
                lab.watch(3, 12)
                expected: dict[str, int | str] = dict.fromkeys(lab.spawn([lab.spec("sleep 0.3", 8)] * 2), 8)
                before = _limited(lab, more)
                expected |= _spawned(lab)
                rest(0.5)  # two of them end in the meantime
                _unlimited(lab, before)
                expected |= dict(zip(lab.spawn([lab.spec(BRIEF, code) for code in CODES]), CODES, strict=True))
                lab.audit(expected)
            yield


def _limited(lab: Lab, more: int) -> tuple[int, tuple[int, int]]:
    pid = lab.pid
    opened = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    lowest = next(number for number in range(len(opened) + 1) if number not in opened)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest + more, before[1]))
    return pid, before


def _unlimited(lab: Lab, before: tuple[int, tuple[int, int]]) -> None:
    try:
        resource.prlimit(before[0], resource.RLIMIT_NOFILE, before[1])
    except ProcessLookupError:  # it ended with a sentence, and another has all that it needs
        lab.tally.count("unreported", int("this machine does not let orchd go on" not in lab.words()), lab.last_words())


def _spawned(lab: Lab) -> dict[str, int | str]:
    """Return the agents that a daemon with too few files acknowledged."""
    expected: dict[str, int | str] = {}
    request = {"agents": [lab.spec(BRIEF, code) for code in CODES], "cwd": str(lab.directory), "env": lab.env}
    try:
        agents = lab.client.call("spawn", request, patience=2.0)["agents"]
        expected = dict(zip((agent["id"] for agent in agents), CODES, strict=True))
    except (NoDaemonError, WireError):
        lab.client.close()
        lab.client = Client(lab.home)
    return expected


def without_memory(tally: Tally) -> Iterator[None]:
    """The kernel kills agents that take too much memory; the daemon is protected, and agents must not be."""
    while True:
        group = _GROUP / f"orchd-fault-{os.getpid()}"
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(48 << 20))
        greedy = f'cat /proc/self/oom_score_adj >> "$ORCHD_HOME/../scores"; echo $$ > {group}/cgroup.procs; {_EATS}'
        try:
            with Lab(tally, "limit = 3\n") as lab:
                _protected(lab)
                ids = lab.spawn([{"command": ["sh", "-c", f"echo begin $ORCHD_AGENT 1 >> {BOOK}; {greedy}"]}] * 3)
                other_ids = lab.spawn([lab.spec(BRIEF, code) for code in CODES])
                lab.client.wait(ids=ids)
                killed = lab.listed(ids)
                wrong = [
                    agent_id
                    for agent_id, agent in killed.items()
                    if (agent["status"], agent["exit_code"]) != ("failed", 137)
                ]
                tally.count("lost", len(wrong), f"not told as killed: {wrong}")
                scores = (lab.directory / "scores").read_text().split()
                tally.count(
                    "unreported",
                    sum(int(score) < 0 for score in scores),
                    f"agents as protected as the daemon: {scores}",
                )
                lab.audit(dict(zip(other_ids, CODES, strict=True)))
        finally:
            until(lambda group=group: not (group / "cgroup.procs").read_text(), "the end of all in the cgroup")
            group.rmdir()
        yield


# sh itself ends with what the kernel did to its last command
_EATS = "exec python3 -S -c 'kept = [bytearray(b\"x\" * (1 << 20)) for _ in range(400)]'"


def _protected(lab: Lab) -> None:
    score_file = Path("/proc/self/oom_score_adj")
    before = score_file.read_text()
    with suppress(PermissionError):  # it takes CAP_SYS_RESOURCE; without, nobody is protected
        score_file.write_text(str(_PROTECTED))
    try:
        lab.start()
    finally:
        score_file.write_text(before)


def no_memory_groups() -> str:
    """Return why no agent can get too little memory here."""
    return (
        "" if os.getuid() == 0 and (_GROUP / "memory.limit_in_bytes").exists() else "no memory cgroup (v1) can be had"
    )


def clocks(tally: Tally) -> Iterator[None]:
    """The calendar jumps by a day, forth and back, under agents that have time limits."""
    limits = {"timeout": 600, "silence": 600, "retries": 1}
    while True:
        with Lab(tally, "limit = 3\n") as lab:
            layer = Layer(lab.directory, lab.home.directory)
            lab.start(**layer.env)
            ids = lab.spawn([lab.spec("sleep 0.3", code, **limits) for code in (0,) * 9])
            retried = lab.spawn([{"command": ["sh", "-c", "[ $ORCHD_ATTEMPT = 2 ]"], **limits}])
            for shift in (_DAY, 0, -_DAY, _DAY, -_DAY):
                layer.set(shift=shift)
                (more,) = lab.spawn([lab.spec(BRIEF, 6, timeout=600)])
                answer = lab.client.wait(ids=[more], timeout=30.0)
                tally.count("unreported", int(answer["timed_out"]), f"a wait of 30 s at {shift:+} s")
                ids.append(more)
            lab.audit({agent_id: 6 if number >= 9 else 0 for number, agent_id in enumerate(ids)})
            lab.client.wait(ids=retried, timeout=30.0)
            (agent,) = lab.listed(retried).values()
            tally.count("lost", int(agent["status"] != "completed"), f"a retry is {agent['status']}: {agent['reason']}")
        yield
