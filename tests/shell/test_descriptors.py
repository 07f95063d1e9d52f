"""The daemon's limit of open files, and that of its agents."""

from __future__ import annotations

import resource

import pytest

from orchd import descriptors
from tests.conftest import Instance


def start_limited(stopped: Instance, limits: str) -> None:
    """Start the daemon under limits of the shell's `ulimit`."""
    stopped.home.create()
    stopped.start("sh", "-c", f'{limits}; exec "$0" "$@"', "python3", "-m", "orchd")


def test_the_daemon_opens_as_many_files_as_it_may_and_agents_get_the_limit_it_was_started_with(
    stopped: Instance,
) -> None:
    stopped.env["PATH"] = stopped.env["PATH"]
    start_limited(stopped, "ulimit -Sn 300; ulimit -Hn 700")
    assert stopped.daemon is not None
    assert resource.prlimit(stopped.daemon.pid, resource.RLIMIT_NOFILE) == (700, 700)
    one = stopped.spawn("sh", "-c", "ulimit -Sn; ulimit -Hn")
    stopped.ctl("wait", one)
    assert stopped.ctl("logs", one).split() == ["300", "700"]


@pytest.mark.parametrize(
    ("files", "most"), [(64, 8), (10, 8), (256, 56), (1024, 248), (20_000, 4096), (resource.RLIM_INFINITY, 4096)]
)
def test_half_of_the_files_are_left_to_agents(files: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert descriptors.most_connections() == most
