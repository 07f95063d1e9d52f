"""Who is asking, by the kernel's word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orchd.callers import Outside
from orchd.ports import Peer
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
    (pid,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _comm(entry) == "sleep" and _environ(entry) >= {ours, _mark(marks)}
    ]
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


RACE = """
import os, sys
import msgpack, zmq
address = "ipc://" + os.environ["ORCHD_HOME"] + "/orchd.sock"
said = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
if len(sys.argv) == 2:
    for _ in range(60):
        if (pid := os.fork()) == 0:
            os.setsid()
            for _ in range(6):
                if os.fork(): os._exit(0)
            home = {"ORCHD_HOME": os.environ["ORCHD_HOME"]}
            os.execve(sys.executable, [sys.executable, __file__, sys.argv[1], "flee"], home)
        os.waitpid(pid, 0)
else:
    for number in range(5):
        if os.fork(): os._exit(0)
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.connect(address)
        socket.send(msgpack.packb({"v": 1, "id": f"{os.getpid()}", "op": "limit", "args": {"limit": 9}}))
        reply = msgpack.unpackb(socket.recv()) if socket.poll(20000) else {}
        os.write(said, (reply.get("error", {}).get("code", "allowed") + "\\n").encode())
        context.destroy(linger=0)
"""


@pytest.mark.slow
def test_one_whose_parents_leave_while_they_are_looked_at_does_not_become_the_owner(
    stopped: Instance, tmp_path: Path
) -> None:
    stopped.configure('cgroups = "off"\n')
    stopped.start()
    (tmp_path / "race.py").write_text(RACE)
    one = stopped.spawn(sys.executable, str(tmp_path / "race.py"), str(tmp_path / "said"))
    stopped.ctl("wait", one, code=None)
    said = Counter((tmp_path / "said").read_text().split())
    assert set(said) == {"forbidden"}, said
    assert stopped.status()["limit"]["limit"] == 7
