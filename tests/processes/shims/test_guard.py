"""Looking after shims: a stopped shim is woken to report, and killed if it cannot be woken."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchd.core.inputs import Adopted, Exited, Input, Spawned
from orchd.core.state.agents import Agent
from orchd.instance.home import Home
from orchd.processes.attendance import FIRST
from orchd.processes.linux.procfs import children_of, read_process
from orchd.processes.local import LocalProcesses
from tests.conftest import until
from tests.e2e.cgroup_modes import can_make_cgroups
from tests.e2e.yard import Yard
from tests.support.attempts import ENV, agent
from tests.support.machine import stop


class Post:
    """An attempt, and a clock that the test turns."""

    def __init__(self, home: Home) -> None:
        home.create()
        self.home = home
        self.ahead = 0.0
        self.processes = self.daemon()

    def daemon(self) -> LocalProcesses:
        """The processes of a daemon."""
        return LocalProcesses(self.home, lambda _: ENV, None, lambda: time.monotonic() + self.ahead, time.time)

    def start(self, *command: str) -> Agent:
        """A released attempt."""
        new_agent = agent(*command)
        spawned = self.processes.start(new_agent)
        assert isinstance(spawned, Spawned)
        new_agent.pid = spawned.pid
        self.processes.release(new_agent.id, 1)
        return new_agent

    def shim(self, agent: Agent) -> int:
        """The pid of its shim."""
        assert agent.pid is not None
        return agent.pid

    def child(self, agent: Agent) -> int:
        """The pid of the agent's own process, once it runs its program: until then its shell may swallow a signal."""
        (pid,) = until(lambda: children_of(self.shim(agent)))
        until(lambda: os.readlink(f"/proc/{pid}/exe") != os.readlink(f"/proc/{self.shim(agent)}/exe"))
        return int(pid)

    def later(self, seconds: float) -> list[Input]:
        """The news after some time."""
        self.ahead += seconds
        return self.processes.news()

    def ended(self, seconds: float) -> Exited:
        """The end of the attempt, after some time and as soon as it is known."""
        (ended,) = self.later(seconds) or until(self.processes.news)
        assert isinstance(ended, Exited)
        return ended

    def close(self) -> None:
        """End what is left."""
        for pid, key in self.processes.shims().items():
            self.processes.stop(*key, kill=True)
            until(lambda: self.processes.news() or not self.processes.shims())
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


@pytest.fixture
def post(home_directory: Path) -> Iterator[Post]:
    """A guarded attempt."""
    new_post = Post(Home(home_directory))
    yield new_post
    new_post.close()


def test_guard_has_no_deadline_while_an_agent_just_runs(post: Post) -> None:
    agent = post.start("sleep", "600")
    post.child(agent)
    assert post.processes.next_deadline() is not None
    assert post.later(FIRST) == []
    assert post.processes.next_deadline() is None


def test_an_agent_that_ended_under_a_stopped_shim_is_reported(post: Post) -> None:
    agent = post.start("sleep", "600")
    child = post.child(agent)
    post.later(FIRST)
    stop(post.shim(agent))
    os.kill(child, signal.SIGKILL)
    until(lambda: post.processes.news() == [] and post.processes.next_deadline())
    assert post.ended(1.0).outcome.code == 137


def test_an_agent_that_ended_before_the_first_check_is_reported_too(post: Post) -> None:
    agent = post.start("sh", "-c", "kill -STOP $PPID; exit 3")
    until(lambda: (info := read_process(post.shim(agent))) is not None and info.is_stopped)

    def news() -> list[Input]:
        return post.later(0.1)

    (ended,) = post.later(FIRST) or until(news)
    assert isinstance(ended, Exited)
    assert ended.outcome.code == 3


def test_a_shim_stopped_before_its_start_is_continued_and_starts(post: Post, home_directory: Path) -> None:
    new_agent = agent("sh", "-c", f"echo > {home_directory}/ran; exec sleep 600")
    spawned = post.processes.start(new_agent)
    assert isinstance(spawned, Spawned)
    new_agent.pid = spawned.pid
    stop(spawned.pid)
    post.processes.release(new_agent.id, 1)
    post.later(FIRST)
    until((home_directory / "ran").exists)
    post.later(FIRST)
    assert post.processes.next_deadline() is None


