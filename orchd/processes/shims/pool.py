"""Pool of the shims of this daemon: started, reused by other attempts, released."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from orchd.core.state.agents import Agent, AgentId
from orchd.instance.home import Home
from orchd.processes.attempt import RunningAttempt
from orchd.processes.attempt_files import files_of
from orchd.processes.launching.attributes import apply
from orchd.processes.launching.command import AgentCommand, Refused
from orchd.processes.linux import controllers
from orchd.processes.linux.cgroups import Cgroup, Cgroups
from orchd.processes.linux.exit_watch import ExitWatch
from orchd.processes.resource_limits import Enforcement, enforced_by, requested, unheld
from orchd.processes.shims.launch import launch
from orchd.processes.shims.shim import Shim

log = logging.getLogger("orchd")

Key = tuple[AgentId, int]
_HOPE = 8


class ShimPool:
    """The live shims that this daemon started. `ExitWatch` reports their ends."""

    def __init__(self, home: Home, watch: ExitWatch[Key], cgroups: Cgroups | None) -> None:
        self._home = home
        self._watch = watch
        self._cgroups = cgroups
        self._idle: list[tuple[Key, Shim]] = []  # shims without an attempt, reusable in this turn
        self._leaving: dict[Key, Shim] = {}  # released shims that have not ended yet
        self._hope = _HOPE  # one more for each reused shim, one less for each that was kept in vain
        self._released = 0
        self.pids: set[int] = set()  # of all shims, adopted ones too, until nothing is left of what they served

    def close(self) -> None:
        """Release idle shims and descriptors; agents keep running."""
        if self._cgroups is not None:
            self._cgroups.close()

    def held(self) -> Enforcement:
        """Return what enforces each resource limit here."""
        return enforced_by(self._cgroups.bounds if self._cgroups else frozenset())

    def cgroup_base(self) -> str | None:
        """Return the cgroup above the cgroups of attempts; None where attempts have none."""
        return None if self._cgroups is None else str(self._cgroups.base)

    def provide(self, agent: Agent, command: AgentCommand) -> Shim:
        """Return a shim for the attempt, behind its gate. Raises Refused, or OSError when the machine cannot do it."""
        key = (agent.id, agent.attempt)
        for idle in self._idle:
            before, shim = idle
            if shim.follow(agent.spec, command, files_of(self._home, *key)):
                self._idle.remove(idle)
                self._watch.pass_on(before, key)
                self._hope = min(self._hope + 1, _HOPE)
                return shim
        cgroup: Cgroup | None = None
        if self._cgroups is not None:
            with suppress(OSError):  # a limit on cgroups, or they were taken away: the other way works without
                cgroup = self._cgroups.take()
        try:
            bounds = self._cgroups.bounds if self._cgroups and cgroup else frozenset()
            if (wrong := unheld(agent.spec, enforced_by(bounds))) is not None:
                raise Refused(f"{wrong} any more; spawn it again without")  # noqa: TRY301
            if cgroup is not None and requested(agent.spec):
                cgroup.is_bound = True
                controllers.bind(cgroup.path, agent.spec, bounds)
            pid, gate = launch(agent, command, files_of(self._home, *key), cgroup)
            self._watch.shim(key, pid, gate)
        except BaseException:
            self.give_back(cgroup)
            raise
        self.pids.add(pid)
        return Shim(pid, gate, cgroup, agent.spec, command, unmet=apply(pid, command.attributes))

    def give_back(self, cgroup: Cgroup | None) -> None:
        """Give an empty cgroup back for reuse."""
        if cgroup is not None and self._cgroups is not None:
            self._cgroups.give_back(cgroup)
        elif cgroup is not None:
            cgroup.remove()

    def cgroup_of(self, agent: Agent) -> Cgroup | None:
        """Return the cgroup in which an earlier daemon started the agent, even if this daemon uses none."""
        if agent.cgroup is None:
            return None
        path = Path(agent.cgroup)
        cgroup = Cgroup(path) if self._cgroups is None else self._cgroups.at(path)
        cgroup.is_bound = bool(requested(agent.spec))
        return cgroup

    def shut_out(self, agent: AgentId) -> None:
        """Record that a shim could not enter its cgroup; later shims get none."""
        log.warning("%s could not enter its cgroup; continuing without cgroups", agent)
        self._cgroups = None

    def release(self, handle: RunningAttempt) -> None:
        """Open the gate; close it for good where the shim cannot be reused, or few were reused lately: waiting for a
        successor that does not come costs more than it saves. Now and then it stays open as a trial."""
        handle.release()
        self._released += 1
        has_hope = self._hope > 0 or self._released % _HOPE == 0
        if handle.shim is not None and not (handle.shim.may_be_followed and has_hope):
            self.dismiss(handle.shim)

    def dismiss(self, shim: Shim | None) -> None:
        """Let a shim end with its agent, or without any; a shim of an earlier daemon does so in any case."""
        if shim is not None and shim.gate is not None:
            self._watch.close(shim.gate)
            shim.gate = None

    def keep(self, key: Key, shim: Shim) -> None:
        """Keep an idle shim until the end of the turn for another attempt."""
        self._idle.append((key, shim))

    def rest(self) -> None:
        """End idle shims: beyond a turn they would be processes that count for no agent."""
        for key, shim in self._idle:
            self._leaving[key] = shim
            self._hope = max(self._hope - 1, 0)
            self.dismiss(shim)
        self._idle.clear()

    def left(self, key: Key) -> None:
        """Forget a released shim that has ended, if the key is of such a shim."""
        if (shim := self._leaving.pop(key, None)) is not None:
            self.pids.discard(shim.pid)
            self.give_back(shim.cgroup)
