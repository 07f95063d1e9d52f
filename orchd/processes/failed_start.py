"""Why an attempt could not be started, whether a later start may succeed, and what would help."""

from __future__ import annotations

import errno

from orchd.core.inputs import SpawnFailed
from orchd.core.state.agents import AgentId

_PERMANENT = frozenset({errno.E2BIG, errno.EINVAL, errno.ENOEXEC})
_REMEDIES = {
    errno.EMFILE: "clients and agents that end, or a daemon that is started under a higher `ulimit -Hn` "
    "(`LimitNOFILE=` in its unit)",
    errno.ENFILE: "files that other programs close, or a higher fs.file-max (sysctl)",
    errno.EAGAIN: "processes that end, or a higher limit of them: `ulimit -u`, `TasksMax=`, pids.max of its cgroup",
    errno.ENOMEM: "memory that becomes free",
    errno.ENOSPC: "room on the disk: `orchctl prune` deletes finished agents and their logs",
    errno.EDQUOT: "room in the disk quota: `orchctl prune` deletes finished agents and their logs",
}


def failed_start(key: tuple[AgentId, int], error: OSError) -> SpawnFailed:
    """Return the failure of the start of an attempt by what the machine refused."""
    reason = f"cannot start: {error.strerror or error}"
    if error.errno == errno.E2BIG:
        reason += (
            "; together its arguments and variables may take a quarter of the daemon's `ulimit -s`, and 6 MiB at "
            "most: write what is long to files and give their paths"
        )
    remedy = _REMEDIES.get(error.errno or 0, "")
    return SpawnFailed(*key, reason, is_passing=error.errno not in _PERMANENT, remedy=remedy)
