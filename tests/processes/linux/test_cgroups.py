"""Cgroups, where they can be had: members, the kill that no fork escapes, and what is removed."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux import cgroups as module
from orchd.processes.linux import controllers
from orchd.processes.linux.cgroups import Cgroup, Cgroups, held_in
from tests.conftest import until
from tests.support.recording import recording


def member(cgroup: Cgroup, *command: str) -> subprocess.Popen[bytes]:
    """A process that has moved into a cgroup before it forks."""
    return subprocess.Popen(["sh", "-c", 'echo 0 && exec "$@" >&2', "sh", *command], stdout=cgroup.door())


def test_forked_processes_are_members_of_the_cgroup_and_are_killed_with_it(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    assert cgroup.is_empty()
    process = member(cgroup, "sh", "-c", "sleep 1000 & setsid sleep 1000 & wait")
    until(lambda: len(cgroup.members()) == 3)
    assert not cgroup.is_empty()
    assert not cgroup.remove()
    cgroup.kill()
    process.wait()
    until(cgroup.is_empty)
    assert cgroup.members() == set()
    cgroups.give_back(cgroup)


def test_a_nonexistent_cgroup_is_empty_and_counts_as_removed(cgroups: Cgroups) -> None:
    cgroup = Cgroup(cgroups.base / "never")
    assert cgroup.is_empty()
    assert cgroup.remove()
    assert not cgroup.is_as_made()
    cgroup.kill()


def test_an_unchanged_cgroup_is_reused(cgroups: Cgroups) -> None:
    first, second = cgroups.take(), cgroups.take()
    assert first.path != second.path
    cgroups.give_back(first)
    assert cgroups.take() is first
    for cgroup in (first, second):
        cgroups.give_back(cgroup)


def test_creating_a_cgroup_does_not_inspect_cgroups_in_use(cgroups: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    taken = [cgroups.take() for _ in range(3)]
    monkeypatch.setattr(module, "Cgroup", recording(looks, Cgroup))
    taken.append(cgroups.take())
    assert len(looks) == 1
    assert len({cgroup.path for cgroup in taken}) == 4
    for cgroup in taken:
        cgroup.remove()


def test_a_frozen_cgroup_is_not_reused(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    (cgroup.path / "cgroup.freeze").write_text("1")
    cgroups.give_back(cgroup)
    assert not cgroup.path.exists()


def test_nested_cgroups_of_an_agent_belong_to_its_cgroup_and_are_removed(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    inner = cgroup.path / "inner/innermost"
    inner.mkdir(parents=True)
    process = member(Cgroup(inner), "sleep", "1000")
    until(lambda: cgroup.members() == {process.pid})
    assert not cgroup.is_empty()
    assert not cgroup.remove()
    cgroup.kill()
    process.wait()
    until(cgroup.is_empty)
    assert not cgroup.is_as_made()
    cgroups.give_back(cgroup)
    assert not cgroup.path.exists()


def test_a_cgroup_with_a_process_of_an_earlier_daemon_is_not_reused(cgroups: Cgroups) -> None:
    leftover = cgroups.take()
    process = member(leftover, "sleep", "1000")
    until(lambda: leftover.members() == {process.pid})
    second = Cgroups(cgroups.base)
    assert second.take().path != leftover.path
    adopted = second.at(leftover.path)
    process.kill()
    process.wait()
    until(adopted.is_empty)
    second.give_back(adopted)
    assert second.take() is adopted


def test_the_cgroup_of_an_attempt_is_derived_from_any_cgroup_below_it() -> None:
    base = Path("/sys/fs/cgroup/user.slice/orchd-tag")
    assert held_in(base / "7", "tag") == base / "7"
    assert held_in(base / "7/below", "tag") == base / "7"
    assert held_in(base, "tag") is None
    assert held_in(base / "7", "other") is None
    assert held_in(None, "tag") is None


def test_an_ended_process_has_no_cgroup() -> None:
    process = subprocess.Popen(["true"])
    process.wait(10)
    assert own_cgroup(process.pid) is None


def test_a_cgroup_that_had_a_resource_limit_is_not_reused(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    cgroup.is_bound = True
    cgroups.give_back(cgroup)
    assert not cgroup.path.exists()


@pytest.fixture
def controller(cgroups: Cgroups, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A controller of this machine that stands for that of memory, passed on as far as the directory of `cgroups`."""
    levels = [*[path for path in cgroups.base.parents if (path / "cgroup.controllers").exists()][::-1], cgroups.base]
    names = (levels[0] / "cgroup.controllers").read_text().split()
    with ExitStack() as stack:
        holder = os.open(levels[0], os.O_RDONLY)
        stack.callback(os.close, holder)
        fcntl.flock(holder, fcntl.LOCK_EX)  # others who test here may want it too, and take it back
        try:
            for level in levels:
                _pass_on(level, names[-1], stack)
        except (OSError, IndexError):
            pytest.skip("no controller of cgroup v2 can be had here")
        monkeypatch.setattr(controllers, "_BY_BOUND", {"memory_max": names[-1]})
        yield names[-1]


