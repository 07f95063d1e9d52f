"""Processes that pose as another: connections that outlive who opened them, detached processes of agents,
daemons in another pid namespace; and connections that ask nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.faults.killing import BRIEF, CODES
from benchmarks.faults.lab import Lab, until
from benchmarks.faults.tally import Tally
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from orchd.instance.system.sockets import is_listened_to
from orchd.protocol.errors import WireError

_FILES, _IDLE = 64, 100
_LIMIT = 2
_BARE = "env -u ORCHD_AGENT -u ORCHD_ATTEMPT"
# What an agent does to raise the limit and to end a stranger, and how it is to end: with neither done.
_PRETENDS = f"""\
for bare in "" "{_BARE}" "env ORCHD_AGENT={{victim}} ORCHD_ATTEMPT=1"; do
    $bare orchctl limit 9; $bare setsid -f orchctl limit 9; ($bare orchctl limit 9 &)
    $bare orchctl cancel {{victim}}; $bare setsid orchctl cancel {{victim}}
done >/dev/null 2>&1"""


def pretenders(tally: Tally) -> Iterator[None]:
    """Agents connect without their marks, with marks of others and detached; a child inherits a connection."""
    while True:
        for cgroups in ("off", "auto"):
            with Lab(tally, f'limit = {_LIMIT}\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.watch(_LIMIT, 8)
                gate = 'until [ -e "$ORCHD_HOME/../go" ]; do sleep 0.01; done'
                (victim,) = lab.spawn([lab.spec(gate, 6)])
                ids = lab.spawn([lab.spec(_PRETENDS.format(victim=victim), 5)] * 2)
                _inherited(lab, victim)
                lab.client.wait(ids=ids, timeout=60.0)
                allowed = lab.client.call("limit")["limit"]
                tally.count("over", int(allowed != _LIMIT), f"the limit is {allowed}, and nobody has raised it")
                (lab.directory / "go").touch()
                lab.audit({victim: 6} | dict.fromkeys(ids, 5))
            yield


def _inherited(lab: Lab, victim: str) -> None:
    """A process connects, leaves the connection to its child, and ends: the child's requests are refused."""
    words = [sys.executable, "-m", "benchmarks.faults.heir", str(lab.home.socket), victim]
    result = subprocess.run(words, env=lab.env, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    codes = result.stdout.split()
    granted = [code for code in codes if code != "forbidden"]
    lab.tally.count("unreported", len(granted), f"a connection whose process has ended is answered {granted}")
    lab.tally.count("unreported", int(not codes), "nothing was asked on the connection of a process that has ended")


def cannot_unshare() -> str:
    """Return why no pid namespace can be made here, if none can."""
    if os.getuid() or shutil.which("unshare") is None:
        return "needs root and unshare(1) to make a pid namespace"
    return ""


def namespaces(tally: Tally) -> Iterator[None]:
    """Start a daemon in a pid namespace of its own while agents of the home live: it must not serve."""
    while True:
        for cgroups in ("off", "auto"):
            with Lab(tally, f'limit = 3\ncgroups = "{cgroups}"\n') as lab:
                lab.start()
                lab.watch(3, 12)
                gate = 'until [ -e "$ORCHD_HOME/../go" ]; do sleep 0.01; done'
                ids = lab.spawn([lab.spec(gate, 6)] * 3 + [lab.spec(BRIEF, code) for code in CODES])
                until(lambda lab=lab: len(lab.signed("begin")) == 3, "the first three")
                lab.kill_daemon()
                _daemon_elsewhere(lab)
                lab.client.call("limit")  # starts a daemon, unless another client already has
                (lab.directory / "go").touch()
                lab.audit(dict(zip(ids, (6, 6, 6, *CODES), strict=True)))
            yield


def _daemon_elsewhere(lab: Lab) -> None:
    """The daemon ends with a sentence; a daemon that serves all the same is ended here."""
    words = ["unshare", "-pf", "--mount-proc", "--kill-child", sys.executable, "-m", "orchd"]
    with lab.said.open("ab") as stream:
        daemon = subprocess.Popen(
            [*words, "--home", str(lab.home.directory)],
            env=lab.env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    until(
        lambda: daemon.poll() is not None or is_listened_to(lab.home.socket), "the end of a daemon that must not serve"
    )
    if daemon.poll() is None:
        lab.client.call("limit")
        daemon.kill()
        daemon.wait()
    else:
        has_sentence = "in another pid namespace" in lab.words()
        lab.tally.count("unreported", int(not has_sentence), lab.last_words())


def idle(tally: Tally) -> Iterator[None]:
    """Open more idle connections than the daemon has descriptors, while agents run and clients send requests."""
    while True:
        for name in ("socket", "events"):
            with Lab(tally, "limit = 4\n") as lab, ExitStack() as stack:
                lab.start("sh", "-c", f'ulimit -n {_FILES}; exec "$0" "$@"', sys.executable, "-m", "orchd")
                lab.watch(4, 16)
                pid, expected = lab.pid, dict[str, int | str]()
                for _ in range(2):
                    _connect(stack, getattr(lab.home, name))
                    expected |= _spawned(lab)
                lab.audit(expected)
                tally.count("unreported", int(lab.pid != pid), "the daemon died")
                stack.close()
                until(
                    lambda pid=pid: len(os.listdir(f"/proc/{pid}/fd")) < _FILES // 2, "the descriptors of all that left"
                )
            yield


def _connect(stack: ExitStack, path: Path) -> None:
    for _ in range(_IDLE):
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))


def _spawned(lab: Lab) -> dict[str, int | str]:
    """Return the agents that the daemon acknowledges to a new client."""
    args = {"agents": [lab.spec(BRIEF, code) for code in CODES], "cwd": str(lab.directory), "env": lab.env}
    try:
        with Client(lab.home, starts=False) as client:
            agents = client.call("spawn", args, patience=10.0)["agents"]
            return dict(zip((agent["id"] for agent in agents), CODES, strict=True))
    except (NoDaemonError, WireError) as error:
        lab.tally.count("unreported", 1, f"a client among connections that ask nothing: {error}")
        return {}
