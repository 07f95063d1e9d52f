"""supervisor: programs are declared, and started over XML-RPC on a socket; it has neither a queue nor a limit."""

from __future__ import annotations

import http.client
import itertools
import socket
import subprocess
import threading
import xmlrpc.client
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.peers.base import LIMIT, WRITER, Peer, until
from benchmarks.peers.cache import program

MOST = 1000
AT_ONCE = False  # do not wait until it is seen to run: what is short has ended by then, and counts as failed
CONFIG = """\
[supervisord]
nodaemon=true
logfile={directory}/supervisord.log
pidfile={directory}/supervisord.pid
childlogdir={directory}
[unix_http_server]
file={directory}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{directory}/socket
"""
PROGRAM = """\
[program:{name}]
command={command}
process_name=%(program_name)s%(process_num)d
numprocs={count}
autostart=false
autorestart=false
startsecs=0
"""


class _Line(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> _Line:  # noqa: ARG002
        line = self._connection[1] if self._connection else None
        if not isinstance(line, _Line):
            line = _Line(self._path)
            self._connection = "localhost", line
        return line


class Supervisor(Peer):
    """Seven clients start programs at once: the limit is in the clients."""

    name = "supervisor"
    needs: ClassVar[tuple[str, ...]] = ("supervisor",)
    note = "7 connections, no queue"
    many = 300
    lists: ClassVar[tuple[int, ...]] = (0, 1000)

    def __init__(self) -> None:
        super().__init__()
        self.bin = Path(program("supervisor")).parent
        self.config = self.directory / "conf"
        self.server: subprocess.Popen[bytes] | None = None
        self._next, self._started = itertools.count(), itertools.count()

    def begin(self, short: int = MOST) -> None:
        programs = [("short", "/bin/true", short), ("long", "sleep 1000", 100), ("writer", " ".join(WRITER), 1)]
        sections = "".join(PROGRAM.format(name=name, command=command, count=count) for name, command, count in programs)
        self.config.write_text(CONFIG.format(directory=self.directory) + (sections if short else ""))
        words = [str(self.bin / "supervisord"), "-c", str(self.config)]
        self.server = subprocess.Popen(words, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until((self.directory / "socket").exists, "supervisor to listen")
        self.open = self._connected()

    def end(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()

    def _connected(self) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(f"{self.directory}/socket"))

    def run(self, count: int) -> None:
        numbers = iter(range(count))
        lock = threading.Lock()

        def start() -> None:
            with self._connected() as server:
                while True:
                    with lock:
                        number = next(numbers, None)
                    if number is None:
                        return
                    server.supervisor.startProcess(f"short:short{number}", AT_ONCE)

        threads = [threading.Thread(target=start) for _ in range(LIMIT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last_names = [f"short:short{number}" for number in range(max(count - LIMIT, 0), count)]
        until(lambda: not any(map(self._lives, last_names)), "supervisor to be done")

    def _lives(self, name: str) -> bool:
        """Ask for one program: a request for all programs takes longer than most of them live."""
        process: Any = self.open.supervisor.getProcessInfo(name)
        return bool(process["pid"])

    def submit(self) -> None:
        self.open.supervisor.startProcess(f"short:short{next(self._next)}", AT_ONCE)

    def submission(self) -> list[str]:
        """Submit a program that stays: the client reports an error for a program that ends before its check."""
        return self._client("start", f"long:long{next(self._started)}")

    def _client(self, *words: str) -> list[str]:
        return [str(self.bin / "supervisorctl"), "-c", str(self.config), *words]

    def know(self, count: int) -> None:
        """Declare the programs; supervisor has no history."""
        self.end()
        (self.directory / "socket").unlink(missing_ok=True)
        self.begin(count)

    def listing(self) -> list[str]:
        return self._client("status")

    def hold(self, count: int) -> None:
        for number in range(count):
            self.open.supervisor.startProcess(f"long:long{number}", AT_ONCE)

    def write(self) -> None:
        self.open.supervisor.startProcess("writer:writer0", AT_ONCE)
        until(lambda: not self._lives("writer:writer0"), "supervisor to have it all")
