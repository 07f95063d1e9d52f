"""Room on the disk: below the floor no agent starts, and agents start again by themselves above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.instance.config import Config
from orchd.monitors.disk_space import DiskSpace
from tests.conftest import Instance
from tests.support.machine import needs_root, tmpfs


def test_only_changes_of_disk_pressure_are_reported(tmp_path: Path) -> None:
    space = DiskSpace(tmp_path, 0)
    assert (space.look(has_disk_pressure=False), space.look(has_disk_pressure=True) is not None) == (None, True)
    space.reconfigure(Config(free_bytes=1 << 60))
    disk_change = space.look(has_disk_pressure=False)
    assert disk_change is not None
    assert 0 < disk_change.free < disk_change.floor == 1 << 60
    space.reconfigure(Config())
    disk = os.statvfs(tmp_path)
    if (disk_change := space.look(has_disk_pressure=True)) is not None:
        assert disk_change.floor == min(256 << 20, disk.f_blocks * disk.f_frsize // 20)
    assert DiskSpace(tmp_path / "gone", 1 << 60).look(has_disk_pressure=False) is None


def test_free_space_just_above_the_floor_keeps_disk_pressure_unchanged(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    space = DiskSpace(tmp_path, disk.f_bavail * disk.f_frsize * 31 // 32)
    assert (space.look(has_disk_pressure=False), space.look(has_disk_pressure=True)) == (None, None)


def test_queued_agents_start_after_a_reload_lowers_the_floor(stopped: Instance) -> None:
    stopped.configure(f"free_bytes = {1 << 60}\n")
    stopped.start()
    agent_id = stopped.spawn("true")
    assert stopped.agent(agent_id)["status"] == "queued"
    assert "low disk space" in stopped.agent(agent_id)["reason"]
    assert "low disk space: no new agents will start" in stopped.ctl("limit")
    stopped.configure("free_bytes = 0\n")
    stopped.ctl("config", "reload")
    stopped.ctl("wait", agent_id, "--timeout", "20s")
    assert stopped.status()["limit"]["disk_pressure"] is False
    assert (
        "bytes are free on the disk of the home, below the minimum of 1152921504606846976; no agent starts"
        in stopped.log()
    )
    assert "low disk space has ended" in stopped.log()


@needs_root
@pytest.mark.slow
def test_disk_pressure_blocks_starts_only_and_ends_without_a_request(
    stopped: Instance,
) -> None:
    with tmpfs(stopped.directory, "64m"):
        stopped.home.create()
        stopped.configure(f"free_bytes = {32 << 20}\n")
        stopped.start()
        first = stopped.spawn("sleep", "600")
        with (stopped.directory / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, 48 << 20)
        second = stopped.spawn("true")
        assert [stopped.agent(agent_id)["status"] for agent_id in (first, second)] == ["running", "queued"]
        (stopped.directory / "ballast").unlink()
        stopped.ctl("wait", second, "--timeout", "20s")
        assert stopped.agent(first)["status"] == "running"
        stopped.stop()
