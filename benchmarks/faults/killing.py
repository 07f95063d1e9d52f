"""SIGKILL and SIGSTOP: of the daemon at named points, at random and between any two writes; of shims."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.lab import Lab, rest, until
from benchmarks.faults.layer import KILL, Layer
from benchmarks.faults.tally import Tally
from tests.e2e.crashing import STOP, TURN

BRIEF = "i=0; while [ $i -lt 800 ]; do i=$((i+1)); done"
STUBBORN = "trap '' TERM; while :; do sleep 1000; done"
CODES = (0, 0, 3, 0, 7, 0)
_DEATHS = 5  # in the life of one home


def at_points(tally: Tally) -> Iterator[None]:
    """Kill the daemon at each point of a turn and of an agent's end, in turn; it kills itself there once armed."""
    while True:
        for point in (*TURN, *STOP):
            with Lab(tally, "limit = 2\ngrace = 0.2\n") as lab:
                _at_point(lab, point)
            yield


def of_followers(tally: Tally) -> Iterator[None]:
    """Kill the daemon at each point of a turn again, when shims serve their second agent."""
    while True:
        for point in TURN:
            with Lab(tally, "limit = 2\n") as lab:
                armed = _armed(lab, point)
                lab.watch(2, 8)
                specs = [lab.spec("sleep 0.5", 5)] * 2 + [lab.spec(BRIEF, code) for code in CODES]
                expected = dict(zip(lab.spawn(specs), (5, 5, *CODES), strict=True))
                until(lambda lab=lab: sum(lab.signed("begin").values()) == 2, "the first two")
                armed.touch()
                lab.audit(expected)
                lab.wait_for_death()
            yield


def _armed(lab: Lab, point: str) -> Path:
    """Start a daemon that kills itself at the point; return the file that arms it."""
    armed = lab.directory / "armed"
    lab.start(sys.executable, "-m", "tests.e2e.crashing", ORCHD_TEST_POINT=point, ORCHD_TEST_ARMED=str(armed))
    return armed


def _at_point(lab: Lab, point: str) -> None:
    armed = _armed(lab, point)
    lab.watch(2, 8)
    expected: dict[str, int | str] = {}
    if point in STOP:
        (agent_id,) = lab.spawn([lab.spec(STUBBORN)])
        until(lambda: lab.signed("begin")[agent_id], "the stubborn agent")
        expected[agent_id] = "cancelled"
    armed.touch()
    if point in STOP:
        lab.client.call("cancel", {"ids": [agent_id]})
        lab.wait_for_death()
    expected |= dict(zip(lab.spawn([lab.spec(BRIEF, code) for code in CODES]), CODES, strict=True))
    lab.audit(expected, are_all=True)
    lab.wait_for_death()


def at_random(tally: Tally) -> Iterator[None]:
    """Kill the daemon under load, each time some starts after the last."""
    chance = random.Random(2026)
    while True:
        with Lab(tally, "limit = 4\n") as lab:
            lab.start()
            lab.watch(4, 16)
            codes = [chance.choice([0, 0, 0, 1, 7]) for _ in range(80)]
            # some end before there is a daemon again, and some do not
            specs = [lab.spec(chance.choice([BRIEF, "sleep 1.5"]), code) for code in codes]
            expected = dict(zip(lab.spawn(specs), codes, strict=True))
            for _ in range(_DEATHS):
                wanted = min(sum(lab.signed("begin").values()) + chance.randint(1, 15), len(codes))
                until(lambda wanted=wanted, lab=lab: sum(lab.signed("begin").values()) >= wanted, "progress")
                lab.kill_daemon()
                assert lab.pid, "a client brings it back"
            lab.audit(expected)
        tally.tries += _DEATHS - 1
        yield


def between_writes(tally: Tally) -> Iterator[None]:
    """The daemon dies before its n-th change to a file after a batch is sent: each n, but not in order."""
    step, number = 7, 1
    while True:
        with Lab(tally, "limit = 2\n") as lab:
            layer = Layer(lab.directory, lab.home.directory)
            lab.start(**layer.env)
            layer.set(only_pid=lab.pid)
            lab.spawn([lab.spec()])
            layer.arm(KILL, after=number)
            codes = [5, *CODES]
            lab.audit(dict(zip(lab.spawn([lab.spec(BRIEF, code) for code in codes]), codes, strict=True)))
            has_died = lab.daemon is not None and lab.daemon.poll() is not None
        number = number + step if has_died else 1 + number % step
        yield


def of_shims(tally: Tally) -> Iterator[None]:
    """Kill the shims of agents with children, hidden and stubborn, with cgroups and without."""
    while True:
        for cgroups in ("off", "auto"):
            with Lab(tally, f'limit = 3\ngrace = 0.2\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.watch(3, 12)
                hides = f'(setsid sh -c "trap \\"\\" TERM; sleep 1000" &); {STUBBORN}'
                ids = lab.spawn([lab.spec(hides)] * 3 + [lab.spec(BRIEF, 4)] * 3)
                until(lambda ids=ids, lab=lab: all(lab.signed("begin")[agent_id] for agent_id in ids[:3]), "the agents")
                for agent in lab.listed(ids[:3]).values():
                    os.kill(agent["pid"], signal.SIGKILL)
                lab.audit(dict.fromkeys(ids[:3], "lost") | dict.fromkeys(ids[3:], 4))
            yield


def stopped(tally: Tally) -> Iterator[None]:
    """Stop the daemon for ten seconds, while agents end and clients send requests."""
    while True:
        with Lab(tally, "limit = 3\n") as lab:
            lab.start()
            lab.watch(3, 12)
            ids = lab.spawn([lab.spec("sleep 1", code) for code in CODES])
            until(lambda lab=lab: lab.signed("begin"), "an agent")
            os.kill(lab.pid, signal.SIGSTOP)
            commands = (["spawn", "--", *lab.script(BRIEF, 2)], ["status"], ["limit"], ["wait", *ids])
            processes = [lab.command(*words) for words in commands]
            rest(10.0)
            assert lab.daemon is not None
            lab.daemon.send_signal(signal.SIGCONT)
            answers = [process.communicate(timeout=90) for process in processes]
            for process, (_, errors) in zip(processes, answers, strict=True):
                lab.tally.count(
                    "unreported",
                    int(process.returncode not in (0, 1) or "error" in errors),
                    f"{process.args!r}: {errors}",
                )
            expected = dict.fromkeys(answers[0][0].split(), 2)
            lab.tally.count("lost", int(len(expected) != 1), "what a client spawned meanwhile")
            lab.audit(dict(zip(ids, CODES, strict=True)) | expected)
        yield
