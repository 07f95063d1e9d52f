"""The shims of this daemon: started in cgroups where there are any, followed in by other attempts, let go."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from orchd.core.state.agents import Agent, AgentId, Spec
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
    """Those that were started here, as long as they live. The watch tells what becomes of them."""

    def __init__(self, home: Home, watch: ExitWatch[Key], cgroups: Cgroups | None) -> None:
        self._home = home
        self._watch = watch
        self._cgroups = cgroups
        self._idle: list[tuple[Key, Shim]] = []  # those that have served, and whose attempts are over
        self._leaving: dict[Key, Shim] = {}  # those that nobody followed in
        self._hope = _HOPE  # one more for each that was followed, one less for each that was kept in vain
        self._released = 0
        self.pids: set[int] = set()  # of all shims, adopted ones too, until nothing is left of what they served

    def close(self) -> None:
        """Leave nothing behind but what lives."""
        if self._cgroups is not None:
            self._cgroups.close()

    def held(self) -> Enforcement:
        """Who holds which bounds here."""
        return enforced_by(self._cgroups.bounds if self._cgroups else frozenset())

    def cgroup_base(self) -> str | None:
        """The cgroup below which each attempt gets its own; None where attempts have none."""
        return None if self._cgroups is None else str(self._cgroups.base)

    def provide(self, agent: Agent, command: AgentCommand) -> Shim:
        """One for its attempt, behind its gate. Raises Refused, and OSError for what the machine cannot do."""
        return self._successor(agent, command) or self._started(agent, command)

    def _successor(self, agent: Agent, command: AgentCommand) -> Shim | None:
        """One that is idle and will serve it."""
        key = (agent.id, agent.attempt)
        for idle in self._idle:
            before, shim = idle
            if shim.follow(agent.spec, command, files_of(self._home, *key)):
                self._idle.remove(idle)
                self._watch.pass_on(before, key)
                self._hope = min(self._hope + 1, _HOPE)
                return shim
        return None

    def _started(self, agent: Agent, command: AgentCommand) -> Shim:
        key, cgroup = (agent.id, agent.attempt), None
        if self._cgroups is not None:
            with suppress(OSError):  # a limit on cgroups, or they were taken away: the other way works without
                cgroup = self._cgroups.take()
        try:
            self._bind(cgroup, agent.spec)
            pid, gate = launch(agent, command, files_of(self._home, *key), cgroup)
            self._watch.shim(key, pid, gate)
        except BaseException:
            self.give_back(cgroup)
            raise
        self.pids.add(pid)
        return Shim(pid, gate, cgroup, agent.spec, command, unmet=apply(pid, command.attributes))

    def _bind(self, cgroup: Cgroup | None, spec: Spec) -> None:
        held = self._cgroups.bounds if self._cgroups and cgroup else frozenset()
        if (wrong := unheld(spec, enforced_by(held))) is not None:
            raise Refused(f"{wrong}, though it had when this was asked for; spawn it again without")
        if cgroup is not None and requested(spec):
            cgroup.is_bound = True
            controllers.bind(cgroup.path, spec, held)

    def give_back(self, cgroup: Cgroup | None) -> None:
        """Nobody is in it any more."""
        if cgroup is not None and self._cgroups is not None:
            self._cgroups.give_back(cgroup)
        elif cgroup is not None:
            cgroup.remove()

    def cgroup_of(self, agent: Agent) -> Cgroup | None:
        """That in which an earlier daemon started it, whether we would make any or not."""
        if agent.cgroup is None:
            return None
        path = Path(agent.cgroup)
        cgroup = Cgroup(path) if self._cgroups is None else self._cgroups.at(path)
        cgroup.is_bound = bool(requested(agent.spec))
        return cgroup

    def shut_out(self, agent: AgentId) -> None:
        """A shim could not enter its cgroup, and none would."""
        log.warning("%s was shut out of its cgroup: doing without cgroups from here on", agent)
        self._cgroups = None

    def release(self, handle: RunningAttempt) -> None:
        """Open the gate; for good where nobody can follow, or nobody did lately, but for a try now and then: to wait
        for a successor that does not come costs more than it saves."""
        handle.release()
        self._released += 1
        has_hope = self._hope > 0 or self._released % _HOPE == 0
        if handle.shim is not None and not (handle.shim.may_be_followed and has_hope):
            self.dismiss(handle.shim)

    def dismiss(self, shim: Shim | None) -> None:
        """Have it end when its agent has, or without one; that of an earlier daemon will in any case."""
        if shim is not None and shim.gate is not None:
            self._watch.close(shim.gate)
            shim.gate = None

    def keep(self, key: Key, shim: Shim) -> None:
        """It has served an attempt that is over, and might serve another."""
        self._idle.append((key, shim))

    def rest(self) -> None:
        """Let go of those that nobody followed in: beyond a turn they would be processes that count for no agent."""
        for key, shim in self._idle:
            self._leaving[key] = shim
            self._hope = max(self._hope - 1, 0)
            self.dismiss(shim)
        self._idle.clear()

    def left(self, key: Key) -> None:
        """One that was let go has ended, if it was one."""
        if (shim := self._leaving.pop(key, None)) is not None:
            self.pids.discard(shim.pid)
            self.give_back(shim.cgroup)
