"""The identity of a caller, by the kernel's word."""

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

from orchd.errors import OrchdError
from orchd.network import callers
from orchd.network.callers import Caller, check_proc, check_uid
from orchd.network.peers import Outside
from orchd.processes.linux import procfs
from orchd.processes.linux.procfs import environment_markers, read_process
from tests.conftest import Instance, until
from tests.support.bench import SOMEBODY, Bench
from tests.support.machine import needs_root
from tests.support.peers import peer_of

ROOT = Path(__file__).parents[2]
SLEEPER = ["sleep", "600"]


def who(bench: Bench, pid: int, uid: int | None = None) -> Caller:
    """The caller on a connection of this process that is accepted now."""
    return bench.callers.who(peer_of(bench.callers, pid, uid))


def child_of(bench: Bench, script: str) -> int:
    """The pid of a process that an agent wrote down."""
    pid_file = bench.home.directory / "pid"
    bench.spawn("bash", "-c", script.replace("PID", str(pid_file)))
    return int(until(lambda: pid_file.exists() and pid_file.read_text().strip()))


def test_hidden_processes_of_other_users_are_reported_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_proc()
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    with pytest.raises(OrchdError, match="hidepid=0, or with gid="):
        check_proc()


def test_unreadable_processes_of_other_users_are_reported_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(callers, "read_process", refused)
    with pytest.raises(OrchdError, match="hidepid=0, or with gid="):
        check_proc()


@needs_root
def test_a_daemon_with_the_overflow_uid_does_not_start() -> None:
    check_uid()
    words = ["unshare", "-U", sys.executable, "-c", "import orchd.network.callers; orchd.network.callers.check_uid()"]
    process = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "OrchdError: this process runs as uid 65534" in process.stderr
    subprocess.run(["unshare", "-Ur", *words[2:]], cwd=ROOT, check=True)


def test_a_process_outside_the_daemons_tree_is_the_owner(bench: Bench) -> None:
    assert who(bench, SOMEBODY) is Outside.OWNER
    assert who(bench, os.getppid()) is Outside.OWNER


def test_another_user_is_a_stranger(bench: Bench) -> None:
    assert who(bench, SOMEBODY, os.getuid() + 1) is Outside.STRANGER


def test_a_process_that_has_ended_is_no_caller(bench: Bench) -> None:
    ended_process = subprocess.Popen(["true"])
    ended_process.wait()
    assert who(bench, ended_process.pid) is Outside.ENDED


def test_a_process_in_an_invisible_pid_namespace_is_refused(bench: Bench) -> None:
    """The kernel reports pid 0 for a process outside the daemon's own pid namespace."""
    assert who(bench, 0) is Outside.HIDDEN
    assert bench.code("limit", pid=0) == "forbidden"


def test_a_process_below_the_daemon_without_an_agent_is_unidentified(bench: Bench) -> None:
    with subprocess.Popen(SLEEPER, env={}) as other:
        assert who(bench, other.pid) is Outside.NOBODY
        other.kill()


def test_a_descendant_process_of_an_agent_is_identified_as_the_agent(bench: Bench) -> None:
    pid = child_of(bench, "bash -c 'echo $$ > PID; sleep 600'; true")
    assert who(bench, pid) == "agent-001"


def test_an_agent_process_with_forged_variables_keeps_its_identity(bench: Bench) -> None:
    bench.spawn(*SLEEPER)
    pid_file = bench.home.directory / "pid"
    bench.spawn("bash", "-c", f"ORCHD_AGENT=agent-001 setsid -w bash -c 'echo $$ > {pid_file}; exec sleep 600'; true")
    pid = int(until(lambda: pid_file.exists() and pid_file.read_text().strip()))
    assert environment_markers(pid)["ORCHD_AGENT"] == "agent-001"
    assert who(bench, pid) == "agent-002"


def test_an_orphan_in_the_session_of_its_agent_is_identified_as_the_agent(bench: Bench) -> None:
    pid = child_of(bench, "( env -i sleep 600 & echo $! > PID ); sleep 600")
    assert who(bench, pid) == "agent-001"


