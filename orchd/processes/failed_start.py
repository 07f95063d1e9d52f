"""Why an attempt could not be started, whether a later start may succeed, and what would help."""

from __future__ import annotations

import errno

from orchd.core.inputs import SpawnFailed
from orchd.core.state.agents import AgentId

_PERMANENT = frozenset({errno.E2BIG, errno.EINVAL, errno.ENOEXEC})
_REMEDIES = {
    errno.EMFILE: "end some clients or agents, or start the daemon with a higher `ulimit -Hn` "
    "(`LimitNOFILE=` in its unit)",
    errno.ENFILE: "close files in other programs, or raise fs.file-max (sysctl)",
    errno.EAGAIN: "end some processes, or raise their limit: `ulimit -u`, `TasksMax=`, pids.max of its cgroup",
    errno.ENOMEM: "free memory",
    errno.ENOSPC: "free disk space: `orchctl prune` deletes finished agents and their logs",
    errno.EDQUOT: "free space in the disk quota: `orchctl prune` deletes finished agents and their logs",
}


def failed_start(key: tuple[AgentId, int], error: OSError) -> SpawnFailed:
    """Return the failure of the start of an attempt by what the machine refused."""
    reason = f"cannot start: {error.strerror or error}"
    if error.errno == errno.E2BIG:
        reason += (
            "; its arguments and environment together may take a quarter of the daemon's `ulimit -s`, at most "
            "6 MiB: write long values to files and give their paths"
        )
    remedy = _REMEDIES.get(error.errno or 0, "")
    return SpawnFailed(*key, reason, is_passing=error.errno not in _PERMANENT, remedy=remedy)
