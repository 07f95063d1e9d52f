"""Bounds that the kernel holds. A directory stands for a cgroup where this machine has no such controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchd.core.state.agents import Oom, Spec
from orchd.processes.linux import controllers
from orchd.processes.linux.controllers import OomKillCounter

ALL = ("memory_max", "cpu_max", "pids_max")


def spec(**bounds: object) -> Spec:
    """An agent with these bounds."""
    return Spec(("true",), "name", "/", "e", **bounds)  # type: ignore[arg-type]


def written(directory: Path) -> dict[str, str]:
    """The values that were written into a cgroup."""
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_resource_limits_are_written_in_the_kernels_format(tmp_path: Path) -> None:
    controllers.bind(tmp_path, spec(memory_max=2 << 30, cpu_max=1.5, pids_max=200), ALL)
    assert written(tmp_path) == {
        "memory.max": "2147483648",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "cpu.max": "150000 100000",
        "pids.max": "200",
    }
    controllers.bind(tmp_path, spec(cpu_max=0.01), ALL)
    assert written(tmp_path)["cpu.max"] == "1000 100000"


def test_unrequested_or_unsupported_resource_limits_are_not_written(tmp_path: Path) -> None:
    controllers.bind(tmp_path, spec(), ALL)
    controllers.bind(tmp_path, spec(memory_max=1 << 20, cpu_max=1.0, pids_max=9), ())
    assert written(tmp_path) == {}


def test_a_resource_limit_that_cannot_be_written_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        controllers.bind(tmp_path / "gone", spec(pids_max=9), ALL)


def test_delegated_controllers_are_read_back_from_the_kernel(tmp_path: Path) -> None:
    assert controllers.passed_on(tmp_path) == frozenset()
    control = tmp_path / "cgroup.subtree_control"
    control.write_text("cpuset memory pids\n")
    assert controllers.passed_on(tmp_path) == {"memory_max", "pids_max"}
    controllers.delegate(tmp_path / "gone", tmp_path)
    assert control.read_text() == "+pids"  # the last that was asked for


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ("low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\noom_group_kill 1\n", Oom.OWN),
        ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n", Oom.MACHINE),
        ("low 0\nhigh 0\nmax 9\noom 2\noom_kill 0\n", None),
        ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n", None),
        ("", None),
    ],
)
def test_memory_events_tell_a_cgroup_oom_from_a_host_oom(tmp_path: Path, events: str, expected: Oom | None) -> None:
    assert controllers.oom(tmp_path) is None
    (tmp_path / "memory.events").write_text(events)
    assert controllers.oom(tmp_path) is expected


def test_a_cgroup_reports_its_memory_limit_and_its_memory_peak(tmp_path: Path) -> None:
    assert not controllers.is_memory_bound(tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert not controllers.is_memory_bound(tmp_path)
    (tmp_path / "memory.max").write_text("1048576\n")
    assert controllers.is_memory_bound(tmp_path)
    assert controllers.peak(tmp_path) is None
    (tmp_path / "memory.peak").write_text("4096\n")
    assert controllers.peak(tmp_path) == 4096
    (tmp_path / "memory.max").write_text("max\n")
    assert controllers.peak(tmp_path) is None


def test_oom_kill_counter_caches_its_value_for_a_second(tmp_path: Path) -> None:
    now, vmstat = [100.0], tmp_path / "vmstat"
    kills = OomKillCounter(lambda: now[0], vmstat)
    assert (kills.lately(), kills.now()) == (0, 0)
    vmstat.write_text("nr_free_pages 7\noom_kill 3\nswpin_zero 1\n")
    assert (kills.lately(), kills.now(), kills.lately()) == (0, 3, 3)
    vmstat.write_text("oom_kill 5\n")
    now[0] += 1.0
    assert kills.lately() == 5
    vmstat.write_text("nr_free_pages 7\n")
    assert kills.now() == 0


def test_oom_kill_counter_reads_the_count_of_this_host() -> None:
    assert OomKillCounter(lambda: 0.0).now() >= 0
