"""Attempts that one shim serves after another, with cgroups."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from orchd.core.inputs import Exited, Input, Spawned
from orchd.core.state.agents import Agent
from orchd.instance.home import Home
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.local import LocalProcesses
from tests.conftest import until
from tests.support.attempts import ENV, agent


class Attempts:
    """Attempts with cgroups, one at a time."""

    def __init__(self, home: Home, cgroups: Cgroups | None) -> None:
        home.create()
        self.home = home
        self.variables: dict[str, dict[str, str]] = {"e": ENV, "other": {**ENV, "OTHER": "1"}}
        self.processes = LocalProcesses(home, self.variables.__getitem__, cgroups, time.monotonic, time.time)
        self.pids: set[int] = set()

    def start(self, agent: Agent) -> int:
        """Start an attempt; the pid of its shim, which has not opened the gate yet."""
        result = self.processes.start(agent)
        assert isinstance(result, Spawned)
        agent.pid, agent.cgroup = result.pid, result.cgroup
        self.pids.add(result.pid)
        return result.pid

    def news(self) -> list[Input]:
        """The next inputs, as soon as there are any."""
        inputs: list[Input] = until(self.processes.news)
        return inputs

    def end(self, agent: Agent) -> Exited:
        """Open the gate of an attempt; its end, in a turn that goes on."""
        self.processes.release(agent.id, 1)
        (exited,) = self.news()
        assert isinstance(exited, Exited)
        return exited

    def run(self, *command: str, **fields: Any) -> int:
        """Run an attempt to its end; the pid of its shim."""
        new_agent = agent(*command, **fields)
        pid = self.start(new_agent)
        assert self.end(new_agent).is_tree_gone
        return pid

    def log(self, agent: Agent) -> str:
        """The output of an attempt."""
        return Path(f"{self.home.agents}/{agent.id}.1.log").read_text()

    def next_daemon(self) -> LocalProcesses:
        """The processes as the next daemon finds them after this daemon has died."""
        for key, handle in self.processes._handles.items():
            self.processes._shims.dismiss(handle.shim)
            self.processes._watch.forget(key)
        return LocalProcesses(self.home, self.variables.__getitem__, None, time.monotonic, time.time)

    def close(self) -> None:
        """Have every shim end, and wait for it."""
        self.processes.rest()
        for agent_id, attempt in self.processes.shims().values():
            self.processes.stop(agent_id, attempt, kill=True)
        for key in list(self.processes._handles):
            self.processes._watch.forget(key)
        for pid in self.pids:
            os.waitpid(pid, 0)
        trees = [handle.tree for handle in self.processes._handles.values()]
        until(lambda: all(tree.cgroup is None or tree.cgroup.is_empty() for tree in trees))
