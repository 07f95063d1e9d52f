"""The fault layer: layer.c, compiled where possible, loaded into daemons by LD_PRELOAD, and controlled from here."""

from __future__ import annotations

import atexit
import mmap
import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("layer.c")
FIELDS = ("counted", "at", "times", "what", "error", "shift", "spawns", "every", "refused", "only_pid")
NOTHING, FAIL, KILL = range(3)


def is_missing() -> str:
    """Return why there is no layer; empty when there is one."""
    return "" if shutil.which("gcc") else "no gcc to compile the fault layer with"


@cache
def library() -> str:
    """Return the path of the compiled layer."""
    directory = tempfile.mkdtemp(prefix="orchd-layer-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = Path(directory) / "layer.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", path, SOURCE, "-ldl"], check=True)
    return str(path)


class Layer:
    """The faults that hold for the daemons of one lab."""

    def __init__(self, lab: Path, root: Path, *, journal: bool = False) -> None:
        self.journal = lab / "journal"
        path = lab / "control"
        path.write_bytes(bytes(8 * len(FIELDS)))
        self.env = {"LD_PRELOAD": library(), "FAULT_CONTROL": str(path), "FAULT_ROOT": str(root)}
        if journal:
            self.journal.touch()
            self.env["FAULT_JOURNAL"] = str(self.journal)
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, name: str) -> int:
        value: int = struct.unpack_from("q", self._shared, 8 * FIELDS.index(name))[0]
        return value

    def set(self, **values: int) -> None:
        """Set these fields from now on, in the order of the arguments."""
        for name, value in values.items():
            struct.pack_into("q", self._shared, 8 * FIELDS.index(name), value)

    def arm(self, what: int, *, after: int, times: int = 0, error: int = 0) -> None:
        """Fail the change that comes `after` others from now on, and `times` in a row (0: all that follow)."""
        self.set(at=0, what=what, error=error, times=times)
        self.set(at=self["counted"] + after)

    def disarm(self) -> None:
        """Let every change through."""
        self.set(at=0, every=0, shift=0)
