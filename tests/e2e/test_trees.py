"""Whole process trees end, by cgroup and without: whatever hides, ignores, stops or multiplies."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.e2e.fleet import STUBBORN, Fleet, is_alive, pids_in

# Forks again and again, each process living for a moment only: whoever reads a list of pids reads of the dead.
HOPPING = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
seen = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
while True:
    if os.fork():
        os._exit(0)
    os.pwrite(seen, b"%d\\n" % os.getpid(), 0)
"""


@pytest.fixture(params=[BY_CGROUP, "off"], ids=["by-cgroup", "by-looking"])
def forest(resting: Fleet, request: pytest.FixtureRequest) -> Fleet:
    """A fleet whose trees are held by cgroups, and one whose trees are not."""
    resting.instance.configure(f'cgroups = "{request.param}"\ngrace = 0.2\n')
    resting.instance.start()
    return resting


@pytest.fixture
def pids_path(forest: Fleet) -> Path:
    """Where hidden processes write their pids."""
    return forest.directory / "pids"


def hidden(pids_path: Path) -> str:
    """The shell's words for a process that double-forks, leaves the session and ignores TERM; back when it is there."""
    inner = f"echo $$ >> {pids_path}; {STUBBORN.replace(chr(39), chr(34))}"
    return f"(setsid sh -c '{inner}' &) ; until [ -s {pids_path} ]; do :; done"


def gone(pids: list[int]) -> bool:
    """Whether no process of them lives."""
    return not any(map(is_alive, pids))


def test_agents_run_in_the_cgroup_mode_under_test(forest: Fleet, request: pytest.FixtureRequest) -> None:
    gate = forest.gate()
    agent_id = forest.spawn(gate.script)
    cgroups = Path(f"/proc/{forest.agent(agent_id)['pid']}/cgroup")
    is_in_one = "by-cgroup" in request.node.name
    assert until(lambda: (f"/orchd-{forest.instance.home.tag}/" in cgroups.read_text()) == is_in_one)
    gate.let()
    forest.ends()


@pytest.mark.parametrize("crash", [False, True], ids=["", "after-a-crash"])
@pytest.mark.parametrize("end", ["end", "failure", "cancel", "timeout", "silence"])
def test_a_hidden_process_ends_with_its_agent(forest: Fleet, pids_path: Path, end: str, *, crash: bool) -> None:
    gate = forest.gate()
    code = 5 if end == "failure" else 0
    limits = {"timeout": {"timeout": 1.0}, "silence": {"silence": 1.0}}.get(end, {})
    agent_id = forest.spawn(f"{hidden(pids_path)}; {gate.script}; exit {code}", **limits)
    until(lambda: pids_in(pids_path))
    if crash:
        forest.daemon_dies()
    if end == "cancel":
        forest.client.call("cancel", {"ids": [agent_id]})
    elif not limits:
        gate.let()
    (agent,) = forest.ends(agent_id)
    assert gone(pids_in(pids_path))
    expected = {"end": "completed", "failure": "failed", "cancel": "cancelled"}.get(end, "timed-out")
    assert (agent["status"], agent["exit_code"]) == (expected, 143 if limits or end == "cancel" else code)


def test_two_hundred_processes_that_ignore_sigterm_end_with_their_agent(forest: Fleet, pids_path: Path) -> None:
    crowd = f"i=0; while [ $i -lt 200 ]; do (trap '' TERM; sleep 1000 & echo $! >> {pids_path}); i=$((i+1)); done"
    agent_id = forest.spawn(crowd)
    (agent,) = forest.ends(agent_id)
    assert agent["status"] == "completed"
    assert len(pids_in(pids_path)) == 200
    assert gone(pids_in(pids_path))


@pytest.mark.parametrize("end", ["end", "cancel"])
def test_a_fork_loop_ends_with_its_agent(forest: Fleet, pids_path: Path, end: str) -> None:
    gate = forest.gate()
    loop = f"while :; do (setsid sh -c 'trap \"\" TERM; echo $$ >> {pids_path}; sleep 1000' &); done"
    agent_id = forest.spawn(f"(trap '' TERM; {loop}) & {gate.script}")
    until(lambda: len(pids_in(pids_path)) > 20)
    if end == "cancel":
        forest.client.call("cancel", {"ids": [agent_id]})
    else:
        gate.let()
    forest.ends(agent_id)
    assert gone(pids_in(pids_path))


def test_a_process_that_forks_continuously_ends_with_its_agent(forest: Fleet, pids_path: Path) -> None:
    program = forest.directory / "hops.py"
    program.write_text(HOPPING)
    agent_id = forest.spawn(f"({sys.executable} -S {program} {pids_path} &); until [ -s {pids_path} ]; do :; done")
    assert forest.ends(agent_id)[0]["status"] == "completed"
    hops = len(pids_in(pids_path))
    assert gone(pids_in(pids_path)[-1:])
    assert len(pids_in(pids_path)) == hops < 50_000


