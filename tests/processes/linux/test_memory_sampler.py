"""The memory of trees, and how often it is sampled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME
from orchd.processes.linux import memory_sampler
from orchd.processes.linux.cgroups import Cgroup, Cgroups
from orchd.processes.linux.memory_sampler import HURRY, PAUSE, MemorySampler
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import environment_markers
from tests.conftest import until
from tests.support.recording import recording

MB = 1 << 20
# Takes 60 MB, all of which its child shares; told to, that leaves its session and its parent.
SHARES = """
import os, sys
held = bytearray(b"x") * (60 << 20)
if os.fork() == 0:
    if sys.argv[1:] == ["leave"]:
        os.setsid()
        if os.fork(): os._exit(0)
    print(flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
"""


@contextmanager
def held(*words: str) -> Iterator[ProcessTree]:
    """A tree that holds 60 MB until it is left."""
    home = f"/nowhere/{os.getpid()}"
    env = {**os.environ, ENV_HOME: home, ENV_AGENT: "agent-001", ENV_ATTEMPT: "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", SHARES, *words]
    with subprocess.Popen(command, env=env, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        yield ProcessTree("agent-001", 1, home, process.pid, None)
        process.communicate(b"\n")


LATER = 10.0  # when one that has something on it is due


def weighed(tree: ProcessTree, bound: int) -> int:
    """The bytes of a tree."""
    return scale_of(it=(tree, bound)).weigh(LATER)["it"].amount


def scale_of(**trees: tuple[ProcessTree, int]) -> MemorySampler[str]:
    """One on which these are, and that is due."""
    scale = MemorySampler[str]()
    for key, (tree, bound) in trees.items():
        scale.put(key, tree, bound)
    scale.next_deadline(0.0)
    return scale


def test_shared_memory_is_counted_once_if_the_tree_is_near_its_limit() -> None:
    with held() as tree:
        assert weighed(tree, 1000 * MB) > 120 * MB
        assert 60 * MB < weighed(tree, 100 * MB) < 100 * MB


def test_an_orphan_outside_the_session_is_sampled_by_its_markers() -> None:
    with held("leave") as tree:
        assert weighed(tree, 1000 * MB) > 120 * MB


def test_environment_markers_of_a_process_are_read_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with held() as tree:
        scale = scale_of(it=(tree, MB))
        scale.weigh(LATER)
        pids: list[object] = []
        monkeypatch.setattr(memory_sampler, "environment_markers", recording(pids, environment_markers))
        assert scale.weigh(2 * LATER)["it"].amount > 60 * MB
        assert tree.shim not in pids


def test_processes_of_another_agent_are_not_sampled_with_the_tree() -> None:
    with held() as tree:
        other = ProcessTree("agent-002", 1, tree.home, 0, None)
        assert scale_of(it=(tree, 1000 * MB), other=(other, MB)).weigh(LATER)["other"] == (0, MB)


def test_cgroup_members_are_sampled_whatever_their_session_or_parent(cgroups: Cgroups) -> None:
    cgroup = cgroups.take()
    with held("leave") as tree:
        for pid in ProcessTree(tree.agent, 1, tree.home, tree.shim, None).members():
            with suppress(ProcessLookupError):  # the one in between may be about to end
                (cgroup.path / "cgroup.procs").write_text(str(pid))
        assert weighed(ProcessTree("agent-009", 1, "/", 0, cgroup), 1000 * MB) > 120 * MB
    until(cgroup.is_empty)
    cgroups.give_back(cgroup)


@pytest.mark.parametrize(("bound", "is_over"), [(1000 * MB, False), (10 * MB, True)])
def test_processes_that_left_a_memory_limited_cgroup_are_sampled_with_it(
    tmp_path: Path, bound: int, *, is_over: bool
) -> None:
    (tmp_path / "memory.max").write_text(f"{bound}\n")
    (tmp_path / "memory.current").write_text(f"{7 * MB}\n")
    with held() as tree:
        (tmp_path / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in tree.members()))
        inside = ProcessTree(tree.agent, 1, tree.home, tree.shim, Cgroup(tmp_path))
        assert weighed(inside, bound) == 0
        (tmp_path / "cgroup.procs").write_text("")
        amount = weighed(inside, bound)
        assert amount > 67 * MB
        assert (amount > bound) == is_over


def test_sampler_idles_without_limits_and_samples_often_near_a_limit() -> None:
    scale = MemorySampler[str]()
    assert scale.next_deadline(5.0) is None
    assert not scale.weigh(1e9)
    with held() as tree:
        scale.put("it", tree, 1000 * MB)
        assert [scale.next_deadline(now) for now in (5.0, 5.1)] == [5.0 + HURRY, 5.0 + HURRY]
        assert not scale.weigh(5.1)
        assert scale.weigh(5.0 + HURRY).keys() == {"it"}
        assert scale.next_deadline(5.0 + HURRY) == 5.0 + HURRY + PAUSE
        scale.put("it", tree, 80 * MB)
        scale.weigh(20.0)
        assert scale.next_deadline(20.0) == 20.0 + HURRY
    scale.take("it")
    assert scale.next_deadline(20.0) is None
    assert not scale.weigh(1e9)


def test_ended_process_uses_no_memory_and_unreadable_process_its_rss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_sampler, "PROC", tmp_path)
    assert memory_sampler._weight([7], 0) == 0
    (tmp_path / "7").mkdir()
    (tmp_path / "7/statm").write_text("900 100 50 1 0 200 0")
    assert memory_sampler._weight([7], 0) == 0
    (tmp_path / "7/smaps_rollup").write_text("00400000-7ffd ---p 00000000 00:00 0 [rollup]\nRss: 400 kB\nPss: 90 kB\n")
    assert memory_sampler._weight([7], 0) == 90 << 10
    read = Path.read_bytes

    def forbidden(path: Path) -> bytes:
        if path.name == "smaps_rollup":
            raise PermissionError
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert memory_sampler._weight([7], 0) == 100 * os.sysconf("SC_PAGE_SIZE")
