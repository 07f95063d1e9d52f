"""circus: a watcher a program, added over ZeroMQ; it has neither a queue nor a limit.

Its own client cannot add a program that is not started again whenever it ends, so it is not asked for that.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import ClassVar

import zmq

from benchmarks.peers.base import BYTES, WRITER, Peer, until
from benchmarks.peers.cache import program

CONFIG = """\
[circus]
endpoint = ipc://{directory}/ask
pubsub_endpoint = ipc://{directory}/tell
statsd = False
logoutput = {directory}/log
"""


class Circus(Peer):
    """A client that adds watchers, each when the watcher before it runs: circus refuses several at once."""

    name = "circus"
    needs: ClassVar[tuple[str, ...]] = ("circus",)
    note = "one after the other, no queue"
    many = 100
    lists: ClassVar[tuple[int, ...]] = (0, 1000)

    def __init__(self) -> None:
        super().__init__()
        self.bin = Path(program("circus")).parent
        self.server: subprocess.Popen[bytes] | None = None
        self._next = itertools.count()

    def begin(self) -> None:
        config = self.directory / "circus.ini"
        config.write_text(CONFIG.format(directory=self.directory))
        words = [str(self.bin / "circusd"), str(config)]
        self.server = subprocess.Popen(words, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.context = zmq.Context()
        self.open = self.context.socket(zmq.DEALER)
        self.open.connect(f"ipc://{self.directory}/ask")
        self.ask("numwatchers")

    def end(self) -> None:
        if self.server is not None:
            self.context.destroy(linger=0)
            self.server.kill()
            self.server.wait()

    def ask(self, command: str, **properties: object) -> dict[str, object]:
        """Send one request and return its answer."""
        self.open.send(json.dumps({"id": os.urandom(8).hex(), "command": command, "properties": properties}).encode())
        reply: dict[str, object] = json.loads(self.open.recv())
        if reply["status"] != "ok":
            raise SystemExit(f"circus: {reply}")
        return reply

    def add(self, command: str, *, starts: bool = True, **options: object) -> str:
        """Add and start a watcher."""
        name = f"w{next(self._next)}"
        options = {"respawn": False, "warmup_delay": 0, **options}
        self.ask("add", name=name, cmd=command, start=starts, waiting=True, options=options)
        return name

    def run(self, count: int) -> None:
        for _ in range(count):
            self.add("/bin/true")

    def submit(self) -> None:
        self.add("/bin/true")

    def _client(self, *words: str) -> list[str]:
        return [str(self.bin / "circusctl"), "--endpoint", f"ipc://{self.directory}/ask", *words]

    def know(self, count: int) -> None:
        for _ in range(count):
            self.add("/bin/true", starts=False)

    def listing(self) -> list[str]:
        return self._client("status")

    def hold(self, count: int) -> None:
        for _ in range(count):
            self.add("sleep 1000")

    def write(self) -> None:
        path = self.directory / f"out{next(self._next)}"
        self.add(" ".join(WRITER), stdout_stream={"class": "FileStream", "filename": str(path)})
        until(lambda: path.exists() and path.stat().st_size >= BYTES, "circus to have it all")
