"""A disk that is full or broken: at every change that the daemon makes to a file, and for real on a small one."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults.killing import BRIEF, CODES
from benchmarks.faults.lab import DEADLINE, Lab, Stuck, rest, until
from benchmarks.faults.layer import FAIL, Layer
from benchmarks.faults.tally import Tally
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from orchd.protocol.errors import WireError

_STEP = 7
_REFUSALS = ("cannot-store", "disk-full")


def broken(error: int, *, times: int) -> Callable[[Tally], Iterator[None]]:
    """A row whose tries refuse the n-th change, and so many in a row, with this error; times 0: all that follow."""

    def trying(tally: Tally) -> Iterator[None]:
        number = 1
        while True:
            with Lab(tally, "limit = 2\n") as lab:
                layer = Layer(lab.directory, lab.home.directory)
                lab.start(**layer.env)
                layer.set(only_pid=lab.pid)
                ids = lab.spawn([lab.spec(BRIEF, code) for code in CODES])
                expected: dict[str, int | str] = dict(zip(ids, CODES, strict=True))
                layer.arm(FAIL, after=number, times=times, error=error)
                expected |= _asked(lab)
                until(lambda layer=layer, lab=lab: layer["refused"] or _rest(lab), "a refusal, or the end of all work")
                number = number + _STEP if layer["refused"] else 1 + number % _STEP
                layer.disarm()
                lab.audit(expected)
                _had_a_sentence(lab)
            yield

    return trying


def _asked(lab: Lab) -> dict[str, int | str]:
    """What a client is told while the disk is as it is: yes, or an error, or nothing by a daemon that ends."""
    expected: dict[str, int | str] = {}
    with Client(lab.home, starts=False) as client:
        for number, code in enumerate((4, 0, 9)):
            env = {**lab.env, "NUMBER": str(number)}
            request = {"agents": [lab.spec(BRIEF, code)], "cwd": str(lab.directory), "env": env}
            try:
                expected[client.call("spawn", request)["agents"][0]["id"]] = code
            except WireError as refused:
                lab.tally.count("unsaid", int(refused.code not in _REFUSALS), str(refused))
            except NoDaemonError:
                break
    return expected


def _rest(lab: Lab) -> bool:
    return not any(agent["ended_at"] is None for agent in lab.shown().values())


def _had_a_sentence(lab: Lab) -> None:
    """A daemon that ended said why, in a sentence that tells what to do."""
    daemon = lab.daemon
    if daemon is not None and daemon.poll() not in (None, 0):
        is_said = daemon.returncode == 1 and "CRITICAL" in lab.words()
        lab.tally.count("unsaid", int(not is_said), f"ended with {daemon.returncode}: {lab.last_words()}")


def small(tally: Tally) -> Iterator[None]:
    """Homes on a disk of 8 MiB, which agents fill with their output while others are asked for."""
    while True:
        with Lab(tally, f"limit = {len(CODES) + 1}\ngrace = 0.2\n") as lab, _disk_of(lab, "8m"):
            lab.start()
            ids = lab.spawn([lab.spec("sleep 1", code) for code in CODES])  # they end while there is no room
            (filler,) = lab.spawn([{"command": ["sh", "-c", "yes; exit 1"]}])
            log = lab.home.agents / f"{filler}.1.log"
            _fills(log)
            expected = dict(zip(ids, CODES, strict=True)) | _asked(lab)
            log.write_bytes(b"")  # a person makes room
            until(lambda lab=lab: _stores(lab), "a daemon that has noticed that there is room")
            expected |= _asked(lab)
            lab.client.call("cancel", {"ids": [filler]})
            lab.audit(expected)
            _had_a_sentence(lab)
            _ends(lab, filler)
        yield


def _stores(lab: Lab) -> bool:
    """Whether a change is stored, and not refused for want of room."""
    try:
        lab.client.call("limit", {"limit": len(CODES) + 1})
    except WireError as refused:
        if refused.code not in _REFUSALS:
            raise
        return False
    return True


def _fills(log: Path) -> None:
    """Return when it grows no more."""
    sizes = [0]

    def rests() -> bool:
        rest(0.2)
        sizes.append(log.stat().st_size if log.exists() else 0)
        return 0 < sizes[-2] == sizes[-1]

    until(rests, "a full disk")


def _ends(lab: Lab, agent_id: str) -> None:
    if not lab.client.wait(ids=[agent_id], timeout=DEADLINE)["agents"][0]["ended_at"]:
        raise Stuck(f"{agent_id} does not end")


class _disk_of:  # noqa: N801 - reads as what it is in a with
    """A tmpfs of a size under the home of a lab; its daemon ends before it goes."""

    def __init__(self, lab: Lab, size: str) -> None:
        self._lab, self._size = lab, size

    def __enter__(self) -> None:
        config = self._lab.home.config.read_text()
        words = ["mount", "-t", "tmpfs", "-o", f"size={self._size},mode=700", "tmpfs", str(self._lab.home.directory)]
        subprocess.run(words, check=True)
        self._lab.home.create()
        self._lab.home.config.write_text(config)

    def __exit__(self, *_: object) -> None:
        self._lab.ends()
        subprocess.run(["umount", "--lazy", str(self._lab.home.directory)], check=True)


def cannot_mount() -> str:
    """Why no disk of its own can be had here."""
    result = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return "" if result.returncode == 0 else "no disk can be mounted here"


FULL = broken(errno.ENOSPC, times=0)
BROKEN = broken(errno.EIO, times=1)
