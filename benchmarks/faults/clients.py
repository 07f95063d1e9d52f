"""Clients that send nonsense, do not read, die, or are a thousand at once."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import zmq

from benchmarks.faults.killing import BRIEF, CODES
from benchmarks.faults.lab import DEADLINE, Lab, rest, until
from benchmarks.faults.tally import Tally
from orchd.protocol.frames import pack_request
from tests.support.raw import Raw, provoked_codes

_WINDOW = 100  # frames sent before their replies are read: a client that reads gets all
_FRAMES, _ROUNDS = 1000, 5
_PATIENCE = min(10_000, int(DEADLINE * 500))  # ms
_MEBIBYTE = 1024
_SPARE = 8
_FEW_FILES = 512  # what many shells allow
_CROWDS, _EACH = 4, 250


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid: int) -> int:
    """Return the KiB of memory that a process has. Raises OSError when the process is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    if not sizes:
        raise ProcessLookupError(f"{pid} is a zombie")
    return sizes[0]


def nonsense_of(chance: random.Random) -> bytes:
    """Return a frame that is no request, or a request that is wrong."""
    good = pack_request(
        f"{chance.random()}", chance.choice(["limit", "status", "logs", "events", "why"]), {"ids": ["agent-001"]}
    )
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.randrange(200))
        case 1:
            return good[: chance.randrange(len(good))]
        case 2:
            at = chance.randrange(len(good))
            return good[:at] + chance.randbytes(1) + good[at + 1 :]
        case _:
            values: list[object] = [None, -1, 2**63, 1e308, "x" * 300, b"\xff", [], {}, [[]] * 50]
            value = chance.choice(values)
            field = chance.choice(["v", "id", "op", "args"])
            packed: bytes = msgpack.packb({"v": 1, "id": "i", "op": "status", "args": {"ids": value}, field: value})
            return packed


def nonsense(tally: Tally) -> Iterator[None]:
    """Send frames by the thousand while agents work; each frame gets an answer. A try is a frame."""
    chance, codes = random.Random(2026), provoked_codes()
    while True:
        with Lab(tally, "limit = 3\n") as lab:
            lab.start()
            pid, before, limit = lab.pid, resident(lab.pid), 20 * _MEBIBYTE
            expected: dict[str, int | str] = {}
            for _ in range(_ROUNDS):
                expected |= dict(zip(lab.spawn([lab.spec(BRIEF, code) for code in CODES]), CODES, strict=True))
                with Raw(lab.home) as raw:
                    for _ in range(_FRAMES // _WINDOW):
                        if not answered(tally, raw, [nonsense_of(chance) for _ in range(_WINDOW)], codes):
                            break
            tally.count("lost", int(lab.pid != pid), "the daemon died")
            tally.count("left", int(resident(pid) - before > limit), f"{resident(pid) - before} KiB more memory")
            lab.audit(expected)
        tally.tries += _ROUNDS * _FRAMES - 1
        yield


def answered(tally: Tally, raw: Raw, frames: list[bytes], codes: set[str]) -> bool:
    """Return whether each frame got an answer with a documented code."""
    for frame in frames:
        raw.send(frame)
    for number in range(len(frames)):
        if not raw.socket.poll(_PATIENCE):
            tally.count("unreported", len(frames) - number, "frames without an answer")
            return False
        reply = msgpack.unpackb(raw.socket.recv(), unicode_errors="surrogateescape")
        is_right = reply["ok"] or reply["error"]["code"] in codes
        tally.count("unreported", int(not is_right), f"answered {reply}")
    return True


def listeners(tally: Tally) -> Iterator[None]:
    """Connect 200 subscribers that read nothing, 50 that are killed, and a client that asks and does not read."""
    while True:
        context = zmq.Context()
        try:
            with Lab(tally, "limit = 3\n") as lab:
                _listened(lab, context)
        finally:
            context.destroy(linger=0)
        yield


def _listened(lab: Lab, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    lab.start()
    lab.client.call("limit")
    pid, before = lab.pid, descriptors(lab.pid)
    slow, dead = crowd(lab, "listens", 200), crowd(lab, "listens", 50)
    hears = context.socket(zmq.SUB)
    hears.subscribe(b"")
    hears.connect(f"ipc://{lab.home.events}")
    with Raw(lab.home) as rude:
        _asks_and_never_reads(lab, rude)
        dead.kill()
        dead.communicate()
        lab.audit(dict.fromkeys(lab.spawn([lab.spec(BRIEF)] * 60), 0))
        lab.tally.count("unreported", int(not hears.poll(_PATIENCE)), "a subscriber that reads heard nothing")
    hears.close(linger=0)
    slow.communicate("")
    until(lambda: descriptors(pid) <= before + _SPARE, "the descriptors of those who left")


def crowd(lab: Lab, how: str, count: int) -> subprocess.Popen[str]:
    """Start clients in a process of their own and return when they are connected."""
    words = [sys.executable, "-m", "benchmarks.faults.crowd", how, str(lab.home.directory), str(count)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reply = process.stdout.readline().strip()
    lab.tally.count("unreported", 0 if reply == "served" else int(reply.split()[0]), reply)
    return process


def _asks_and_never_reads(lab: Lab, rude: Raw) -> None:
    """The daemon keeps a bounded amount for a client that does not read."""
    lab.client.call("pause")
    ids = lab.spawn([{"command": ["true"], "goal": "g" * 4000}] * 100)
    size, before = len(msgpack.packb(lab.client.call("status", {"all": True}))), resident(lab.pid)
    rude.socket.disconnect(rude.socket.getsockopt_string(zmq.LAST_ENDPOINT))
    rude.socket.setsockopt(zmq.RCVHWM, 1)
    rude.socket.connect(f"ipc://{lab.home.socket}")
    for number in range(900):
        rude.send(pack_request(f"rude-{number}", "status", {"all": True, "usage": False}))
    for _ in range(60):  # others are served between its requests
        lab.client.call("limit")
    _idle(lab.pid)
    grown = resident(lab.pid) - before
    lab.tally.count("left", int(grown * 1024 > 300 * size), f"{grown} KiB kept for a client that reads nothing")
    lab.client.call("cancel", {"ids": ids})
    lab.client.call("resume")


def _idle(pid: int) -> None:
    """Return when a process has used no CPU time for a while."""

    def used() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    def rests() -> bool:
        before = used()
        rest(0.3)
        return used() - before < 3

    until(rests, "rest", 120.0)


def thousand(tally: Tally) -> Iterator[None]:
    """Connect a thousand clients to a daemon whose shell allowed it 512 files; a try is a client."""
    while True:
        with Lab(tally, "limit = 3\n") as lab:
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (_FEW_FILES, before[1]))
            try:
                lab.start()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            lab.client.call("limit")
            opened = descriptors(lab.pid)
            ids = lab.spawn([lab.spec(BRIEF)] * 20)
            crowds = [crowd(lab, "asks", _EACH) for _ in range(_CROWDS)]
            lab.audit(dict.fromkeys(ids, 0))
            for process in crowds:
                process.communicate("")
            until(
                lambda lab=lab, opened=opened: descriptors(lab.pid) <= opened + _SPARE,
                "the descriptors of those who left",
            )
        tally.tries += _CROWDS * _EACH - 1
        yield
