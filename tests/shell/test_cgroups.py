"""Cgroups, where they can be had: members, the kill that no fork escapes, and what is removed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from orchd.procs.cgroups import Cgroup, Cgroups, held_in, own_cgroup
from tests.conftest import until


def member(cgroup: Cgroup, *command: str) -> subprocess.Popen[bytes]:
    """A process that has moved into a cgroup before it forks."""
    return subprocess.Popen(["sh", "-c", 'echo 0 && exec "$@" >&2', "sh", *command], stdout=cgroup.door())


def test_what_is_forked_in_a_cgroup_is_a_member_and_ends_with_it(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    assert cgroup.is_empty()
    made = member(cgroup, "sh", "-c", "sleep 1000 & setsid sleep 1000 & wait")
    until(lambda: len(cgroup.members()) == 3)
    assert not cgroup.is_empty()
    assert not cgroup.remove()
    cgroup.kill()
    made.wait()
    until(cgroup.is_empty)
    assert cgroup.members() == set()
    cgroups.give_back(cgroup)


def test_one_that_is_gone_is_empty_and_gone(cgroups: Cgroups) -> None:
    cgroup = Cgroup(cgroups.base / "never")
    assert cgroup.is_empty()
    assert cgroup.remove()
    assert not cgroup.is_as_made()
    cgroup.kill()


def test_one_that_was_left_as_it_was_made_is_used_again(cgroups: Cgroups) -> None:
    first, second = cgroups.take(), cgroups.take()
    assert first.path != second.path
    cgroups.give_back(first)
    assert cgroups.take() is first
    for one in (first, second):
        cgroups.give_back(one)


def test_one_that_was_frozen_is_not_used_again(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    (cgroup.path / "cgroup.freeze").write_text("1")
    cgroups.give_back(cgroup)
    assert not cgroup.path.exists()


def test_cgroups_that_an_agent_made_below_its_own_are_its_own_and_go_with_it(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    inner = cgroup.path / "inner/innermost"
    inner.mkdir(parents=True)
    made = member(Cgroup(inner), "sleep", "1000")
    until(lambda: cgroup.members() == {made.pid})
    assert not cgroup.is_empty()
    assert not cgroup.remove()
    cgroup.kill()
    made.wait()
    until(cgroup.is_empty)
    assert not cgroup.is_as_made()
    cgroups.give_back(cgroup)
    assert not cgroup.path.exists()


def test_one_in_which_an_earlier_daemon_left_somebody_is_given_to_nobody(cgroups: Cgroups) -> None:
    left = cgroups.take()
    made = member(left, "sleep", "1000")
    until(lambda: left.members() == {made.pid})
    second = Cgroups(cgroups.base)
    assert second.take().path != left.path
    adopted = second.at(left.path)
    made.kill()
    made.wait()
    until(adopted.is_empty)
    second.give_back(adopted)
    assert second.take() is adopted


def test_that_of_an_attempt_is_read_from_any_cgroup_at_or_below_its_own() -> None:
    base = Path("/sys/fs/cgroup/user.slice/orchd-tag")
    assert held_in(base / "7", "tag") == base / "7"
    assert held_in(base / "7/below", "tag") == base / "7"
    assert held_in(base, "tag") is None
    assert held_in(base / "7", "other") is None
    assert held_in(None, "tag") is None


def test_a_process_that_is_gone_has_no_cgroup() -> None:
    done = subprocess.Popen(["true"])
    done.wait(10)
    assert own_cgroup(done.pid) is None
