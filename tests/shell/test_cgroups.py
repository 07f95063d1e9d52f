"""Cgroups, where they can be had: members, the kill that no fork escapes, and what is removed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.procs.cgroups import Cgroups, attempt_in, own_cgroup
from tests.conftest import until


@pytest.fixture
def cgroups() -> Iterator[Cgroups]:
    """A base of our own."""
    made = Cgroups.where_allowed(f"test-{os.getpid()}")
    if made is None:
        pytest.skip("no cgroup2 directory can be made here")
    yield made
    made.close()
    assert not made.base.exists()


def member(cgroups: Cgroups, path: Path, *command: str) -> subprocess.Popen[bytes]:
    """A process in a cgroup, which it is in before it forks."""
    made = subprocess.Popen(["sh", "-c", 'read go; exec "$@"', "sh", *command], stdin=subprocess.PIPE)
    assert made.stdin is not None
    cgroups.enter(path, made.pid)
    made.stdin.write(b"go\n")
    made.stdin.close()
    return made


def test_what_is_forked_in_a_cgroup_is_a_member_and_ends_with_it(cgroups: Cgroups) -> None:
    path = cgroups.make("one")
    made = member(cgroups, path, "sh", "-c", "sleep 1000 & setsid sleep 1000 & wait")
    until(lambda: len(cgroups.members(path)) == 3)
    assert not cgroups.remove(path)
    cgroups.kill(path)
    made.wait(10)
    until(lambda: cgroups.remove(path))
    assert cgroups.members(path) == set()


def test_one_that_is_gone_is_gone(cgroups: Cgroups) -> None:
    path = cgroups.base / "never"
    assert cgroups.remove(path)
    cgroups.kill(path)


def test_cgroups_that_an_agent_made_below_its_own_are_its_own(cgroups: Cgroups) -> None:
    path = cgroups.make("one")
    (path / "inner/innermost").mkdir(parents=True)
    made = member(cgroups, path / "inner/innermost", "sleep", "1000")
    assert cgroups.members(path) == {made.pid}
    assert not cgroups.remove(path)
    cgroups.kill(path)
    made.wait(10)
    until(lambda: cgroups.remove(path))
    assert not path.exists()


def test_the_attempt_is_read_from_any_cgroup_at_or_below_its_own() -> None:
    base = Path("/sys/fs/cgroup/user.slice/orchd-tag")
    assert attempt_in(base / "agent-007.1", "tag") == "agent-007.1"
    assert attempt_in(base / "agent-007.1/below", "tag") == "agent-007.1"
    assert attempt_in(base, "tag") is None
    assert attempt_in(base / "agent-007.1", "other") is None
    assert attempt_in(None, "tag") is None


def test_a_process_that_is_gone_has_no_cgroup() -> None:
    done = subprocess.Popen(["true"])
    done.wait(10)
    assert own_cgroup(done.pid) is None
