"""The cgroup of a process, where v2 is mounted alone, beside v1, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchd.instance.system import own_cgroup as cgroups
from orchd.instance.system.own_cgroup import own_cgroup

V1 = "30 20 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("31 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/user/a"),
        (V1 + "31 20 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified/user/a"),
        (V1, None),
    ],
)
def test_the_own_cgroup_is_below_the_cgroup2_mount(tmp_path: Path, mounts: str, expected: str | None) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text("4:memory:/x\n0::/user/a\n")
    (tmp_path / "self/mountinfo").write_text(mounts)
    path = own_cgroup(proc=tmp_path)
    assert (str(path) if path else None) == expected


def test_an_ended_process_has_no_cgroup(tmp_path: Path) -> None:
    assert own_cgroup(5, proc=tmp_path) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1f.scope/daemon\n", "run-r1f.scope"),
        ("0::/system.slice/docker-1f.scope\n", "docker-1f.scope"),
        ("1:name=systemd:/user.slice/user-0.slice/session-c1.scope\n0::/\n", "session-c1.scope"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/orchd.service\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
        ("0::/init.scope\n", None),
        ("4:memory:/a.scope\n0::/\n", None),
        (None, None),
    ],
)
def test_a_transient_scope_is_detected(tmp_path: Path, text: str | None, expected: str | None) -> None:
    if text is not None:
        (tmp_path / "7").mkdir()
        (tmp_path / "7/cgroup").write_text(text)
    assert cgroups.passing_scope(7, tmp_path) == expected
