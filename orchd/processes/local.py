"""Attempts on this machine: started behind a gate, adopted after a restart, ended as whole trees.

The loop reads inputs from `news`, and calls `rest` when all of them are decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from orchd.core.inputs import Adopted, Input, NeverRan, OverMemory, Spawned, SpawnFailed, TreeGone
from orchd.core.state.agents import Agent, AgentId, ProcessAttributes
from orchd.instance import runner_config
from orchd.instance.home import Home
from orchd.instance.system.locks import is_locked
from orchd.processes import freezing
from orchd.processes.attempt import RunningAttempt
from orchd.processes.attempt_files import files_of
from orchd.processes.exit_record import exit_of, is_left_alone, record_of
from orchd.processes.failed_start import failed_start
from orchd.processes.launching.command import Refused, command_of, is_reported
from orchd.processes.linux import controllers
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.linux.exit_watch import GATE, ExitWatch
from orchd.processes.linux.log_trimmer import Trimmer
from orchd.processes.linux.memory_sampler import MemorySampler
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.usage import Usage, of_trees
from orchd.processes.resource_limits import Enforcement
from orchd.processes.shims.guard import Guard
from orchd.processes.shims.pool import ShimPool
from orchd.processes.shims.shim import Shim
from orchd.processes.suspension import Suspension, suspension

Key = tuple[AgentId, int]


class LocalProcesses:
    """Starts, adopts, stops and measures the attempts of this instance."""

    def __init__(
        self,
        home: Home,
        environment: Callable[[str], Mapping[str, str]],
        cgroups: Cgroups | None,
        clock: Callable[[], float],
        wall: Callable[[], float],
        defaults: ProcessAttributes = ProcessAttributes(),  # noqa: B008 - it cannot change
    ) -> None:
        self._home = home
        self._environment = environment
        self._clock = clock
        self._wall = wall
        self._defaults = defaults  # of agents whose requests set no attributes
        self._handles: dict[Key, RunningAttempt] = {}
        self._watch: ExitWatch[Key] = ExitWatch()
        self._shims = ShimPool(home, self._watch, cgroups)
        self._guard: Guard[Key] = Guard(self._watch, clock)
        self._kills = controllers.OomKillCounter(clock)
        self._scale: MemorySampler[Key] = MemorySampler()  # trees of attempts with a memory limit
        self.logs: Trimmer[Key] = Trimmer(clock)
        self.left = 0  # bytes that attempts which have ended left in their files

    def close(self) -> None:
        """Release all descriptors and idle shims; agents keep running."""
        self._shims.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when `news` has something to return."""
        return self._watch.fileno()

    def start(self, agent: Agent) -> Spawned | SpawnFailed:
        """Start the process of the attempt behind its gate."""
        key = (agent.id, agent.attempt)
        try:
            try:
                variables = self._environment(agent.spec.environment)
            except FileNotFoundError:
                reason = "its captured environment was deleted; `orchctl retry --current-env` uses that of the caller"
                return SpawnFailed(*key, reason, is_passing=False)
            command = command_of(self._home, agent, variables, self._defaults)
            shim = self._shims.provide(agent, command)
        except Refused as refused:
            return SpawnFailed(*key, str(refused), is_passing=False)
        except OSError as error:
            files_of(self._home, *key).remove()  # starts are repeated, so a failed start must leave nothing behind
            return failed_start(key, error)
        tree = ProcessTree(*key, str(self._home.directory), shim.pid, shim.cgroup, shims=self._shims.pids)
        self._take_up(agent, tree, shim)
        return Spawned(*key, shim.pid, str(shim.cgroup.path) if shim.cgroup else None, shim.unmet)

    def held(self) -> Enforcement:
        """Return what enforces each resource limit here."""
        return self._shims.held()

    def shown(self) -> dict[str, object]:
        """Return what enforces each resource limit, and the cgroup above the attempts' cgroups or None."""
        return {"resource_limits": dict(self.held()), "cgroups": self._shims.cgroup_base()}

    def _take_up(self, agent: Agent, tree: ProcessTree, shim: Shim | None = None) -> None:
        """Watch over an attempt from now on."""
        key, bound = (agent.id, agent.attempt), agent.spec.memory_max
        files, now, kills = files_of(self._home, *key), self._clock(), self._kills.lately()
        self._shims.pids.add(tree.shim)
        handle = RunningAttempt(tree, files, is_reported(agent), shim, pid=tree.shim, looked=now, kills=kills)
        handle.asks_runner = agent.spec.runner == runner_config.CLAUDE
        handle.cpu_before = shim.cpu_seconds if shim else record_of(handle).before
        self._handles[key] = handle
        self.logs.begin(key, files.log)
        if bound is not None:
            self._scale.put(key, tree, bound)

    def release(self, agent: AgentId, attempt: int) -> None:
        """Open the gate."""
        if (handle := self._handles.get((agent, attempt))) is not None:
            self._shims.release(handle)
            self._guard.begin((agent, attempt))

    def adopt(self, agent: Agent) -> Input:
        """Adopt an attempt of an earlier daemon: it is alive, it has ended, or it never ran."""
        key = (agent.id, agent.attempt)
        cgroup = self._shims.cgroup_of(agent)
        files = files_of(self._home, *key)
        is_alive = is_locked(files.record)
        shim_pid = agent.pid if agent.pid and (is_alive or is_left_alone(files.record, agent.pid)) else 0
        tree = ProcessTree(*key, str(self._home.directory), shim_pid, cgroup, is_ours=False, shims=self._shims.pids)
        self._take_up(agent, tree)
        if is_alive and shim_pid and self._watch.process(key, shim_pid):
            self._guard.begin(key)
            return Adopted(*key)
        return self._ended(key)

    def stop(self, agent: AgentId, attempt: int, *, kill: bool) -> None:
        """End the whole tree: by SIGTERM, or with `kill` by SIGKILL."""
        if (handle := self._handles.get((agent, attempt))) is None:
            return
        handle.is_frozen = False
        if handle.is_released:
            self._shims.dismiss(handle.shim)  # the shim of a stopped attempt serves no other
        if kill:
            handle.is_killing = True
            handle.tree.kill()
            self._guard.kill((agent, attempt))
        elif not (handle.asks_runner and handle.tree.ask()):
            handle.tree.terminate()
        handle.asks_runner = False  # the processes that its runner leaves behind get the signal themselves

    def freeze(self, agent: AgentId, attempt: int) -> None:
        """Freeze the tree of the attempt until it is thawed or stopped; do nothing when it has ended."""
        if (handle := self._handles.get((agent, attempt))) is not None:
            handle.is_frozen = True
            freezing.freeze(handle.tree)

    def thaw(self, agent: AgentId, attempt: int) -> None:
        """Thaw the tree of the attempt, whatever froze or stopped it; do nothing when it has ended."""
        if (handle := self._handles.get((agent, attempt))) is not None:
            handle.is_frozen = False
            freezing.thaw(handle.tree)

    def suspension(self, agent: AgentId, attempt: int) -> Suspension | None:
        """Return what other than orchd suspends the attempt; None when it can run or has ended."""
        handle = self._handles.get((agent, attempt))
        return None if handle is None or handle.is_frozen else suspension(handle.tree)

    def cpu_seconds(self, agent: AgentId, attempt: int) -> float:
        """Return the CPU seconds of the attempt so far; 0 when it has ended."""
        handle = self._handles.get((agent, attempt))
        return handle.cpu_seconds() if handle is not None else 0.0

    def load_seconds(self, agent: AgentId, attempt: int) -> tuple[float, float]:
        """Return the CPU seconds of the attempt, and the seconds for which its processes waited for a CPU."""
        handle = self._handles.get((agent, attempt))
        return handle.load_seconds(self._clock()) if handle is not None else (0.0, 0.0)

    def quiet_for(self, agent: AgentId, attempt: int) -> float:
        """Return seconds since the last output, at most since the last call."""
        return self._handles[agent, attempt].quiet_for(self._clock(), self._wall())

    def room_of(self, agent: AgentId, attempts: int) -> int:
        """Return the disk space in bytes of all attempts of an agent."""
        return sum(files_of(self._home, agent, attempt).room() for attempt in range(1, attempts + 1))

    def discard(self, agent: AgentId, attempt: int) -> None:
        """Delete the files of an attempt that has ended."""
        files_of(self._home, agent, attempt).remove_all()

    def usage(self, keys: Iterable[Key]) -> dict[Key, Usage]:
        """Return a sample of each of these attempts that is alive."""
        wanted = [key for key in keys if key in self._handles]
        sampled = dict(zip(wanted, of_trees(self._handles[key].tree for key in wanted), strict=True))
        for key, usage in sampled.items():
            self._handles[key].rss_bytes = max(self._handles[key].rss_bytes, usage.rss_bytes)
        return {key: self._handles[key].shown(usage) for key, usage in sampled.items()}

    def shims(self) -> dict[int, Key]:
        """Return the attempts by the pid of their shim, which is also their session."""
        return {handle.tree.shim: key for key, handle in self._handles.items() if handle.tree.shim}

    def cgroups(self) -> dict[Path, Key]:
        """Return the attempts that have a cgroup, by its path."""
        return {handle.tree.cgroup.path: key for key, handle in self._handles.items() if handle.tree.cgroup}

    def news(self) -> list[Input]:
        """Return what has happened to processes since the last call."""
        self._guard.look(self._handles)
        weights = self._scale.weigh(self._clock())
        for key, weight in weights.items():
            self._handles[key].peak = max(self._handles[key].peak or 0, weight.amount)
        inputs: list[Input] = [OverMemory(*key) for key, weight in weights.items() if weight.amount > weight.bound]
        for key, pid in self._watch.fired():
            handle = self._handles.get(key)
            if handle is None:
                self._shims.left(key)
            elif pid == GATE:
                inputs += self._served(key, handle)
            elif pid is not None and pid == handle.tree.shim:
                inputs.append(self._ended(key))
            elif not handle.tree.is_shim_gone:
                self._guard.end(key)  # the agent itself has ended: its shim is about to say how
            elif self._is_gone(key):
                inputs.append(TreeGone(*key))
        return inputs

    def rest(self) -> None:
        """Release idle shims; to be called when all inputs of the last `news` are decided."""
        self._shims.rest()

    def next_deadline(self) -> float | None:
        """Return when to call `news` without an event; None without a deadline."""
        deadlines = (self._scale.next_deadline(self._clock()), self._guard.next_deadline())
        return min((moment for moment in deadlines if moment is not None), default=None)

    def _served(self, key: Key, handle: RunningAttempt) -> list[Input]:
        """Return the exit of an attempt whose shim is idle again; empty if the end of the shim will report it."""
        shim = handle.shim
        record = record_of(handle) if shim is not None and shim.has_served() else None
        if (
            shim is None
            or record is None
            or record.code is None
            or handle.is_frozen
            or not shim.is_left_alone()
            or not handle.tree.is_left_to_shim()
        ):
            if handle.is_frozen:  # the agent ended as its client did: nothing else would thaw what is left of it
                freezing.thaw(handle.tree)
            self._shims.dismiss(shim)
            self._guard.end(key)
            return []
        shim.cpu_seconds = record.before + record.cpu_seconds
        event = exit_of(key, handle, record, self._kills)
        self._let_be(key, handle)
        self._shims.keep(key, shim)
        return [event]

    def _ended(self, key: Key) -> Input:
        """Return what follows from the end of a shim: the exit in its record, and whether the tree has ended."""
        handle = self._handles[key]
        handle.tree.is_shim_gone = True
        if not handle.is_killing:
            self._guard.leave(key, handle)
        self._shims.dismiss(handle.shim)
        record = record_of(handle)
        if record.was_shut_out:
            self._shims.shut_out(key[0])
        event = exit_of(key, handle, record, self._kills)  # before its cgroup may be gone
        is_gone = self._is_gone(key)
        if not record.ran and is_gone:
            return NeverRan(*key)
        outcome = replace(event.outcome, escaped=handle.tree.escaped())
        return replace(event, is_tree_gone=is_gone, outcome=outcome)

    def _is_gone(self, key: Key) -> bool:
        """Return whether no process of an attempt whose shim has ended is left; if any is, watch for its end."""
        handle = self._handles[key]
        cgroup = handle.tree.cgroup
        while not handle.tree.is_gone(self._shims.pids):
            if handle.is_killing:
                handle.tree.kill()
            if cgroup is not None and not cgroup.is_empty():
                is_watched = self._watch.cgroup(key, cgroup.path) and not cgroup.is_empty()
            else:
                members = handle.tree.members()
                is_watched = any([self._watch.process(key, pid) for pid in members])  # noqa: C419 - watch all of them
            if is_watched:
                return False
        self._watch.forget(key)
        self._shims.pids.discard(handle.pid)
        self._let_be(key, handle)
        self._shims.give_back(cgroup)
        return True

    def _let_be(self, key: Key, handle: RunningAttempt) -> None:
        """Forget an attempt of which no process is left."""
        del self._handles[key]
        self._guard.leave(key, handle)
        self._scale.take(key)
        self.logs.end(key)
        self.left += handle.files.room()
