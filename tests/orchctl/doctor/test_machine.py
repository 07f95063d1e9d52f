"""The checks of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.doctor import machine
from orchd.instance.config import Config
from orchd.instance.system import own_cgroup


def test_the_deepest_mount_determines_the_filesystem(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(f"a / ext4 rw 0 0\nb {tmp_path} nfs4 rw 0 0\nc /nowhere tmpfs rw 0 0\n")
    assert machine.filesystem(tmp_path / "home", tmp_path / "mounts") == "nfs4"
    findings = {finding.check: finding for finding in machine.disk(tmp_path, 0, tmp_path / "mounts")}
    assert (findings["disk"].state, findings["filesystem"].state) == ("ok", "problem")
    (tmp_path / "mounts").write_text("a / ext4 rw 0 0\n")
    assert [finding.state for finding in machine.disk(tmp_path / "not/yet", 0, tmp_path / "mounts")] == ["ok", "ok"]


def test_too_little_free_space_is_a_problem(tmp_path: Path) -> None:
    assert next(machine.disk(tmp_path, 1 << 60)).state == "problem"


def test_hidden_processes_of_other_users_are_a_problem(tmp_path: Path) -> None:
    findings = machine.processes(tmp_path)
    assert (findings.state, findings.what.startswith(f"{tmp_path} hides")) == ("problem", True)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stat").write_text("1 (init) S 0 1 1")
    assert machine.processes(tmp_path).state == "ok"


def test_the_cgroups_finding_comes_from_the_daemon() -> None:
    assert machine.cgroups({"cgroups": "/sys/fs/cgroup/x"}, Config()).what == "the daemon uses /sys/fs/cgroup/x"
    assert machine.cgroups({"cgroups": None}, Config()).state == "warning"
    assert machine.cgroups({"cgroups": None}, Config(cgroups="off")).state == "ok"


def test_without_a_daemon_the_cgroup_hierarchy_must_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_cgroup, "own_cgroup", lambda: None)
    assert machine.cgroups(None, Config()).what == "no cgroup2 hierarchy is mounted"
    monkeypatch.setattr(own_cgroup, "own_cgroup", lambda: tmp_path)
    assert machine.cgroups(None, Config()).state == "warning"
    (tmp_path / "cgroup.procs").touch()
    assert machine.cgroups(None, Config()).what == f"{tmp_path} can be used by a daemon that is started here"