def _pass_on(level: Path, name: str, stack: ExitStack) -> None:
    """Pass controllers on for the time of a test only."""
    control = level / "cgroup.subtree_control"
    if name not in control.read_text().split():
        control.write_text(f"+{name}")
        stack.callback(control.write_text, f"-{name}")


def test_a_daemon_in_a_leaf_cgroup_delegates_controllers_to_agents(
    cgroups: Cgroups, controller: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delegated = cgroups.take()
    leaf = Cgroup(delegated.path / controllers.LEAF)
    leaf.path.mkdir()
    monkeypatch.setattr(module, "own_cgroup", lambda: leaf.path)
    own_cgroups = Cgroups.where_allowed("leafy")
    assert own_cgroups is not None
    assert own_cgroups.base == delegated.path / "orchd-leafy"
    assert own_cgroups.bounds == {"memory_max"}
    agent = own_cgroups.take()
    assert controller in (agent.path / "cgroup.controllers").read_text()
    living = member(agent, "sleep", "1000")
    until(lambda: agent.members() == {living.pid})
    next_daemon = member(leaf, "true")
    assert next_daemon.wait(60) == 0
    # what keeps us from the same without a leaf: nobody can follow into a cgroup that passes controllers on
    assert member(delegated, "true").wait(60) != 0
    living.kill()
    living.wait()
    until(lambda: delegated.is_empty())
    own_cgroups.give_back(agent)
    own_cgroups.close()
    cgroups.give_back(delegated)


def test_a_daemon_in_the_units_own_cgroup_delegates_no_controller(
    cgroups: Cgroups, controller: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = cgroups.take()
    monkeypatch.setattr(module, "own_cgroup", lambda: unit.path)
    own_cgroups = Cgroups.where_allowed("unit")
    assert own_cgroups is not None
    assert (own_cgroups.base, own_cgroups.bounds) == (unit.path / "orchd-unit", frozenset())
    assert controller not in (unit.path / "cgroup.subtree_control").read_text()
    own_cgroups.close()
    cgroups.give_back(unit)


def test_mount_names_that_are_not_utf8_are_parsed(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_bytes(b"0::/a\xe4\n")
    mounts = b"30 1 0:1 / /media/usb\xe4 rw - vfat x rw\n31 1 0:2 / /sys/fs/cgroup rw - cgroup2 none rw\n"
    (tmp_path / "self/mountinfo").write_bytes(mounts)
    assert own_cgroup(proc=tmp_path) == Path(os.fsdecode(b"/sys/fs/cgroup/a\xe4"))


def test_an_unreadable_cgroup_is_not_reported_as_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Cgroup(tmp_path / "gone").is_empty()

    def none_left(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        Cgroup(tmp_path / "gone").is_empty()
