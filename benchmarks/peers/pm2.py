"""pm2: a daemon of node that its first client starts; it has neither a queue nor a limit."""

from __future__ import annotations

import itertools
import json
from typing import ClassVar

from benchmarks.peers.base import BYTES, WRITER, Peer, until
from benchmarks.peers.cache import program


class Pm2(Peer):
    """Programs are declared in one file: one client per program takes a fifth of a second."""

    name = "pm2"
    needs: ClassVar[tuple[str, ...]] = ("pm2",)
    note = "one file, no queue"
    many = 100
    lists: ClassVar[tuple[int, ...]] = (0, 1000)

    def __init__(self) -> None:
        super().__init__()
        self.pm2 = program("pm2")
        self.env |= {"PM2_HOME": str(self.directory), "PM2_DISCRETE_MODE": "true"}
        self._next = itertools.count()

    def begin(self) -> None:
        self.ctl([self.pm2, "ping"])

    def end(self) -> None:
        self.ctl([self.pm2, "kill"])

    def declared(self, words: list[str], count: int) -> None:
        """Return `count` programs in one file."""
        apps = [
            {
                "name": f"a{next(self._next)}",
                "script": words[0],
                "args": words[1:],
                "interpreter": "none",
                "autorestart": False,
            }
            for _ in range(count)
        ]
        path = self.directory / "apps.json"
        path.write_text(json.dumps({"apps": apps}))
        self.ctl([self.pm2, "start", str(path)])

    def run(self, count: int) -> None:
        self.declared(["/bin/true"], count)

    def submission(self) -> list[str]:
        name = f"a{next(self._next)}"
        return [self.pm2, "start", "/bin/true", "--name", name, "--interpreter", "none", "--no-autorestart"]

    def know(self, count: int) -> None:
        if count:
            self.run(count)

    def listing(self) -> list[str]:
        return [self.pm2, "list"]

    def hold(self, count: int) -> None:
        self.declared(["/bin/sleep", "1000"], count)

    def write(self) -> None:
        """pm2 may lose the end of the output: its reader ends when the program does."""
        before, ended = self._kept(), self._ended()
        self.declared(WRITER, 1)
        until(lambda: self._ended() > ended, "pm2 to see an end")
        self.lost += BYTES - (self._kept() - before)

    def _ended(self) -> int:
        return (self.directory / "pm2.log").read_text().count("exited with code")

    def _kept(self) -> int:
        return sum(path.stat().st_size for path in (self.directory / "logs").glob("*-out*.log"))
