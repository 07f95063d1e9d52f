"""An attempt's process tree: everything that came of it, wherever it hid, and how to end it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchd.processes.linux import process_tree
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.procfs import below_now, children_of
from tests.conftest import until

HOME = "/no/such/home/of/trees"
STUBBORN = "trap '' TERM; sleep 600 & setsid sh -c \"trap '' TERM; sleep 600; true\" & wait"


def killed(tree: ProcessTree) -> set[int]:
    """The processes left after a kill; a shell may have begun its next command in that very moment."""
    tree.kill()
    return set(tree.members())


@pytest.fixture
def grow() -> Iterator[Callable[[str], ProcessTree]]:
    """Starts a shell as an attempt's, with the marks and in a session of its own."""
    grown: list[tuple[subprocess.Popen[bytes], ProcessTree]] = []
    mark = f"{HOME}/{os.getpid()}"

    def start(script: str) -> ProcessTree:
        env = {"PATH": os.environ["PATH"], "ORCHD_HOME": mark, "ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "1"}
        shim = subprocess.Popen(
            ["sh", "-c", f"sh -c '{script}'; true".replace("'trap ''", '\'trap ""')], env=env, start_new_session=True
        )
        tree = ProcessTree("agent-001", 1, mark, shim.pid, None)
        grown.append((shim, tree))
        return tree

    yield start
    for shim, tree in grown:
        shim.kill()
        shim.wait()
        until(lambda: not killed(tree), what=str(tree.members()))  # noqa: B023


def test_processes_of_the_session_and_descendants_are_members(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow("sleep 600 & env -i sleep 600 & wait")
    until(lambda: len(tree.members()) == 4)
    assert tree.shim in tree.members()
    assert not tree.is_gone([])


def test_processes_that_left_the_session_are_identified_by_their_markers(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow("setsid sleep 600 & setsid sleep 600 & sleep 600")
    until(lambda: len(tree.members()) == 5)


def test_tree_excludes_processes_of_another_attempt_agent_or_home(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow("setsid sleep 600")
    until(lambda: len(tree.members()) >= 3)
    for other in (
        ProcessTree("agent-001", 2, tree.home, 0, None),
        ProcessTree("agent-002", 1, tree.home, 0, None),
        ProcessTree("agent-001", 1, "/elsewhere", 0, None),
    ):
        assert other.members() == {}


def test_terminate_spares_the_shim_and_continues_stopped_processes(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow("setsid sleep 600 & kill -STOP $!; sleep 600")
    until(lambda: len(tree.members()) >= 4)
    tree.terminate()
    until(lambda: set(tree.members()) <= {tree.shim})


def test_ask_signals_and_continues_only_the_runner_and_not_its_children(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow('trap "exit 0" TERM; sleep 600 & kill -STOP $$; wait')
    until(lambda: any(process.is_stopped for process in tree.members().values()))
    assert tree.ask()
    until(lambda: len(tree.members()) == 1)  # what was below goes on without it
    assert [Path(f"/proc/{pid}/comm").read_text() for pid in tree.members()] == ["sleep\n"]
    assert not tree.ask()


def test_kill_ends_all_processes_that_ignore_sigterm(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow('trap "" TERM; setsid sleep 600 & sleep 600; sleep 600')
    until(lambda: len(tree.members()) >= 4)
    tree.terminate()
    assert until(lambda: len(tree.members()) >= 2)
    until(lambda: killed(tree) <= {tree.shim})


def test_a_tree_without_processes_is_gone(grow: Callable[[str], ProcessTree]) -> None:
    tree = grow("exit 0")
    until(lambda: not tree.members())
    assert tree.is_gone([])


@pytest.mark.parametrize("readings", [[[7], []], [[7, 8], [7]], [None]])
def test_a_tree_missed_by_a_read_of_own_children_is_not_gone(
    grow: Callable[[str], ProcessTree], monkeypatch: pytest.MonkeyPatch, readings: list[list[int] | None]
) -> None:
    """Another child ended while they were read, or nobody tells us of children at all."""
    tree = grow("setsid sleep 600")
    until(lambda: len(tree.members()) >= 3)
    remaining = iter(readings)
    monkeypatch.setattr(process_tree, "own_children", lambda: next(remaining, []))
    assert not tree.is_gone([7, 8])


def test_an_adopted_tree_is_not_gone_if_reading_children_missed_an_orphan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parent of a process may end after the children of the process that gets it were read."""
    marks = {"ORCHD_HOME": HOME, "ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "1"}
    with subprocess.Popen(["/bin/sleep", "600"], env=marks) as orphan:
        tree = ProcessTree("agent-001", 1, HOME, 0, None, is_ours=False, is_shim_gone=True, _reaper=os.getpid())
        until(lambda: set(tree.members()) == {orphan.pid})
        missed = iter([list[int]()])
        monkeypatch.setattr(process_tree, "children_of", lambda pid: _reading(missed, pid))
        is_gone = tree.is_gone([])
        orphan.kill()
    assert not is_gone


def _reading(missed: Iterator[list[int]], pid: int) -> list[int] | None:
    return next(missed, children_of(pid)) if pid == os.getpid() else children_of(pid)


def test_tree_check_reads_no_other_process_if_no_process_is_orphaned(monkeypatch: pytest.MonkeyPatch) -> None:
    remaining = iter([[7, 8], [7, 8]])
    monkeypatch.setattr(process_tree, "own_children", lambda: next(remaining))
    monkeypatch.setattr(process_tree, "all_processes", lambda: pytest.fail("it was looked at"))
    assert ProcessTree("agent-001", 1, HOME, 0, None).is_gone([7, 8, 9])


def test_members_of_a_tree_in_a_cgroup_are_read_from_the_kernel(tmp_path: Path) -> None:
    cgroups = Cgroups.where_allowed(f"trees-{os.getpid()}")
    if cgroups is None:
        pytest.skip("no cgroup2 directory can be made here")
    cgroup = cgroups.take()
    with subprocess.Popen(["sleep", "600"], env={}, start_new_session=True) as process:
        os.write(cgroup.door(), b"%d" % process.pid)
        tree = ProcessTree("agent-001", 1, HOME, 0, cgroup)
        assert set(tree.members()) == {process.pid}
        assert not tree.is_gone([])
        tree.kill()
        process.wait()
    until(lambda: tree.is_gone([]))
    cgroups.give_back(cgroup)
    cgroups.close()
    assert not cgroup.path.exists()


def test_a_process_that_reuses_the_pid_of_an_ended_shim_is_not_signalled() -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        tree = ProcessTree("agent-001", 1, HOME, stranger.pid, None, is_shim_gone=True)
        assert tree.members() == {}
        tree.terminate()
        tree.kill()
        assert stranger.poll() is None
        stranger.kill()


def test_children_of_a_daemon_started_by_an_agent_are_not_members(grow: Callable[[str], ProcessTree]) -> None:
    """An agent's client brought the daemon back, and something in between adopts orphans."""
    tree = grow("sleep 600")
    with subprocess.Popen(["sleep", "600"]) as other:
        above = ProcessTree(tree.agent, 1, tree.home, os.getppid(), None)
        assert other.pid not in above.members()
        assert other.pid not in below_now([os.getppid()])
        other.kill()


def test_a_process_outside_the_cgroup_is_a_member_and_named_as_escaped(
    grow: Callable[[str], ProcessTree], cgroups: Cgroups
) -> None:
    tree = grow("setsid sleep 600 & exec sleep 600")
    until(lambda: len(tree.members()) == 3)
    cgroup = cgroups.take()
    os.write(cgroup.door(), b"%d" % tree.shim)
    tree.cgroup = cgroup
    assert len(tree.members()) == 3
    until(lambda: all(name.startswith("sleep (pid ") for name in escaped_of(tree)))
    assert len(escaped_of(tree)) == 2
    assert not tree.is_gone([])
    until(lambda: not killed(tree) - {tree.shim})
    os.kill(tree.shim, 9)
    os.waitpid(tree.shim, 0)
    until(lambda: tree.is_gone([]))
    cgroups.give_back(cgroup)


def escaped_of(tree: ProcessTree) -> tuple[str, ...]:
    """The processes outside the cgroup, by a new look."""
    tree._escaped.clear()
    tree.members()
    return tree.escaped()


def test_a_shim_moved_out_of_its_cgroup_is_moved_back_and_thawed(
    grow: Callable[[str], ProcessTree], cgroups: Cgroups
) -> None:
    tree = grow("exec sleep 600")
    tree.cgroup = cgroups.take()
    assert not tree.cgroup.holds(tree.shim)
    tree.cgroup.freeze()
    tree.wake_shim()
    assert tree.cgroup.holds(tree.shim)
    assert b"frozen 0" in (tree.cgroup.path / "cgroup.events").read_bytes()
    until(lambda: not killed(tree) - {tree.shim})
    os.kill(tree.shim, 9)
    os.waitpid(tree.shim, 0)
    until(tree.cgroup.is_empty)
    cgroups.give_back(tree.cgroup)
