"""An agent's child connects and ends, its pid passes to a process outside, and the agent asks on that connection.

To be run as the first process of a pid namespace: `reused_pid.py HOME`. It prints what the daemon answers.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from orchctl.client import Client
from orchd.instance.home import Home
from orchd.network.zmtp import GREETING, ZmtpSession, command, encode
from orchd.protocol.frames import pack_request, unpack_reply

OPENING = GREETING + command(b"READY", b"\x0bSocket-Type\0\0\0\x06DEALER")


def attack(home: Home) -> None:
    """The agent's part: a connection whose process has ended, and a request on it when the pid is another's."""
    connection = socket.socket(socket.AF_UNIX)
    pid = os.fork()
    if pid == 0:
        connection.connect(str(home.socket))
        os._exit(0)
    os.waitpid(pid, 0)
    (home.directory / "pid").write_text(str(pid))
    with (home.directory / "go").open() as go:
        go.read()
    connection.sendall(OPENING + encode([pack_request("attack", "limit", {"limit": 33})]))
    session = ZmtpSession(b"DEALER", frozenset({b"ROUTER"}), 1 << 20)
    while not (messages := list(session.feed(connection.recv(1 << 16)))):
        pass
    (home.directory / "answer").write_text(str(unpack_reply(messages[0][-1]).error))


def outside(pid: int) -> subprocess.Popen[bytes]:
    """A process of the owner's that has this pid."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert process.pid == pid, (process.pid, pid)
    return process


def main(home: Home) -> None:
    """The owner's part."""
    for name in ("go", "told"):
        os.mkfifo(home.directory / name)
    with closing(Client(home)) as client:
        words = [
            "sh",
            "-c",
            f'"$0" -m tests.support.reused_pid "$1" attack; echo >{home.directory}/told',
            sys.executable,
        ]
        args = {"agents": [{"command": [*words, str(home.directory)]}], "cwd": os.getcwd(), "env": dict(os.environ)}
        client.call("spawn", args)
        while not (home.directory / "pid").exists() or not (pid := (home.directory / "pid").read_text()):
            client.wait(scope="all", timeout=0.05)
        owner = outside(int(pid))
        (home.directory / "go").write_text("")
        (home.directory / "told").read_text()
        limit = client.call("limit")["limit"]
        sys.stdout.write(f"{(home.directory / 'answer').read_text()}\n{limit}\n")
        owner.communicate()
        client.call("stop", {"agents": "stop"})


if __name__ == "__main__":
    if sys.argv[2:] == ["attack"]:
        attack(Home(Path(sys.argv[1])))
    else:
        main(Home(Path(sys.argv[1])))
