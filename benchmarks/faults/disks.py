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
    """Return a row whose tries fail the n-th change and `times` in a row with this error; times 0: all that follow."""

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
                expected |= _spawn_reply(lab)
                until(lambda layer=layer, lab=lab: layer["refused"] or _rest(lab), "a refusal, or the end of all work")
                number = number + _STEP if layer["refused"] else 1 + number % _STEP
                layer.disarm()
                lab.audit(expected)
                _check_last_words(lab)
            yield

    return trying


def _spawn_reply(lab: Lab) -> dict[str, int | str]:
    """Check the reply to a spawn on this disk: an agent, an error, or no reply by a daemon that ends."""
    expected: dict[str, int | str] = {}
    with Client(lab.home, starts=False) as client:
        for number, code in enumerate((4, 0, 9)):
            env = {**lab.env, "NUMBER": str(number)}
            request = {"agents": [lab.spec(BRIEF, code)], "cwd": str(lab.directory), "env": env}
            try:
                expected[client.call("spawn", request)["agents"][0]["id"]] = code
            except WireError as refused:
                lab.tally.count("unreported", int(refused.code not in _REFUSALS), str(refused))
            except NoDaemonError:
                break
    return expected


def _rest(lab: Lab) -> bool:
    return not any(agent["ended_at"] is None for agent in lab.listed().values())


def _check_last_words(lab: Lab) -> None:
    """A daemon that ended wrote a sentence that says why and what to do."""
    daemon = lab.daemon
    if daemon is not None and daemon.poll() not in (None, 0):
        is_said = daemon.returncode == 1 and "CRITICAL" in lab.words()
        lab.tally.count("unreported", int(not is_said), f"ended with {daemon.returncode}: {lab.last_words()}")


def small(tally: Tally) -> Iterator[None]:
    """Put homes on a disk of 8 MiB that agents fill with output while others are spawned."""
    while True:
        with Lab(tally, f"limit = {len(CODES) + 1}\ngrace = 0.2\n") as lab, _disk_of(lab, "8m"):
            lab.start()
            ids = lab.spawn([lab.spec("sleep 1", code) for code in CODES])  # they end while there is no room
            (filler,) = lab.spawn([{"command": ["sh", "-c", "yes; exit 1"]}])
            log = lab.home.agents / f"{filler}.1.log"
            _fills(log)
            expected = dict(zip(ids, CODES, strict=True)) | _spawn_reply(lab)
            log.write_bytes(b"")  # a person makes room
            until(lambda lab=lab: _stores(lab), "a daemon that has noticed that there is room")
            expected |= _spawn_reply(lab)
            lab.client.call("cancel", {"ids": [filler]})
            lab.audit(expected)
            _check_last_words(lab)
            _ends(lab, filler)
        yield


def _stores(lab: Lab) -> bool:
    """Return whether the daemon stores a change, and does not refuse it for want of room."""
    try:
        lab.client.call("limit", {"limit": len(CODES) + 1})
    except WireError as refused:
        if refused.code not in _REFUSALS:
            raise
        return False
    return True


def _fills(log: Path) -> None:
    """Return when the output grows no more."""
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
    """Mount a tmpfs under the home of a lab; end its daemon before the unmount."""

    def __init__(self, lab: Lab, size: str) -> None:
        self._lab, self._size = lab, size

    def __enter__(self) -> None:
        config = self._lab.home.config.read_text()
        words = ["mount", "-t", "tmpfs", "-o", f"size={self._size},mode=700", "tmpfs", str(self._lab.home.directory)]
        subprocess.run(words, check=True)
        self._lab.home.create()
        self._lab.home.config.write_text(config)

    def __exit__(self, *_: object) -> None:
        self._lab.end_all()
        subprocess.run(["umount", "--lazy", str(self._lab.home.directory)], check=True)


def cannot_mount() -> str:
    """Return why no disk of its own can be mounted here."""
    result = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return "" if result.returncode == 0 else "no disk can be mounted here"


FULL = broken(errno.ENOSPC, times=0)
BROKEN = broken(errno.EIO, times=1)
