"""The standard inputs of agents and, for `retry`, the environment of each that ended without completing.

    inputs/DIGEST       a standard input that a client sent, while an agent that is not finished has it
    retry/agent-001     the environment and the digest of the input of an agent that ended without completing
    retry/agent-001.in  its input, another name of the same file

All of it may be secret: private files of this user. They go when the agent completes after all, or is pruned.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgpack import UnpackException

from orchd.core.state.agents import Agent, AgentId, Status
from orchd.instance.system import atomic_file
from orchd.instance.system.open_file import read_file
from orchd.instance.system.private_file import write_private
from orchd.protocol.errors import WireError
from orchd.store.codec import pack, unpack

VERSION = 1  # of a file in `retry`

Environment = Callable[[str], Mapping[str, str]]


class Inputs:
    """The inputs that clients sent, by the digest of their content."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._users: Counter[str] = Counter()  # agents that are not finished, by digest
        self._unused: set[str] = set()  # on the disk, and no agent is known to have it

    def keep(self, content: bytes) -> str:
        """Write an input to the disk before this returns. Returns its path. Raises OSError."""
        digest = hashlib.sha256(content).hexdigest()[:32]
        path = self._directory / digest
        if not path.exists():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            write_private(path, content)
        if not self._users[digest]:
            self._unused.add(digest)
        return str(path)

    def digest_of(self, agent: Agent) -> str | None:
        """Return the digest of the input that an agent has; None for an agent with another standard input, or none."""
        directory, _, name = (agent.spec.stdin or "").rpartition("/")
        return name if directory == str(self._directory) else None

    def path(self, digest: str) -> Path:
        """Return the path of an input."""
        return self._directory / digest

    def use(self, agent: Agent) -> None:
        """Record that an unfinished agent has its input."""
        if (digest := self.digest_of(agent)) is not None:
            self._users[digest] += 1
            self._unused.discard(digest)

    def leave(self, agent: Agent) -> None:
        """Record that the agent has finished."""
        if (digest := self.digest_of(agent)) is not None:
            self._users[digest] -= 1
            if self._users[digest] <= 0:
                del self._users[digest]
                self._unused.add(digest)

    def tidy(self) -> None:
        """Delete inputs that no agent has. Call it only when no request is undecided."""
        while self._unused:
            self.path(self._unused.pop()).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete inputs that an earlier daemon left and no agent has."""
        with suppress(FileNotFoundError):
            self._unused |= {path.name for path in self._directory.iterdir()} - self._users.keys()
        self.tidy()


@dataclass(frozen=True, slots=True)
class _LastKept:
    """The last file that was written, to which the next agent with the same environment is linked."""

    environment: str
    input: str | None
    path: Path


class Retries:
    """The inputs and environments of agents that ended without completing."""

    def __init__(self, directory: Path, environment: Environment, inputs: Inputs) -> None:
        self._directory = directory
        self._environment = environment
        self._inputs = inputs
        self._last: _LastKept | None = None
        self._names = {path.name for path in directory.iterdir()} if directory.exists() else set()

    def keep(self, agent: Agent) -> None:
        """Keep the environment and input of the agent. Where that fails, `retry` refuses and names what is missing."""
        digest = self._inputs.digest_of(agent)
        path = self._directory / agent.id
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self.drop(agent.id)
            if digest is not None:
                _link(self._inputs.path(digest), path.with_name(f"{agent.id}.in"))
                self._names.add(f"{agent.id}.in")
            self._write(agent.spec.environment, digest, path)
            self._names.add(agent.id)

    def _write(self, environment: str, digest: str | None, path: Path) -> None:
        """Write the file of an agent; agents with the same environment and input share one file."""
        last = self._last
        if last is not None and (last.environment, last.input) == (environment, digest):
            with suppress(OSError):
                os.link(last.path, path)
                return
        kept = {"version": VERSION, "environment": dict(self._environment(environment)), "input": digest}
        atomic_file.write(path, pack(kept), 0o600)
        self._last = _LastKept(environment, digest, path)

    def environment(self, agent: AgentId) -> dict[str, str]:
        """Return the variables that the agent was given. Raises WireError `environment-lost`."""
        path = self._directory / agent
        way_out = f"`orchctl retry --current-env {agent}` uses the environment of the caller instead"
        try:
            kept = unpack(read_file(path))
            if kept["version"] != VERSION:
                what = f"{path} has the version {kept['version']}, but this daemon reads {VERSION}"
                raise WireError("environment-lost", f"{agent}: {what}; {way_out}")
            return {str(name): str(value) for name, value in kept["environment"].items()}
        except OSError as error:
            why = "it is no longer kept" if isinstance(error, FileNotFoundError) else f"{path}: {error.strerror}"
        except (ValueError, TypeError, LookupError, AttributeError, UnpackException):
            why = f"{path} is damaged"
        raise WireError("environment-lost", f"{agent}: its original environment is lost: {why}; {way_out}")

    def restore_input(self, agent: Agent) -> None:
        """Restore the input that was sent for the agent to the path it reads. Raises WireError `input-lost`."""
        digest = self._inputs.digest_of(agent)
        if digest is None:
            return
        try:
            self._inputs.keep(read_file(self._directory / f"{agent.id}.in"))
        except OSError as error:
            what = f"{agent.id}: its original standard input is lost: {error.strerror}"
            raise WireError("input-lost", f"{what}; spawn the agent again") from None

    def drop(self, agent: AgentId) -> None:
        """Delete what is kept of the agent."""
        for name in (agent, f"{agent}.in"):
            if name in self._names:
                self._names.discard(name)
                with suppress(OSError):
                    (self._directory / name).unlink()
        if self._last is not None and self._last.path.name == agent:
            self._last = None

    def has(self, agent: AgentId) -> bool:
        """Whether anything is kept of the agent."""
        return agent in self._names


class SpawnInputs:
    """Inputs and Retries together, kept up to date as agents are queued and end."""

    def __init__(self, inputs: Inputs, retries: Retries) -> None:
        self.inputs = inputs
        self.retries = retries

    def began(self, agents: Iterable[Agent]) -> None:
        """Record that agents were queued, or queued again."""
        for agent in agents:
            self.inputs.use(agent)

    def ended(self, agents: Iterable[Agent]) -> None:
        """Record that agents have finished. A request of the same turn may have revived them."""
        for agent in agents:
            if agent.status is Status.COMPLETED:
                self.retries.drop(agent.id)
            elif agent.is_over:
                self.retries.keep(agent)
            self.inputs.leave(agent)

    def recover(self, unfinished: Iterable[Agent], recent: Iterable[Agent], environments: Collection[str]) -> None:
        """Continue after an earlier daemon, which may have died between the end of a `recent` agent and keeping its
        input: `environments` are the digests that still exist."""
        self.began(unfinished)
        for agent in recent:
            is_bad = agent.is_over and agent.status is not Status.COMPLETED
            if is_bad and agent.spec.environment in environments and not self.retries.has(agent.id):
                self.retries.keep(agent)
        self.inputs.sweep()


def _link(source: Path, target: Path) -> None:
    """Link `target` to a file, or copy it where the file system has no hard links. Raises OSError."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        atomic_file.write(target, read_file(source), 0o600)
