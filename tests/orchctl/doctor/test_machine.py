"""What is looked at of the machine."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from orchctl.doctor import machine


def test_the_deepest_mount_is_the_one_that_counts(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(f"a / ext4 rw 0 0\nb {tmp_path} nfs4 rw 0 0\nc /nowhere tmpfs rw 0 0\n")
    assert machine.filesystem(tmp_path / "home", tmp_path / "mounts") == "nfs4"
    found = {one.check: one for one in machine.disk(tmp_path, 0, tmp_path / "mounts")}
    assert (found["disk"].state, found["filesystem"].state) == ("ok", "problem")
    (tmp_path / "mounts").write_text("a / ext4 rw 0 0\n")
    assert [one.state for one in machine.disk(tmp_path / "not/yet", 0, tmp_path / "mounts")] == ["ok", "ok"]


def test_a_home_that_has_too_little_room_is_a_problem(tmp_path: Path) -> None:
    assert next(machine.disk(tmp_path, 1 << 60)).state == "problem"


def test_a_service_of_somebody_who_logs_out_needs_linger(tmp_path: Path) -> None:
    assert machine.systemd(tmp_path / "none").what.startswith("no systemd runs here")
    assert machine.systemd(tmp_path).state == "ok"
    unit = tmp_path / ".config/systemd/user/orchd.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    old, os.environ["HOME"] = os.environ["HOME"], str(tmp_path)
    try:
        assert machine.systemd(tmp_path, tmp_path / "linger").state == "warning"
        (tmp_path / "linger").mkdir()
        (tmp_path / "linger" / pwd.getpwuid(os.getuid()).pw_name).touch()
        assert machine.systemd(tmp_path, tmp_path / "linger").state == "ok"
    finally:
        os.environ["HOME"] = old


def test_processes_of_others_that_are_hidden_are_a_problem(tmp_path: Path) -> None:
    found = machine.processes(tmp_path)
    assert (found.state, found.what.startswith(f"{tmp_path} hides")) == ("problem", True)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stat").write_text("1 (init) S 0 1 1")
    assert machine.processes(tmp_path).state == "ok"


def test_a_hierarchy_of_cgroups_is_of_use_when_it_can_be_written(tmp_path: Path) -> None:
    assert machine.cgroups(tmp_path).state == "warning"
    (tmp_path / "a").mkdir()
    for place in (tmp_path, tmp_path / "a"):
        (place / "cgroup.controllers").write_text("memory pids\n")
    (tmp_path / "own").write_text("0::/a\n")
    found = machine.cgroups(tmp_path, tmp_path / "own")
    assert (found.state, found.what) == ("ok", f"{tmp_path}/a can be used; controllers: memory, pids")
