"""Attempts on this machine: made behind a gate, found again after a crash, ended as whole trees.

What the rest of the daemon may ask of a place where agents run is `start`, `release`, `adopt`, `stop`, `quiet_for` and
`usage`; what it hears are inputs, from `news`. Another engine would answer the same calls by other means.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from orchd.bounds import Held, asked, held_by, unheld
from orchd.core.inputs import Adopted, Exited, Input, NeverRan, OverMemory, Spawned, SpawnFailed, TreeGone
from orchd.core.model import Agent, AgentId, Oom, Outcome, Spec
from orchd.procs import controllers, shim
from orchd.procs.cgroups import Cgroup, Cgroups
from orchd.procs.endings import is_left_alone, report_in, text_of
from orchd.procs.handle import Handle
from orchd.procs.launch import Refused, files_of, launch
from orchd.procs.trees import Tree
from orchd.procs.trimming import Trimmer
from orchd.procs.usage import Usage, of_trees
from orchd.procs.watch import Watch
from orchd.procs.weighing import Scale
from orchd.wire import Home
from orchd.wire.locks import is_locked

log = logging.getLogger("orchd")

Key = tuple[AgentId, int]
_KILLED = (None, 137)  # how a process may end that the kernel has killed
_PERMANENT = frozenset({errno.E2BIG, errno.EINVAL, errno.ENOEXEC})


class LocalProcesses:
    """The attempts of this instance on this machine."""

    def __init__(
        self,
        home: Home,
        environment: Callable[[str], Mapping[str, str]],
        cgroups: Cgroups | None,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._home = home
        self._environment = environment
        self._cgroups = cgroups
        self._clock = clock
        self._wall = wall
        self._handles: dict[Key, Handle] = {}
        self._watch: Watch[Key] = Watch()
        self._kills = controllers.Kills(clock)
        self._scale: Scale[Key] = Scale()  # for those whose bound no kernel holds
        self.logs: Trimmer[Key] = Trimmer(clock)
        self.left = 0  # bytes that attempts which have ended left in their files

    def close(self) -> None:
        """Leave nothing behind but what lives."""
        if self._cgroups is not None:
            self._cgroups.close()

    def fileno(self) -> int:
        """Readable when there is news."""
        return self._watch.fileno()

    def start(self, agent: Agent) -> Spawned | SpawnFailed:
        """Make the attempt's process behind its gate."""
        key = (agent.id, agent.attempt)
        cgroup = self._take_cgroup()
        try:
            self._bind(cgroup, agent.spec)
            made = launch(self._home, agent, self._variables(agent), cgroup.door() if cgroup else None)
        except Refused as refused:
            self._give_back(cgroup)
            return SpawnFailed(*key, str(refused), is_passing=False)
        except OSError as error:
            self._give_back(cgroup)
            return self._failed(key, error)
        if not self._watch.process(key, made.pid):
            os.close(made.gate)
            self._give_back(cgroup)
            return SpawnFailed(*key, "its supervising shell was killed before it began", is_passing=True)
        tree = Tree(agent.id, agent.attempt, str(self._home.directory), made.pid, cgroup)
        self._take_up(agent, tree, made.gate)
        return Spawned(*key, made.pid, str(cgroup.path) if cgroup else None)

    def held(self) -> Held:
        """Who holds which bounds here."""
        return held_by(self._cgroups.bounds if self._cgroups else frozenset())

    def _bind(self, cgroup: Cgroup | None, spec: Spec) -> None:
        held = self._cgroups.bounds if self._cgroups and cgroup else frozenset()
        if (wrong := unheld(spec, held_by(held))) is not None:
            raise Refused(f"{wrong}, though it had when this was asked for; spawn it again without")
        if cgroup is not None and asked(spec):
            cgroup.is_bound = True
            controllers.bind(cgroup.path, spec, held)

    def _take_up(self, agent: Agent, tree: Tree, gate: int | None) -> None:
        key, bound = (agent.id, agent.attempt), agent.spec.memory_max
        files, is_told = files_of(self._home, *key), agent.spec.runner is not None
        self._handles[key] = Handle(tree, files, is_told, gate, looked=self._clock(), kills=self._kills.lately())
        self.logs.begin(key, files.log)
        if bound is not None and not (tree.cgroup and controllers.is_memory_bound(tree.cgroup.path)):
            self._scale.put(key, tree, bound)

    def _failed(self, key: Key, error: OSError) -> SpawnFailed:
        """What the machine could not do. It will be asked again and again, and each time must leave nothing behind."""
        files_of(self._home, *key).remove()
        reason = f"cannot start: {error.strerror or error}"
        if error.errno == errno.E2BIG:
            reason += "; give what is long by --stdin"
        return SpawnFailed(*key, reason, is_passing=error.errno not in _PERMANENT)

    def _variables(self, agent: Agent) -> Mapping[str, str]:
        try:
            return self._environment(agent.spec.environment)
        except FileNotFoundError:
            raise Refused("its captured environment was deleted; `orchctl retry` brings a new one") from None

    def _take_cgroup(self) -> Cgroup | None:
        if self._cgroups is None:
            return None
        try:
            return self._cgroups.take()
        except OSError:  # a limit on cgroups, or they were taken away: the other way works without
            return None

    def release(self, agent: AgentId, attempt: int) -> None:
        """Open the gate."""
        if (handle := self._handles.get((agent, attempt))) is not None:
            handle.open_gate()

    def adopt(self, agent: Agent) -> Input:
        """Take up an attempt of an earlier daemon: it lives, it ended, or it never ran."""
        key = (agent.id, agent.attempt)
        cgroup = self._cgroup_of(agent)
        files = files_of(self._home, *key)
        is_alive = is_locked(files.record)
        shim_pid = agent.pid if agent.pid and (is_alive or is_left_alone(files.record, agent.pid)) else 0
        tree = Tree(agent.id, agent.attempt, str(self._home.directory), shim_pid, cgroup, is_ours=False)
        self._take_up(agent, tree, None)
        if is_alive and shim_pid and self._watch.process(key, shim_pid):
            return Adopted(*key)
        return self._ended(key)

    def _cgroup_of(self, agent: Agent) -> Cgroup | None:
        """That in which an earlier daemon started it, whether we would make any or not."""
        if agent.cgroup is None:
            return None
        path = Path(agent.cgroup)
        found = Cgroup(path) if self._cgroups is None else self._cgroups.at(path)
        found.is_bound = bool(asked(agent.spec))
        return found

    def stop(self, agent: AgentId, attempt: int, *, kill: bool) -> None:
        """End the whole tree: by asking it, or for good."""
        if (handle := self._handles.get((agent, attempt))) is None:
            return
        if kill:
            handle.is_killing = True
            handle.tree.kill()
        else:
            handle.tree.terminate()

    def quiet_for(self, agent: AgentId, attempt: int) -> float:
        """Seconds since its last output, as far back as it was last asked."""
        return self._handles[agent, attempt].quiet_for(self._clock(), self._wall())

    def room_of(self, agent: AgentId, attempts: int) -> int:
        """Bytes on the disk that the attempts of an agent take."""
        return sum(files_of(self._home, agent, attempt).room() for attempt in range(1, attempts + 1))

    def discard(self, agent: AgentId, attempt: int) -> None:
        """Leave nothing of an attempt that is over."""
        files_of(self._home, agent, attempt).remove()

    def usage(self, keys: Iterable[Key]) -> dict[Key, Usage]:
        """A sample of each attempt that lives here."""
        wanted = [key for key in keys if key in self._handles]
        sampled = dict(zip(wanted, of_trees(self._handles[key].tree for key in wanted), strict=True))
        for key, usage in sampled.items():
            self._handles[key].rss_bytes = max(self._handles[key].rss_bytes, usage.rss_bytes)
        return {key: usage._replace(memory_peak=self._handles[key].memory_peak()) for key, usage in sampled.items()}

    def shims(self) -> dict[int, Key]:
        """The attempts by the pid of their shim, which is its session too."""
        return {handle.tree.shim: key for key, handle in self._handles.items() if handle.tree.shim}

    def cgroups(self) -> dict[Path, Key]:
        """The attempts by their cgroup, where they have one."""
        return {handle.tree.cgroup.path: key for key, handle in self._handles.items() if handle.tree.cgroup}

    def news(self) -> list[Input]:
        """What has happened to processes since the last time."""
        inputs = self._weigh()
        for key, pid in self._watch.fired():
            if (handle := self._handles.get(key)) is None:
                continue
            if pid is not None and pid == handle.tree.shim:
                inputs.append(self._ended(key))
            elif self._is_gone(key):
                inputs.append(TreeGone(*key))
        return inputs

    def next_deadline(self) -> float | None:
        """When there may be news of itself; None while nobody has a bound that no kernel holds."""
        return self._scale.next_deadline(self._clock())

    def _weigh(self) -> list[Input]:
        found = self._scale.weigh(self._clock())
        for key, weight in found.items():
            self._handles[key].peak = max(self._handles[key].peak or 0, weight.amount)
        return [OverMemory(*key) for key, weight in found.items() if weight.amount > weight.bound]

    def _ended(self, key: Key) -> Input:
        """The shim has ended: what its record says, and whether its tree ended with it."""
        handle = self._handles[key]
        handle.close_gate()
        record = shim.parse_record(text_of(handle.files.record))
        if record.was_shut_out:
            log.warning("%s was shut out of its cgroup: doing without cgroups from here on", key[0])
            self._cgroups = None
        oom, peak = self._oom(handle, record.code), handle.memory_peak()  # before its cgroup may be gone
        is_gone = self._is_gone(key)
        if not record.ran and is_gone:
            return NeverRan(*key)
        report = report_in(handle.files.report) if handle.reports else None
        outcome = Outcome(record.code, record.cpu_seconds, handle.rss_bytes, report, oom, peak)
        note = None if record.code is not None else "its supervising shell was killed: nobody knows how it ended"
        return Exited(*key, outcome, is_gone, note)

    def _oom(self, handle: Handle, code: int | None) -> Oom | None:
        cgroup = handle.tree.cgroup
        found = controllers.oom(cgroup.path) if cgroup is not None and cgroup.is_bound else None
        if found is not None or not (code in _KILLED or (code and handle.reports)):
            return found
        return Oom.MACHINE if self._kills.now() > handle.kills else None

    def _is_gone(self, key: Key) -> bool:
        """Whether nothing is left of an attempt whose shim has ended; if something is, its end will be news."""
        handle = self._handles[key]
        while not handle.tree.is_gone(other.tree.shim for other in self._handles.values()):
            if handle.is_killing:
                handle.tree.kill()
            if self._watch_rest(key, handle):
                return False
        self._watch.forget(key)
        del self._handles[key]
        self._scale.take(key)
        self.logs.end(key)
        self.left += handle.files.room()
        self._give_back(handle.tree.cgroup)
        return True

    def _give_back(self, cgroup: Cgroup | None) -> None:
        if cgroup is not None and self._cgroups is not None:
            self._cgroups.give_back(cgroup)
        elif cgroup is not None:
            cgroup.remove()

    def _watch_rest(self, key: Key, handle: Handle) -> bool:
        """Whether there is something left that can be watched; if not, it has just ended."""
        if handle.tree.cgroup is not None:
            return self._watch.cgroup(key, handle.tree.cgroup.path) and not handle.tree.is_gone(())
        members = handle.tree.members()
        return any([self._watch.process(key, pid) for pid in members])  # noqa: C419 - all of them must be watched
