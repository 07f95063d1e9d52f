"""The cgroup of a process, where v2 is mounted alone, beside v1, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchd.wire.cgroups import own_cgroup

V1 = "30 20 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("31 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/user/a"),
        (V1 + "31 20 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified/user/a"),
        (V1, None),
    ],
)
def test_it_is_below_the_mount_of_v2(tmp_path: Path, mounts: str, expected: str | None) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text("4:memory:/x\n0::/user/a\n")
    (tmp_path / "self/mountinfo").write_text(mounts)
    found = own_cgroup(proc=tmp_path)
    assert (str(found) if found else None) == expected


def test_a_process_that_is_gone_has_none(tmp_path: Path) -> None:
    assert own_cgroup(5, proc=tmp_path) is None