@pytest.mark.skipif(not can_make_cgroups(), reason="no cgroup v2 to be had")
def test_a_shim_frozen_in_a_foreign_cgroup_before_its_start_is_killed(
    yard: Yard, post: Post, home_directory: Path
) -> None:
    new_agent = agent("sh", "-c", f"echo > {home_directory}/ran; exec sleep 600")
    spawned = post.processes.start(new_agent)
    assert isinstance(spawned, Spawned)
    new_agent.pid = spawned.pid
    place = yard.put(spawned.pid, freeze=True)
    assert place is not None
    until(lambda: "frozen 1" in (place / "cgroup.events").read_text())
    post.processes.release(new_agent.id, 1)
    reports = next((news for _ in range(5) if (news := post.later(FIRST))), None) or until(post.processes.news)
    (ended,) = reports
    assert isinstance(ended, Exited)
    assert (ended.outcome.code, ended.is_tree_gone) == (None, True)
    assert ended.note == "its supervising shell was kept from running, so its exit code is unknown"
    assert not (home_directory / "ran").exists()
    assert post.processes.next_deadline() is None


def test_a_shim_frozen_by_orchd_before_its_start_is_left_alone(post: Post, home_directory: Path) -> None:
    new_agent = agent("sh", "-c", f"echo > {home_directory}/ran; exec sleep 600")
    spawned = post.processes.start(new_agent)
    assert isinstance(spawned, Spawned)
    new_agent.pid = spawned.pid
    post.processes.freeze(new_agent.id, 1)
    post.processes.release(new_agent.id, 1)
    for _ in range(6):
        assert post.later(FIRST) == []
    post.processes.thaw(new_agent.id, 1)
    until((home_directory / "ran").exists)


def test_an_adopted_agent_is_watched_too(post: Post) -> None:
    agent = post.start("sleep", "600")
    child = post.child(agent)
    first, post.processes = post.processes, post.daemon()
    assert post.processes.adopt(agent) == Adopted(agent.id, 1)
    post.later(FIRST)
    stop(post.shim(agent))
    os.kill(child, signal.SIGTERM)
    until(lambda: post.processes.news() == [] and post.processes.next_deadline())
    assert post.ended(1.0).outcome.code == 143
    assert until(first.news)


def test_a_shim_that_cannot_be_woken_is_killed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = post.start("sleep", "600")
    child = post.child(agent)
    post.later(FIRST)
    handle = post.processes._handles[agent.id, 1]
    stop(post.shim(agent))
    monkeypatch.setattr(type(handle.tree), "wake_shim", lambda _: None)
    os.kill(child, signal.SIGKILL)
    until(lambda: post.processes.news() == [] and post.processes.next_deadline())
    for _ in range(2):
        assert post.later(1.0) == []
        assert not handle.is_shim_killed
    (ended,) = post.later(1.0) or until(post.processes.news)
    assert isinstance(ended, Exited)
    assert ended.outcome.code is None
    assert ended.note == "its supervising shell was kept from running, so its exit code is unknown"


def test_a_shim_that_waits_for_its_agent_is_not_killed(post: Post) -> None:
    agent = post.start("sleep", "600")
    post.child(agent)
    post.processes._guard.end((agent.id, 1))
    for _ in range(6):
        assert post.later(1.0) == []
    assert post.processes.next_deadline() is None
    assert read_process(post.shim(agent)) is not None


def test_processes_that_survive_a_kill_are_killed_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = post.start("sleep", "600")
    post.child(agent)
    tree = type(post.processes._handles[agent.id, 1].tree)
    with monkeypatch.context() as patch:
        patch.setattr(tree, "kill", lambda _: None)
        post.processes.stop(agent.id, 1, kill=True)
    assert post.processes.news() == []
    assert post.ended(1.0).outcome.code == 137
