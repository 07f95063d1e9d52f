"""The process at the other end of a connection, also when it has ended and another has its pid."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchd.network import peers
from orchd.network.peers import Credentials, credentials_of
from tests.support.machine import needs_root

CONNECT = (
    "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(os.getpid(), flush=True)"
)
STAY = f"{CONNECT}; sys.stdin.read()"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket to connect to."""
    with socket.socket(socket.AF_UNIX) as new_listener:
        new_listener.bind(str(tmp_path / "s"))
        new_listener.listen()
        yield new_listener


def path(listener: socket.socket) -> str:
    """Where it is."""
    return str(listener.getsockname())


def test_a_peer_process_is_alive_until_it_ends(listener: socket.socket) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", STAY, path(listener)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    accepted, _ = listener.accept()
    with accepted, closing(credentials_of(accepted)) as credentials:
        assert (credentials.uid, credentials.pid) == (os.getuid(), client.pid)
        assert credentials.is_alive()
        client.communicate()
        assert not credentials.is_alive()


@pytest.mark.parametrize("is_old", [False, True], ids=["", "a kernel without SO_PEERPIDFD"])
def test_a_process_that_ended_before_the_accept_is_not_alive(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, *, is_old: bool
) -> None:
    if is_old:
        monkeypatch.setattr(peers, "_SO_PEERPIDFD", 9999)
    client = subprocess.run([sys.executable, "-c", CONNECT, path(listener)], stdout=subprocess.PIPE, check=True)
    accepted, _ = listener.accept()
    with accepted, closing(credentials_of(accepted)) as credentials:
        assert credentials.pid == int(client.stdout)
        assert not credentials.is_alive()


def test_a_peer_in_another_pid_namespace_is_not_alive() -> None:
    assert not Credentials(0, 0, None).is_alive()


# Run as the first process of a pid namespace: a child connects and ends, and the next one gets its pid.
REUSE = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from orchd.network.peers import credentials_of
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen()

def connected():
    pid = os.fork()
    if pid == 0:
        client = socket.socket(socket.AF_UNIX)
        client.connect(sys.argv[2])
        os._exit(0)
    os.waitpid(pid, 0)
    return pid

def forked_as(pid):
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(pid - 1))
    ready, stay = os.pipe(), os.pipe()
    new = os.fork()
    if new == 0:
        os.close(stay[1])
        os.read(stay[0], 1)
        os._exit(0)
    assert new == pid, (new, pid)
    return stay[1]

first = connected()
accepted_before = credentials_of(listener.accept()[0])
second = connected()
held = [forked_as(first), forked_as(second)]
accepted_after = credentials_of(listener.accept()[0])
for pid, found in ((first, accepted_before), (second, accepted_after)):
    assert found.pid == pid
    assert os.path.exists(f"/proc/{pid}")
    assert not found.is_alive(), "another process has this pid"
print("ok")
"""


@needs_root
def test_a_process_with_a_reused_pid_is_not_taken_for_the_peer(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    words = ["unshare", "-pf", "--mount-proc", "--kill-child", sys.executable, "-c", REUSE, root, str(tmp_path / "s")]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (process.stdout, process.returncode) == ("ok\n", 0), process.stderr
