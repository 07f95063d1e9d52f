"""A shim that has served an attempt may serve the next one, which saves a program to start: the daemon's side of it.

Only what the shim can be told in one line of ASCII is left to it, and only for whoever would find the same directory,
variables and cgroup; all else gets a shim of its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from shlex import quote

from orchd.bounds import asked
from orchd.core.model import Spec
from orchd.procs.cgroups import Cgroup
from orchd.procs.command import Command
from orchd.procs.files import Files
from orchd.procs.shim import GO, SERVED
from orchd.wire.variables import ENV_AGENT, ENV_ATTEMPT, OF_ONE_AGENT

MOST = 32  # attempts of one shim: what it writes down of them fits in the block that its record has from the start
_LONGEST = 4096  # bytes of a line, which a shell reads one at a time


@dataclass(slots=True)
class Shim:
    """A shim of ours, and what the agent that it serves was given."""

    pid: int
    gate: int | None
    cgroup: Cgroup | None
    spec: Spec
    variables: dict[str, str]
    line: bytes = GO  # what it is to do when its gate is opened
    attempts: int = 1
    cpu_seconds: float = 0.0  # of all that it has served

    @property
    def may_be_followed(self) -> bool:
        """Whether another attempt might find things as they are for this one."""
        return self.cgroup is not None and _is_plain(self.spec) and self.attempts < MOST

    def open(self) -> None:
        """Let it serve."""
        if self.gate is not None:
            with suppress(BrokenPipeError):  # it was killed: its end is news of its own
                os.write(self.gate, self.line)

    def has_served(self) -> bool:
        """Whether it says that its agent has ended, when something came back through its gate; if not, it has ended."""
        with suppress(ConnectionResetError):
            return self.gate is not None and os.read(self.gate, len(SERVED)) == SERVED
        return False

    def is_left_alone(self) -> bool:
        """Whether nothing is left of what it served, in the only place where that is known at once."""
        return self.cgroup is not None and self.cgroup.is_left_to(self.pid)

    def follow(self, spec: Spec, command: Command, files: Files) -> bool:
        """Whether it will serve this one next, when its gate is opened."""
        line = self._line(spec, command, files)
        if line is None or not _are_there(self.pid, files):
            return False
        self.spec, self.variables, self.line = spec, command.variables, line
        self.attempts += 1
        return True

    def _line(self, spec: Spec, command: Command, files: Files) -> bytes | None:
        """What makes it ready for this one; None when nothing can."""
        old, new = self.variables, command.variables
        changed: dict[str, str | None] = {name: value for name, value in new.items() if old.get(name) != value}
        changed |= dict.fromkeys(old.keys() - new.keys())
        if spec.cwd != self.spec.cwd or not _is_plain(spec) or not changed.keys() <= OF_ONE_AGENT:
            return None
        told = [_told(name, value) for name, value in changed.items() if name not in (ENV_AGENT, ENV_ATTEMPT)]
        line = "&&".join([f"next {files.name}", *told, f"set -- {' '.join(map(quote, command.words))}"])
        is_fit = line.isascii() and line.isprintable() and len(line) < _LONGEST
        return f"{line}\n".encode() if is_fit else None


def _is_plain(spec: Spec) -> bool:
    return spec.stdin is None and not asked(spec)


def _told(name: str, value: str | None) -> str:
    return f"unset {name}" if value is None else f"export {name}={quote(value)}"


def _are_there(shim: int, files: Files) -> bool:
    """Whether the attempt has its files now. Where it cannot, as on file systems without hard links, a shim of its own
    makes them in another way, or says what is wrong."""
    try:
        files.share_record(shim)
        os.close(files.open_log())
    except OSError:
        return False
    return True
