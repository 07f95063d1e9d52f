"""Identifies callers by the kernel's credentials: from the connected process up to the shim of an agent.

The answer is given once, when the connection is accepted, and holds for all its requests. A process is an agent's when
it descends from the agent's shim, or is in its session, or the leader of its session descends from the shim. The cgroup
proves nothing, since any process of the user can move there, nor do variables: a process that is in a cgroup of an
agent, or has the variables of one, and is not proven to be of that agent, may do nothing. Neither may an orphan below
the daemon of which nothing proves whose it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchd.core.state.agents import AgentId
from orchd.errors import OrchdError
from orchd.instance.config import Config
from orchd.instance.environment import ENV_AGENT, ENV_HOME
from orchd.instance.home import Home
from orchd.instance.system.own_cgroup import own_cgroup
from orchd.network.peers import Credentials, Identity, Key, Outside, Peer
from orchd.network.roles import RemoteClient
from orchd.processes.launching import namespaces
from orchd.processes.linux.cgroups import held_in
from orchd.processes.linux.procfs import PROC, Process, environment_markers, read_process
from orchd.processes.local import LocalProcesses
from orchd.protocol.errors import WireError

_LOOKS = 100  # at a caller whose parents come and go

_WHOLE = b"0 0 4294967295".split()  # the uid_map of a namespace in which every user has its own uid

_ENTER = (
    "spawn, from outside, an agent whose command enters it (`nsenter`, `ip netns exec`), or start a daemon inside with "
    "an ORCHD_HOME of its own"
)

Caller = AgentId | Outside | RemoteClient


def agent_of(caller: Caller) -> AgentId | None:
    """Return the calling agent, or None for a caller outside every agent."""
    return caller if isinstance(caller, str) else None


@contextmanager
def seeing() -> Iterator[None]:
    """Inspect a caller in this context. Raises WireError, to be repeated by the client, when no descriptor is free."""
    try:
        yield
    except OSError as error:
        raise WireError("busy", f"cannot identify the caller: {error.strerror}; retry later") from None


def check_proc() -> None:
    """Raise OrchdError when processes of other users are hidden: outside callers are known by ancestors up to pid 1."""
    try:
        first = read_process(1)
    except PermissionError:
        first = None
    if first is None:
        raise OrchdError(
            "/proc hides the processes of other users (hidepid in proc(5)), so the daemon cannot identify the "
            "owner; mount it with hidepid=0, or with gid= of a group that this user is in"
        )


def check_uid() -> None:
    """Raise OrchdError when our uid is the overflow uid, which stands for every user without a mapped uid."""
    uid, overflow = os.getuid(), int((PROC / "sys/kernel/overflowuid").read_bytes())
    if uid == overflow and (PROC / "self/uid_map").read_bytes().split() != _WHOLE:
        raise OrchdError(
            f"this process runs as uid {uid}, which stands for every user that this user namespace does not map, so "
            "other users would be accepted as the owner; run orchd as a user that the namespace maps (uid_map in "
            "user_namespaces(7))"
        )


def check_namespaces(home: Home) -> None:
    """Record the namespaces of this process for the home. Raises OrchdError when agents run in others."""
    namespaces.enter(home)


class Callers:
    """Identifies callers: `identify` once for each connection, `who` for each request."""

    def __init__(self, home: Home, processes: LocalProcesses) -> None:
        self._home = home
        self._processes = processes
        self._uid = os.getuid()
        self._accepts_confined = False

    def who(self, peer: Peer) -> Caller:
        """Return the agent that this peer belongs to, or which outside caller it is."""
        if peer.remote_client is not None:
            return peer.remote_client
        if isinstance(peer.identity, Outside):
            return peer.identity
        return peer.identity[0] if peer.identity in self._processes.shims().values() else Outside.FORMER

    def reconfigure(self, config: Config) -> None:
        """Use this configuration from now on."""
        self._accepts_confined = config.confined_callers == "accept"

    def check_confinement(self, peer: Peer, caller: Caller) -> None:
        """Raise WireError `forbidden` when a confined caller would start agents without its confinement."""
        if self._accepts_confined or isinstance(caller, RemoteClient):
            return
        try:
            clauses = namespaces.confinement(peer.pid)
        except (FileNotFoundError, ProcessLookupError):
            raise WireError("forbidden", "the calling process has ended; retry") from None
        if clauses:
            inside = "call orchctl from an unconfined process of the agent" if agent_of(caller) else _ENTER
            raise WireError(
                "forbidden",
                f"the calling process is confined ({', '.join(clauses)}), but its agents would not be, since they run "
                f"where the daemon runs. Either {inside}, or the owner sets "
                'confined_callers = "accept" in config.toml',
            )

    def identify(self, peer: Credentials) -> Identity:
        """Return the proven identity of the connected process. Raises OSError when no descriptor is free."""
        if peer.uid != self._uid:
            return Outside.STRANGER
        if peer.pid <= 0:
            return Outside.HIDDEN
        identity = self._search(peer.pid)
        # checked last: then the processes above are those of this process, and of no other that has its pid
        return identity if peer.is_alive() else Outside.ENDED

    def _search(self, pid: int) -> Identity:
        """Return the identity that the process, its ancestors, its session and its cgroup prove now."""
        shims = self._processes.shims()
        for _ in range(_LOOKS):
            line = _line(pid)
            if not line:
                return Outside.ENDED
            if (shim := next((process.pid for process in line if process.pid in shims), None)) is not None:
                return shims[shim]
            if (proven := self._proven(line[0], shims)) is not None:
                return proven
            if any(process.pid == os.getpid() for process in line):
                break
            if line[-1].parent == 0:
                home = str(self._home.directory)
                marks = (environment_markers(process.pid) for process in line)
                is_marked = any(ENV_AGENT in markers and markers.get(ENV_HOME) == home for markers in marks)
                return Outside.MARKED if is_marked else Outside.OWNER
            # a process in between ended meanwhile, and its descendants have another parent now
        return Outside.NOBODY

    def _proven(self, caller: Process, shims: dict[int, Key]) -> Identity | None:
        """Return the attempt that an orphan belongs to by its session, which no process can choose.

        A process can choose its cgroup, so that only removes rights: a process in an agent's cgroup is not the owner.
        """
        cgroups = self._processes.cgroups()
        in_session = shims.get(caller.session)
        of_cgroup: Identity | None = None
        with suppress(FileNotFoundError, ProcessLookupError):
            is_in_ours = f"orchd-{self._home.tag}".encode() in (PROC / str(caller.pid) / "cgroup").read_bytes()
            # in which of ours needs all mounts, which takes longer
            if is_in_ours and (cgroup := held_in(own_cgroup(caller.pid), self._home.tag)):
                of_cgroup = cgroups.get(cgroup, Outside.FORMER)
        # where there is a cgroup the session may have been an earlier attempt's too
        if in_session is not None and (in_session == of_cgroup or in_session not in cgroups.values()):
            return in_session
        # all of a session descend from its leader, and so from the shim that the leader descends from
        leaders = [process.pid for process in _line(caller.session)] if caller.session else []
        above = next((shims[pid] for pid in leaders if pid in shims and pid != caller.session), None)
        if above is not None:
            return above
        return of_cgroup if of_cgroup in (None, Outside.FORMER) else Outside.NOBODY


def _line(pid: int) -> list[Process]:
    """Return the process, its parent and so on, as far as they are visible; a process with parent 0 is the topmost."""
    line: list[Process] = []
    while pid and (process := read_process(pid)) is not None:
        line.append(process)
        pid = process.parent
    return line
