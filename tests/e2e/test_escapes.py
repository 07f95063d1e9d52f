"""A process that leaves the cgroup of its agent is still the agent's: it is bounded, shown, and ended with it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from tests.conftest import until
from tests.e2e.cgroup_modes import can_make_cgroups
from tests.e2e.fleet import Fleet, is_alive, pids_in

pytestmark = pytest.mark.skipif(not can_make_cgroups(), reason="no cgroup v2 to be had")
OUTSIDE = f"{own_cgroup()}/cgroup.procs"
HEAVY = "held = bytearray(b'x') * (200 << 20); import signal; signal.pause()"


@pytest.fixture
def forest(resting: Fleet) -> Fleet:
    """A fleet whose trees are held by cgroups."""
    resting.instance.configure("grace = 0.3\nlimit = 1\n")
    resting.instance.start()
    return resting


@pytest.fixture
def pids_path(forest: Fleet) -> Path:
    """Where escaped processes write their pids."""
    return forest.directory / "pids"


def leaves(pids_path: Path, then: str = "sleep 600") -> str:
    """The shell's words for a process that leaves the cgroup and says so."""
    return f"echo 0 > {OUTSIDE}; echo $$ >> {pids_path}; {then}"


def in_background(words: str, how: str) -> str:
    """The shell's words for these in another process: a child, or an orphan in a session of its own."""
    return f"sh -c '{words}' &" if how == "child" else f"(setsid sh -c '{words}' &);"


def is_outside(pid: int) -> bool:
    """Whether a process is where the test is."""
    return own_cgroup(pid) == own_cgroup()


@pytest.mark.parametrize("crash", [False, True], ids=["", "after-a-crash"])
@pytest.mark.parametrize("how", ["child", "orphan"])
@pytest.mark.parametrize("end", ["end", "failure", "cancel", "timeout"])
def test_a_process_that_left_the_cgroup_ends_with_its_agent(
    forest: Fleet, pids_path: Path, how: str, end: str, *, crash: bool
) -> None:
    gate = forest.gate()
    stubborn = 'trap "" TERM; while :; do sleep 600; done'
    script = f"{in_background(leaves(pids_path, stubborn), how)} {gate.script}; exit {5 if end == 'failure' else 0}"
    agent_id = forest.spawn(script, **({"timeout": 2.0} if end == "timeout" else {}))
    (pid,) = until(lambda: pids_in(pids_path))
    assert is_outside(pid)
    if crash:
        forest.daemon_dies()
    if end == "cancel":
        forest.client.call("cancel", {"ids": [agent_id]})
    elif end != "timeout":
        gate.let()
    looks = f'case "$(cat /proc/{pid}/stat)" in ""|*") Z "*) exit 0;; esac; exit 1'
    (next_one,) = forest.batch([{"command": ["sh", "-c", looks]}])
    (agent,) = forest.ends(agent_id)
    expected = {"end": "completed", "failure": "failed", "cancel": "cancelled", "timeout": "timed-out"}[end]
    assert agent["status"] == expected
    assert not is_alive(pid)
    assert forest.ends(next_one)[0]["status"] == "completed"
    assert f"sh (pid {pid})" in agent["escaped"]
    (processes,) = re.findall(r"left its cgroup, ended with the agent: (.*)", forest.instance.ctl("why", agent_id))
    assert f"sh (pid {pid})" in processes.split(", ")


def test_an_agent_that_left_its_cgroup_is_ended_by_its_timeout(forest: Fleet, pids_path: Path) -> None:
    agent_id = forest.spawn(leaves(pids_path, "exec sleep 61"), timeout=1.0)
    (pid,) = until(lambda: pids_in(pids_path))
    (agent,) = forest.ends(agent_id)
    assert (agent["status"], agent["exit_code"]) == ("timed-out", 143)
    assert not is_alive(pid)


def test_why_shows_a_running_process_that_left_the_cgroup(forest: Fleet, pids_path: Path) -> None:
    agent_id = forest.spawn(leaves(pids_path, "exec sleep 600"))
    (pid,) = until(lambda: pids_in(pids_path))
    until(lambda: "sleep" in Path(f"/proc/{pid}/comm").read_text())
    assert f"left its cgroup, still tracked: sleep (pid {pid})" in forest.instance.ctl("why", agent_id)
    forest.client.call("cancel", {"ids": [agent_id]})
    forest.ends(agent_id)


def test_why_shows_no_process_that_stayed_in_the_cgroup(forest: Fleet) -> None:
    gate = forest.gate()
    agent_id = forest.spawn(f"sleep 600 & (setsid sleep 600 &); {gate.script}")
    forest.started(agent_id)
    assert "cgroup" not in forest.instance.ctl("why", agent_id)
    gate.let()
    (agent,) = forest.ends(agent_id)
    assert agent["escaped"] == []


def test_the_memory_limit_applies_to_a_process_that_left_the_cgroup(forest: Fleet, pids_path: Path) -> None:
    heavy = f'{sys.executable} -S -c "{HEAVY}"'
    agent_id = forest.spawn(leaves(pids_path, f"exec {heavy}"), memory_max=64 << 20)
    (agent,) = forest.ends(agent_id)
    assert agent["status"] == "failed"
    assert "memory" in agent["reason"]
    assert agent["memory_peak"] > 64 << 20
    assert not any(map(is_alive, pids_in(pids_path)))


def test_an_orphan_outside_the_cgroup_ends_and_later_agents_complete(forest: Fleet, pids_path: Path) -> None:
    orphan = in_background(leaves(pids_path), "orphan")
    script = f"{orphan} until [ -s {pids_path} ]; do :; done"
    ids = forest.batch([forest.spec(script), *[forest.spec("true")] * 3])
    ended = forest.ends(*ids)
    assert [agent["status"] for agent in ended] == ["completed"] * 4
    assert not any(map(is_alive, pids_in(pids_path)))