def parent_of(pid: int) -> int:
    """The parent of a living process."""
    info = read_process(pid)
    assert info is not None
    return info.parent


def test_environment_variables_do_not_identify_an_orphan(bench: Bench) -> None:
    """It has detached from its agent, and has the variables of that agent, or of another: nothing proves them."""
    bench.spawn(*SLEEPER)
    for forged in ("", "env ORCHD_AGENT=agent-001 ORCHD_ATTEMPT=1"):
        pid_file = bench.home.directory / f"pid{len(forged)}"
        agent = bench.spawn(
            "bash", "-c", f"setsid -f {forged} bash -c 'echo $$ > {pid_file}; exec sleep 600'; sleep 600"
        )
        pid = int(until(lambda pid_file=pid_file: pid_file.exists() and pid_file.read_text().strip()))
        until(lambda pid=pid: parent_of(pid) in (os.getpid(), 1))
        assert environment_markers(pid)["ORCHD_AGENT"] == ("agent-001" if forged else agent.id)
        assert who(bench, pid) in (Outside.NOBODY, Outside.MARKED)


@pytest.mark.parametrize("marks", [{"ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "7"}, {"ORCHD_AGENT": "agent-009"}])
def test_an_orphan_with_the_variables_of_an_agent_is_not_the_owner(bench: Bench, marks: dict[str, str]) -> None:
    """An orphan that survived its agent does not become a person by it."""
    bench.spawn(*SLEEPER)
    orphan = subprocess.run(
        [sys.executable, "-c", "import os, sys\nif os.fork() == 0: os.setsid(); os.execvp('sleep', ['sleep', '600'])"],
        env={**os.environ, "ORCHD_HOME": str(bench.home.directory), **marks},
        check=True,
    )
    assert orphan.returncode == 0
    home_mark = f"ORCHD_HOME={bench.home.directory}".encode()
    (pid,) = until(
        lambda: [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _comm(entry) == "sleep" and _environ(entry) >= {home_mark, _mark(marks)}
        ]
    )
    assert who(bench, pid) is Outside.MARKED


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


def test_a_caller_with_only_the_home_variable_is_the_owner(instance: Instance) -> None:
    assert instance.env["ORCHD_HOME"] == str(instance.directory)
    instance.ctl("limit", "3")


def test_a_connection_of_an_ended_attempt_has_no_rights(bench: Bench) -> None:
    pid = child_of(bench, "echo $$ > PID; exec sleep 600")
    peer = peer_of(bench.callers, pid)
    assert bench.callers.who(peer) == "agent-001"
    bench.ask("cancel", {"ids": ["1"]})
    bench.until_over(bench.agent("1"))
    assert bench.callers.who(peer) is Outside.FORMER


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
    """A subreaper, as a daemon is: orphans come to it, and their ends leave nothing behind."""
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    yield
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)
    signal.signal(signal.SIGCHLD, old)


@pytest.mark.slow
@pytest.mark.usefixtures("reaper")
def test_a_process_with_ancestors_exiting_during_the_walk_is_not_the_owner(bench: Bench) -> None:
    """The walk up comes to an end where somebody has just died, and that is no top."""
    callers: Counter[object] = Counter()
    for _ in range(12):
        top = subprocess.Popen([sys.executable, "-c", CHAIN], env={}, stdout=subprocess.PIPE, text=True)
        assert top.stdout is not None
        pids = [int(top.stdout.readline()) for _ in range(120)]
        killer = subprocess.Popen([sys.executable, "-I", "-S", "-c", KILLER, *map(str, pids[:-1])])
        while Path(f"/proc/{pids[-2]}").exists():
            callers[who(bench, pids[-1])] += 1
        os.kill(pids[-1], signal.SIGKILL)
        killer.wait()
        top.stdout.close()
        top.wait()
    assert set(callers) == {Outside.NOBODY}
