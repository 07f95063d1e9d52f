"""Shims and their agents stopped, frozen and moved to other cgroups; directories of agents that are replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.faults.killing import BRIEF, STUBBORN
from benchmarks.faults.lab import Lab, until
from benchmarks.faults.tally import Tally
from orchd.instance.system.own_cgroup import own_cgroup
from tests.e2e.cgroup_modes import can_make_cgroups

_MODES = ("off", "auto")
_STOPS = "kill -STOP $PPID"
_STOPS_LATER = "(sleep 0.2; kill -STOP $PPID) &"
_FAMILY = f"(trap '' TERM; sleep 1000) & {STUBBORN}"
_PROMPT = 0.2 + 2.0 + 8.0  # seconds: the grace period, what an end may take, and what a busy machine may


def without_cgroups() -> str:
    """Return why no cgroup v2 can be used here, if none can."""
    return "" if can_make_cgroups() else "no cgroup v2 can be had"


@contextmanager
def _yard() -> Iterator[Path]:
    """Make a cgroup that no daemon knows, and remove it afterwards."""
    base = own_cgroup()
    assert base is not None
    directory = base / f"orchd-fault-{os.getpid()}-{time.monotonic_ns()}"
    directory.mkdir()
    try:
        yield directory
    finally:
        (directory / "cgroup.freeze").write_text("0")
        until(lambda: not (directory / "cgroup.procs").read_text(), "the end of all in the cgroup", 20.0)
        directory.rmdir()


def _stop(pid: int, groups: Path) -> None:  # noqa: ARG001 - all take both
    os.kill(pid, signal.SIGSTOP)


def _freeze(pid: int, groups: Path) -> None:  # noqa: ARG001
    cgroup = own_cgroup(pid)
    if cgroup is not None and cgroup != own_cgroup():
        (cgroup / "cgroup.freeze").write_text("1")


def _move(pid: int, groups: Path) -> None:
    (groups / "cgroup.procs").write_text(str(pid))


_DEEDS: tuple[Callable[[int, Path], None], ...] = (_stop, _freeze, _move)


def kept_from_running(tally: Tally) -> Iterator[None]:
    """Agents stop their own shims and end; shims of others are stopped, frozen or moved, and cancelled."""
    while True:
        for cgroups in _MODES:
            with _yard() as groups, Lab(tally, f'limit = 6\ngrace = 0.2\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.watch(6, 24)
                stops = lab.spawn([lab.spec(f"{_STOPS}; {BRIEF}", 3), lab.spec(f"{_STOPS_LATER} {BRIEF}", 5)])
                ids = lab.spawn([lab.spec(_FAMILY)] * len(_DEEDS))
                until(lambda ids=ids, lab=lab: all(lab.signed("begin")[agent_id] for agent_id in ids), "the agents")
                shims = [agent["pid"] for agent in lab.listed(ids).values()]
                for deed, pid in zip(_DEEDS, shims, strict=True):
                    deed(pid, groups)
                began = time.monotonic()
                lab.client.call("cancel", {"ids": ids})
                after = lab.spawn([lab.spec(BRIEF, 4)] * 6)
                lab.client.wait(ids=ids, timeout=_PROMPT)
                took = time.monotonic() - began
                tally.count("unreported", int(took > _PROMPT), f"{took:.1f} s until they were cancelled")
                lab.audit({stops[0]: 3, stops[1]: 5} | dict.fromkeys(ids, "cancelled") | dict.fromkeys(after, 4))
            yield


def elsewhere(tally: Tally) -> Iterator[None]:
    """A process moves to another cgroup, as containers do, and its agent ends, is cancelled, or runs late."""
    while True:
        for leaves in (partial(_by_itself, "setsid"), partial(_by_itself, "")):
            with _yard() as groups, Lab(tally, "limit = 3\ngrace = 0.2\n") as lab:
                lab.start()
                lab.watch(3, 12)
                work = leaves(groups)
                ends, cancelled = lab.spawn([lab.spec(work, 3), lab.spec(f"{work}; {STUBBORN}")])
                (late,) = lab.spawn([lab.spec(f"{work}; {STUBBORN}", timeout=1.5)])
                inside = groups / "cgroup.procs"
                until(lambda inside=inside: len(inside.read_text().split()) >= 3, "those that left")
                until(lambda lab=lab, agent_id=cancelled: lab.signed("begin")[agent_id], "the agent that is cancelled")
                lab.client.call("cancel", {"ids": [cancelled]})
                lab.audit({ends: 3, cancelled: "cancelled", late: "timed-out"})
                tally.count("left", len(inside.read_text().split()), "processes that left their cgroup")
                for pid in inside.read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            yield


def _by_itself(session: str, groups: Path) -> str:
    """Return the script of an agent that leaves a process that ignores signals in that cgroup, and then goes on."""
    inner = f'echo 0 > {groups}/cgroup.procs; echo > "$0"; trap "" TERM; sleep 1000; :'
    ready = '"$ORCHD_HOME/../$ORCHD_AGENT.left"'
    return f"{session} sh -c '{inner}' {ready} & until [ -e {ready} ]; do sleep 0.01; done"


def directories(tally: Tally) -> Iterator[None]:
    """Replace the directory of queued agents, or a link to it, while other agents work."""
    while True:
        for replace in (_made_anew, _led_elsewhere):
            with Lab(tally, "limit = 2\n") as lab:
                lab.start()
                lab.watch(2, 8)
                directory = lab.directory / "here"
                _made(lab.directory / "old", "old")
                directory.symlink_to("old")
                gate = 'until [ -e "$ORCHD_HOME/../go" ]; do sleep 0.01; done'
                old_ids = _in(lab, directory, [lab.spec(f"{gate}; {_check('old')}", 5)] * 2)
                until(lambda lab=lab: sum(lab.signed("begin").values()) == 2, "the first two")
                new_ids = _in(lab, directory, [lab.spec(_check("new"), 6)] * 6)
                replace(lab.directory, directory)
                (lab.directory / "go").touch()
                lab.audit(dict.fromkeys(old_ids, 5) | dict.fromkeys(new_ids, 6))
            yield


def _check(expected: str) -> str:
    return f'[ "$(cat which)" = {expected} ] || exit 90'


def _in(lab: Lab, directory: Path, specs: list[dict[str, object]]) -> list[str]:
    args = {"agents": specs, "cwd": str(directory), "env": lab.env}
    return [agent["id"] for agent in lab.client.call("spawn", args)["agents"]]


def _made(directory: Path, which: str) -> None:
    directory.mkdir()
    (directory / "which").write_text(which)


def _made_anew(above: Path, directory: Path) -> None:  # noqa: ARG001 - both take both
    (above / "old").rename(above / "moved")
    _made(above / "old", "new")


def _led_elsewhere(above: Path, directory: Path) -> None:
    _made(above / "new", "new")
    directory.unlink()
    directory.symlink_to("new")