@pytest.mark.parametrize("end", ["end", "cancel"])
def test_a_stopped_child_ends_with_its_agent(forest: Fleet, pids_path: Path, end: str) -> None:
    gate = forest.gate()
    agent_id = forest.spawn(f"sleep 1000 & kill -STOP $!; echo $! > {pids_path}; {gate.script}")
    until(lambda: pids_in(pids_path))
    if end == "cancel":
        forest.client.call("cancel", {"ids": [agent_id]})
    else:
        gate.let()
    forest.ends(agent_id)
    assert gone(pids_in(pids_path))


def test_a_stopped_agent_can_be_cancelled(forest: Fleet, pids_path: Path) -> None:
    agent_id = forest.spawn(f"echo $$ > {pids_path}; kill -STOP $$; sleep 1000", grace=60)
    (pid,) = until(lambda: pids_in(pids_path))
    until(lambda: f"{pid} (sh) T" in Path(f"/proc/{pid}/stat").read_text())
    forest.client.call("cancel", {"ids": [agent_id]})
    (agent,) = forest.ends(agent_id)
    # it was woken to hear TERM, and did not have to be killed
    assert (agent["status"], agent["exit_code"]) == ("cancelled", 143)
    assert gone([pid])


def test_an_agent_may_clean_up_after_sigterm(forest: Fleet) -> None:
    gate = forest.gate()
    cleaning = forest.gate()
    clean = f"echo cleaning; {cleaning.script}; echo cleaned; exit 7"
    agent_id = forest.spawn(f"trap '{clean}' TERM; echo there; {gate.script}", grace=60)
    log = Path(forest.reaches(agent_id, "running")["log"])
    until(lambda: log.read_text() == "there\n")
    forest.client.call("cancel", {"ids": [agent_id]})
    until(lambda: log.read_text() == "there\ncleaning\n")
    assert forest.agent(agent_id)["status"] == "stopping"
    cleaning.let()
    (agent,) = forest.ends(agent_id)
    assert (agent["status"], agent["exit_code"]) == ("cancelled", 7)
    assert log.read_text() == "there\ncleaning\ncleaned\n"


@pytest.mark.parametrize("crash", [False, True], ids=["", "after-a-crash"])
def test_an_agent_that_ignores_sigterm_is_killed_after_its_grace_period(
    forest: Fleet, pids_path: Path, *, crash: bool
) -> None:
    agent_id = forest.spawn(f"echo $$ > {pids_path}; {STUBBORN}", grace=0.7)
    (pid,) = until(lambda: pids_in(pids_path))
    forest.client.call("cancel", {"ids": [agent_id]})
    assert forest.agent(agent_id)["status"] == "stopping"
    assert is_alive(pid)
    if crash:
        forest.daemon_dies()
    (agent,) = forest.ends(agent_id)
    assert (agent["status"], agent["exit_code"], agent["signal"]) == ("cancelled", 137, signal.SIGKILL)
    assert gone([pid])
    events = forest.client.call("events")["events"]
    at = {event["event"]: event["at"] for event in events if event["agent"] == agent_id}
    assert at["stop-began"] < at["kill-began"] <= at["agent-cancelled"]


def test_a_slot_is_free_only_after_the_process_tree_has_ended(forest: Fleet, pids_path: Path) -> None:
    forest.client.call("limit", {"limit": 1})
    first = forest.spawn(hidden(pids_path), grace=0.5)
    # the successor looks whether what its predecessor hid is still there
    second = forest.spawn(f"kill -0 $(cat {pids_path}) && exit 1; exit 0")
    until(lambda: pids_in(pids_path))
    stopping = forest.reaches(first, "stopping")
    assert stopping["exit_code"] == 0
    assert forest.agent(second)["status"] == "queued"
    assert [agent["status"] for agent in forest.ends(first, second)] == ["completed", "completed"]


def test_an_agent_that_ended_while_no_daemon_ran_leaves_no_process(forest: Fleet, pids_path: Path) -> None:
    gate = forest.gate()
    agent_id = forest.spawn(f"{hidden(pids_path)}; {gate.script}; exit 6")
    until(lambda: pids_in(pids_path))
    shim = forest.agent(agent_id)["pid"]
    forest.instance.kill()
    gate.let()
    until(lambda: not is_alive(shim))
    assert is_alive(pids_in(pids_path)[0])
    forest.instance.start()
    (agent,) = forest.ends(agent_id)
    assert (agent["status"], agent["exit_code"]) == ("failed", 6)
    assert gone(pids_in(pids_path))


def test_output_resets_the_silence_timeout(forest: Fleet) -> None:
    gate = forest.gate()
    agent_id = forest.spawn(f"echo a; {gate.script}; echo b; {gate.script}", silence=1.0)
    other = forest.spawn("while :; do echo again; sleep 0.3; done", silence=1.0, timeout=2.5)
    assert forest.ends(agent_id)[0]["reason"] == "no output for 1 s"
    ended = forest.ends(other)[0]
    assert (ended["status"], ended["reason"]) == ("timed-out", "timed out after 2.5 s")
