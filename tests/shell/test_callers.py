"""Who is asking, by the kernel's word."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd import callers
from orchd.callers import Outside, check_proc
from orchd.errors import OrchdError
from orchd.ports import Peer
from orchd.procs import procfs
from orchd.procs.procfs import marks
from tests.conftest import Instance, until
from tests.shell.bench import SOMEBODY, Bench

SLEEPER = ["sleep", "600"]


def peer(pid: int, route: bytes = b"c") -> Peer:
    """A connection of this process."""
    return Peer((route,), os.getuid(), pid)


def child_of(bench: Bench, script: str) -> int:
    """The pid of a process that an agent wrote down."""
    told = bench.home.directory / "pid"
    bench.spawn("bash", "-c", script.replace("PID", str(told)))
    return int(until(lambda: told.exists() and told.read_text().strip()))


def test_where_processes_of_others_are_hidden_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_proc()
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    with pytest.raises(OrchdError, match="hidepid=0, or with gid="):
        check_proc()


def test_where_processes_of_others_are_shown_and_may_not_be_read_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(callers, "look", refused)
    with pytest.raises(OrchdError, match="hidepid=0, or with gid="):
        check_proc()


def test_whoever_is_outside_is_the_owner(bench: Bench) -> None:
    assert bench.callers.who(peer(SOMEBODY)) is Outside.OWNER
    assert bench.callers.who(peer(os.getppid())) is Outside.OWNER


def test_another_user_is_a_stranger(bench: Bench) -> None:
    assert bench.callers.who(Peer((b"c",), os.getuid() + 1, SOMEBODY)) is Outside.STRANGER


def test_one_that_has_gone_is_nobody(bench: Bench) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert bench.callers.who(peer(gone.pid)) is Outside.NOBODY
    assert bench.callers.who(peer(0, b"d")) is Outside.NOBODY


def test_one_below_the_daemon_that_shows_no_agent_is_nobody(bench: Bench) -> None:
    with subprocess.Popen(SLEEPER, env={}) as other:
        assert bench.callers.who(peer(other.pid)) is Outside.NOBODY
        other.kill()


def test_an_agents_own_process_and_those_below_it_are_the_agent(bench: Bench) -> None:
    pid = child_of(bench, "bash -c 'echo $$ > PID; sleep 600'; true")
    assert bench.callers.who(peer(pid)) == "agent-001"


def test_an_agents_process_in_a_session_of_its_own_is_the_agent_whatever_it_shows(bench: Bench) -> None:
    bench.spawn(*SLEEPER)
    told = bench.home.directory / "pid"
    bench.spawn("bash", "-c", f"ORCHD_AGENT=agent-001 setsid -w bash -c 'echo $$ > {told}; exec sleep 600'; true")
    pid = int(until(lambda: told.exists() and told.read_text().strip()))
    assert marks(pid)["ORCHD_AGENT"] == "agent-001"
    assert bench.callers.who(peer(pid)) == "agent-002"


def test_one_that_left_its_parents_but_not_its_session_is_the_agents(bench: Bench) -> None:
    pid = child_of(bench, "( env -i sleep 600 & echo $! > PID ); sleep 600")
    assert bench.callers.who(peer(pid)) == "agent-001"


def test_one_that_left_its_session_too_is_known_by_its_marks(bench: Bench) -> None:
    pid = child_of(bench, "setsid bash -c 'echo $$ > PID; exec sleep 600' & sleep 600")
    assert bench.callers.who(peer(pid)) == "agent-001"


@pytest.mark.parametrize("marks", [{"ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "7"}, {"ORCHD_AGENT": "agent-009"}])
def test_one_that_shows_an_attempt_that_has_ended_is_nobody(bench: Bench, marks: dict[str, str]) -> None:
    """An orphan that survived its agent does not become a person by it."""
    bench.spawn(*SLEEPER)
    orphan = subprocess.run(
        [sys.executable, "-c", "import os, sys\nif os.fork() == 0: os.setsid(); os.execvp('sleep', ['sleep', '600'])"],
        env={**os.environ, "ORCHD_HOME": str(bench.home.directory), **marks},
        check=True,
    )
    assert orphan.returncode == 0
    ours = f"ORCHD_HOME={bench.home.directory}".encode()
    (pid,) = until(
        lambda: [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _comm(entry) == "sleep" and _environ(entry) >= {ours, _mark(marks)}
        ]
    )
    assert bench.callers.who(peer(pid)) is Outside.NOBODY


def _comm(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return ""


def _environ(entry: Path) -> set[bytes]:
    try:
        return set((entry / "environ").read_bytes().split(b"\0"))
    except OSError:
        return set()


def _mark(marks: dict[str, str]) -> bytes:
    name, value = list(marks.items())[-1]
    return f"{name}={value}".encode()


def test_a_person_who_has_only_set_the_home_is_still_the_owner(instance: Instance) -> None:
    assert instance.env["ORCHD_HOME"] == str(instance.directory)
    instance.ctl("limit", "3")


def test_an_attempt_that_is_over_is_nobody_any_more(bench: Bench) -> None:
    pid = child_of(bench, "echo $$ > PID; exec sleep 600")
    assert bench.callers.who(peer(pid)) == "agent-001"
    bench.ask("cancel", {"ids": ["1"]})
    bench.until_over(bench.agent("1"))
    assert bench.callers.who(peer(pid)) is Outside.NOBODY


def test_no_more_callers_are_remembered_than_a_few_thousand(bench: Bench) -> None:
    for number in range(4200):
        bench.callers.who(peer(SOMEBODY, number.to_bytes(4)))
    assert len(bench.callers._found) == 4096


CHAIN = """
import os, sys
for _ in range(120):
    if os.fork():
        os.wait()
        os._exit(0)
    print(os.getpid(), flush=True)
os.setsid()
os.execve("/bin/sleep", ["sleep", "600"], {})
"""
KILLER = "import os, sys\nfor pid in map(int, sys.argv[1:]): os.kill(pid, 9)"


@pytest.fixture
def reaper() -> Iterator[None]:
    """What a daemon is to orphans: they come to it, and their ends leave nothing behind."""
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    yield
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)
    signal.signal(signal.SIGCHLD, old)


@pytest.mark.slow
@pytest.mark.usefixtures("reaper")
def test_one_whose_parents_leave_while_they_are_looked_at_does_not_become_the_owner(bench: Bench) -> None:
    """The walk up comes to an end where somebody has just died, and that is no top."""
    seen: Counter[object] = Counter()
    for _ in range(12):
        top = subprocess.Popen([sys.executable, "-c", CHAIN], env={}, stdout=subprocess.PIPE, text=True)
        assert top.stdout is not None
        pids = [int(top.stdout.readline()) for _ in range(120)]
        killer = subprocess.Popen([sys.executable, "-I", "-S", "-c", KILLER, *map(str, pids[:-1])])
        routes = (number.to_bytes(4) for number in range(2**31))
        while Path(f"/proc/{pids[-2]}").exists():
            seen[bench.callers.who(peer(pids[-1], next(routes)))] += 1
            bench.callers._found.clear()
        os.kill(pids[-1], signal.SIGKILL)
        killer.wait()
        top.stdout.close()
        top.wait()
    assert set(seen) == {Outside.NOBODY}
