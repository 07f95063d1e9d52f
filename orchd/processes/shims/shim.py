"""The daemon's side of a shim, and its reuse for the next attempt, which saves the start of a program.

A shim is reused if the agent begins in the same way as the one before, the shim has a slot for each of its variables,
and what is different fits in one line of ASCII. All others get a shim of their own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from shlex import quote

from orchd.core.state.agents import Spec
from orchd.instance.environment import ENV_HOME
from orchd.processes.attempt_files import AttemptFiles
from orchd.processes.launching import handover
from orchd.processes.launching.attributes import apply
from orchd.processes.launching.command import AgentCommand
from orchd.processes.linux.cgroups import Cgroup
from orchd.processes.resource_limits import requested
from orchd.processes.shims.script import GO, SERVED

MOST = 32  # attempts of one shim: what it writes down of them fits in the block that its record has from the start
_LONGEST = 4096  # bytes of a line, which a shell reads one at a time


@dataclass(slots=True)
class Shim:
    """A shim of this daemon, and what its current agent was given."""

    pid: int
    gate: int | None
    cgroup: Cgroup | None
    spec: Spec
    command: AgentCommand
    line: bytes = GO  # what it is to do when its gate is opened
    unmet: str | None = None  # which of the attributes of its agents it could not be given
    attempts: int = 1
    cpu_seconds: float = 0.0  # of all that it has served

    @property
    def may_be_followed(self) -> bool:
        """Return whether the shim can serve another attempt after this one."""
        is_neutral = self.cgroup is not None and self.command.carried is not None
        return is_neutral and _is_plain(self.spec) and self.attempts < MOST

    def open(self) -> None:
        """Open the gate."""
        if self.gate is not None:
            with suppress(BrokenPipeError):  # it was killed: its end is news of its own
                os.write(self.gate, self.line)

    def has_served(self) -> bool:
        """Read the readable gate. Returns whether the shim reports the end of its agent; if not, it has ended."""
        with suppress(ConnectionResetError):
            return self.gate is not None and os.read(self.gate, len(SERVED)) == SERVED
        return False

    def is_left_alone(self) -> bool:
        """Return whether only the shim is left in its cgroup; False without one."""
        return self.cgroup is not None and self.cgroup.is_left_to(self.pid)

    def follow(self, spec: Spec, command: AgentCommand, files: AttemptFiles) -> bool:
        """Prepare the shim for the next attempt. Returns whether it will serve it when its gate is opened."""
        prepared = self.prepared(spec, command, files)
        if prepared is None or apply(self.pid, command.attributes) != self.unmet:  # an agent may have changed them
            return False
        try:
            files.share_record(self.pid)
            os.close(files.open_log())
        except OSError:  # as without hard links: a shim of its own makes the files in another way, or reports the fault
            return False
        slots, self.line = prepared
        self.spec, self.command = spec, command._replace(slots=slots)
        self.attempts += 1
        return True

    def prepared(self, spec: Spec, command: AgentCommand, files: AttemptFiles) -> tuple[handover.Slots, bytes] | None:
        """Return the slots for an attempt and the line that fills them; None when it needs a shim of its own."""
        old, new = self.command.variables, command.variables
        begins_alike = (
            _is_plain(spec)
            and command.attributes == self.command.attributes
            and command.is_staged == self.command.is_staged
            and (handover.BY_BASH in new) == (handover.BY_BASH in old)  # what the shim begins with has a part for it
            and new[ENV_HOME] == old[ENV_HOME]  # it marks processes
        )
        slots = handover.refilled(self.command.slots, new.keys()) if begins_alike else None
        if slots is None:
            return None
        changed = {
            handover.slot(number): handover.held(name, new.get(name))
            for number, (before, name) in enumerate(zip(self.command.slots, slots, strict=True))
            if before != name or old.get(name) != new.get(name)
        }
        if spec.cwd != self.spec.cwd:
            changed[handover.DIRECTORY] = spec.cwd
        steps = [f"next {files.name}", *(f"{name}={quote(value)}" for name, value in changed.items())]
        line = "&&".join([*steps, f"set -- {' '.join(map(quote, command.words))}"])
        is_fit = line.isascii() and line.isprintable() and len(line) < _LONGEST
        return (slots, f"{line}\n".encode()) if is_fit else None


def _is_plain(spec: Spec) -> bool:
    return spec.stdin is None and not requested(spec)
