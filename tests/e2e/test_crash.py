"""`kill -9` of the daemon at every point, of a shim, of a client: nothing runs twice, nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import DEADLINE, until
from tests.e2e.crashing import STOP, TURN
from tests.e2e.fleet import STUBBORN, Fleet, is_alive, pids_in
from tests.witness import Witness

WRAPPER = Path(__file__).with_name("crashing.py")
BRIEF = "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); done"


def start_crashing(fleet: Fleet, point: str, armed: Path) -> None:
    """Start the daemon that dies at `point` once `armed` exists."""
    fleet.instance.env.update(ORCHD_TEST_POINT=point, ORCHD_TEST_ARMED=str(armed))
    fleet.instance.start(sys.executable, str(WRAPPER))


def has_died(fleet: Fleet) -> None:
    """Return when the daemon that was started has been killed."""
    assert fleet.instance.daemon.wait(DEADLINE) == -signal.SIGKILL


@pytest.mark.parametrize("point", TURN)
@pytest.mark.parametrize("action", ["spawn", "succeed", "return"])
def test_a_daemon_that_dies_in_a_turn_loses_nothing_and_repeats_nothing(
    resting: Fleet, tmp_path: Path, point: str, action: str
) -> None:
    fleet, armed = resting, tmp_path / "armed"
    fleet.instance.configure("limit = 2\n")
    start_crashing(fleet, point, armed)
    inner, outer = fleet.gate(), fleet.gate()
    inside = tmp_path / "inside"
    spawns = f"orchctl spawn -- sh -c '{fleet.book.script}; {inner.script}; exit 0' >/dev/null"
    parent = fleet.spawn(f"{spawns}; orchctl wait --children >/dev/null 2>&1; echo $? > {inside}", nesting=1)
    fleet.reaches(parent, "waiting")
    child = "agent-002"
    busy = [] if action == "spawn" else [fleet.spawn(f"{outer.script}; exit 9")]
    queue = [] if action == "spawn" else fleet.batch([fleet.spec(f"exit {code}") for code in (10, 11, 12)])
    fleet.started(child, *busy)
    outside = [fleet.waiting(agent_id) for agent_id in (child, *busy)]
    with closing(Witness(fleet.instance.directory, limit=2, resident=8)) as witness:
        armed.touch()
        if action == "spawn":  # the reply never comes, the client asks again, with the same id, whoever serves then
            queue = fleet.batch([fleet.spec(f"exit {code}") for code in (10, 11, 12)])
        else:
            (outer if action == "succeed" else inner).let()
        has_died(fleet)
        inner.let()
        outer.let()
        agents = fleet.all_end()
        assert [command.wait(DEADLINE) for command in outside] == [0, 1][: len(outside)]
    ids = [parent, child, *busy, *queue]
    assert [agent["id"] for agent in agents] == ids
    assert [agent["exit_code"] for agent in agents] == [0, 0, *([9] if busy else []), 10, 11, 12]
    assert sorted(fleet.book.agents()) == ids
    assert fleet.admitted()[-len(queue) :] == queue
    assert inside.read_text() == "0\n"
    assert witness.violations == []
    reply = fleet.client.call("limit")
    assert (reply["working"], reply["living"]) == (0, 0)


@pytest.mark.parametrize("point", STOP)
@pytest.mark.parametrize("cgroups", ["auto", "off"])
def test_an_agent_is_stopped_although_the_daemon_is_killed_meanwhile(
    resting: Fleet, tmp_path: Path, point: str, cgroups: str
) -> None:
    fleet, armed, pids = resting, tmp_path / "armed", tmp_path / "pids"
    fleet.instance.configure(f'cgroups = "{cgroups}"\ngrace = 0.3\nlimit = 1\n')
    start_crashing(fleet, point, armed)
    first_id = fleet.spawn(f"(setsid sh -c 'echo $$ >> {pids}; {STUBBORN.replace(chr(39), chr(34))}' &); {STUBBORN}")
    second_id = fleet.spawn("exit 3")
    until(lambda: pids_in(pids))
    armed.touch()
    cancelled = fleet.client.call("cancel", {"ids": [first_id]})["agents"]
    has_died(fleet)
    assert [agent["id"] for agent in cancelled] == [first_id]
    first, second = fleet.ends(first_id, second_id)
    assert (first["status"], first["exit_code"], second["exit_code"]) == ("cancelled", 137, 3)
    assert not any(map(is_alive, pids_in(pids)))
    assert fleet.book.agents() == [first_id, second_id]


def test_a_spawned_agent_survives_a_daemon_crash_and_runs_once(fleet: Fleet) -> None:
    gate = fleet.gate()
    spawned = fleet.command("spawn", "--", "sh", "-c", f"{fleet.book.script}; {gate.script}")
    ids = spawned.communicate(timeout=DEADLINE)[0].split()
    fleet.daemon_dies()
    assert [agent["id"] for agent in fleet.show()] == ids
    gate.let()
    fleet.ends()
    assert fleet.book.agents() == ids


def live_through_deaths(fleet: Fleet, deaths: int, agents: int) -> None:
    """Run `agents` while the daemon is killed `deaths` times, each time a random number of starts after the last."""
    chance = random.Random(deaths)
    fleet.client.call("limit", {"limit": 4})
    codes = [chance.choice([0, 0, 0, 1, 7]) for _ in range(agents)]
    # brief ones are over before there is a daemon again, so some have to be there to be taken up
    works = ["sleep 1" if number % 20 == 3 else BRIEF for number in range(agents)]
    ids = fleet.batch([fleet.spec(f"{work}; exit {code}") for work, code in zip(works, codes, strict=True)])
    step = agents // (deaths + 2)
    with closing(Witness(fleet.instance.directory, limit=4, resident=28)) as witness:
        for number in range(deaths):
            if number % 8 == 0:  # a client gives up when daemons do nothing but die for half a minute
                outside = fleet.waiting(*ids)
            entries = len(fleet.book.entries()) + chance.randint(1, step)
            until(lambda entries=entries: len(fleet.book.entries()) >= entries, what="progress")
            fleet.daemon_dies()
        ended = fleet.ends(*ids)
        outside.communicate(timeout=DEADLINE)
        assert outside.returncode == 1
    assert [agent["exit_code"] for agent in ended] == codes
    assert sorted(fleet.book.agents()) == sorted(ids)
    assert fleet.admitted() == ids
    assert witness.violations == []


@pytest.mark.slow
def test_agents_survive_eight_daemon_crashes_under_load(fleet: Fleet) -> None:
    live_through_deaths(fleet, 8, 300)


@pytest.mark.stress
@pytest.mark.timeout(300)
def test_agents_survive_fifty_daemon_crashes_under_load(fleet: Fleet) -> None:
    live_through_deaths(fleet, 50, 2500)


@pytest.mark.parametrize("cgroups", ["auto", "off"])
def test_a_killed_shim_makes_its_agent_lost_and_frees_its_slot(resting: Fleet, tmp_path: Path, cgroups: str) -> None:
    resting.instance.configure(f'limit = 1\ngrace = 0.2\ncgroups = "{cgroups}"\n')
    resting.instance.start()
    pids = tmp_path / "pids"
    first_id = resting.spawn(f"echo $$ >> {pids}; {STUBBORN}")
    second_id = resting.spawn("exit 4")
    (pid,) = until(lambda: pids_in(pids))
    os.kill(resting.agent(first_id)["pid"], signal.SIGKILL)
    first, second = resting.ends(first_id, second_id)
    assert (first["status"], first["exit_code"], second["exit_code"]) == ("lost", None, 4)
    assert not is_alive(pid)


def test_a_shim_killed_while_no_daemon_runs_makes_its_agent_lost(fleet: Fleet, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    agent_id = fleet.spawn(f"echo $$ >> {pids}; sleep 1000", grace=0.2)
    (pid,) = until(lambda: pids_in(pids))
    shim = fleet.agent(agent_id)["pid"]
    fleet.instance.kill()
    os.kill(shim, signal.SIGKILL)
    until(lambda: not is_alive(shim))
    fleet.instance.start()
    (agent,) = fleet.ends(agent_id)
    assert (agent["status"], agent["exit_code"]) == ("lost", None)
    assert not is_alive(pid)


def test_an_agent_with_a_killed_waiting_client_resumes_in_a_free_slot(fleet: Fleet, tmp_path: Path) -> None:
    inner, outer, client = fleet.gate(), fleet.gate(), tmp_path / "client"
    fleet.client.call("limit", {"limit": 1})
    spawns = f"orchctl spawn -- sh -c '{inner.script}' >/dev/null"
    script = f"{spawns}; orchctl wait --children & echo $! > {client}; wait $!; {outer.script}"
    parent = fleet.spawn(script)
    fleet.reaches(parent, "waiting")
    fleet.reaches("agent-002", "running")
    os.kill(pids_in(client)[0], signal.SIGKILL)
    until(lambda: fleet.agent(parent)["frozen"] == "wait-cut")
    limit = fleet.client.call("limit")
    assert (limit["working"], limit["overdrawn"], limit["frozen"]) == (1, 0, 1)
    third = fleet.spawn("true")
    inner.let()
    fleet.ends("agent-002")
    assert fleet.reaches(parent, "running")["frozen"] is None
    assert fleet.agent(third)["status"] == "queued"
    outer.let()
    assert fleet.ends(parent, third)[1]["status"] == "completed"


def test_a_waiting_client_killed_without_a_daemon_sets_its_agent_running(fleet: Fleet, tmp_path: Path) -> None:
    inner, outer, client = fleet.gate(), fleet.gate(), tmp_path / "client"
    spawns = f"orchctl spawn -- sh -c '{inner.script}' >/dev/null"
    parent = fleet.spawn(f"{spawns}; orchctl wait --children & echo $! > {client}; wait $!; {outer.script}")
    fleet.reaches(parent, "waiting")
    (waiter,) = pids_in(client)
    os.kill(waiter, signal.SIGSTOP)  # or it would bring the daemon back
    fleet.instance.kill()
    os.kill(waiter, signal.SIGKILL)
    until(lambda: not is_alive(waiter))
    fleet.instance.start()
    assert fleet.agent(parent)["status"] == "running"
    inner.let()
    outer.let()
    assert {agent["status"] for agent in fleet.all_end()} == {"completed"}


def test_a_daemon_continues_after_sigstop_and_sigcont(fleet: Fleet) -> None:
    gate = fleet.gate()
    agent_id = fleet.spawn(f"{gate.script}; exit 8")
    fleet.started(agent_id)
    waiting, record = fleet.waiting(agent_id), fleet.instance.home.agents / f"{agent_id}.1.exit"
    fleet.instance.daemon.send_signal(signal.SIGSTOP)
    try:
        asking = fleet.command("spawn", "--", "sh", "-c", "exit 2")
        gate.let()
        until(lambda: f"\n{agent_id}.1 8\n" in record.read_text())
    finally:
        fleet.instance.daemon.send_signal(signal.SIGCONT)
    assert waiting.wait(DEADLINE) == 1
    assert asking.wait(DEADLINE) == 0
    assert [agent["exit_code"] for agent in fleet.all_end()] == [8, 2]


def test_sigterm_stops_the_daemon_and_leaves_its_agents_running(fleet: Fleet) -> None:
    gate = fleet.gate()
    agent_id = fleet.spawn(f"{gate.script}; exit 8")
    fleet.started(agent_id)
    fleet.instance.daemon.terminate()
    assert fleet.instance.daemon.wait(DEADLINE) == 0
    gate.let()
    assert fleet.ends(agent_id)[0]["exit_code"] == 8


def test_every_exit_code_is_reported(fleet: Fleet) -> None:
    ids = fleet.batch([{"command": ["sh", "-c", f"exit {code}"]} for code in range(256)])
    ended = fleet.ends(*ids)
    assert [agent["exit_code"] for agent in ended] == list(range(256))
    assert [agent["status"] for agent in ended] == ["completed", *["failed"] * 255]


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "HUP", "INT", "PIPE", "USR1"])
def test_an_agent_killed_by_a_signal_reports_the_signal(fleet: Fleet, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    agent_id = fleet.spawn(f"ulimit -c 0; kill -{name} $$; sleep 1000")
    (agent,) = fleet.ends(agent_id)
    assert (agent["status"], agent["exit_code"], agent["signal"]) == ("failed", 128 + number, number)


def test_the_exit_code_of_an_agent_that_ended_without_a_daemon_is_kept(fleet: Fleet) -> None:
    gate = fleet.gate()
    ids = fleet.batch([fleet.spec(f"{gate.script}; exit {code}") for code in (0, 21, 22)])
    fleet.started(*ids)
    shims = [agent["pid"] for agent in fleet.show(*ids)]
    fleet.instance.kill()
    gate.let(3)
    until(lambda: not any(map(is_alive, shims)))
    fleet.instance.start()
    assert [agent["exit_code"] for agent in fleet.ends(*ids)] == [0, 21, 22]
    assert sorted(fleet.book.entries()) == [(agent_id, 1) for agent_id in ids]


def test_a_wait_outside_any_agent_survives_daemon_restarts(fleet: Fleet) -> None:
    gate = fleet.gate()
    agent_id = fleet.spawn(gate.script)
    waiting = fleet.waiting(agent_id)
    for _ in range(3):
        pid = fleet.daemon_pid()
        fleet.instance.ctl("daemon", "restart")
        assert fleet.daemon_pid() != pid
        assert waiting.poll() is None
    gate.let()
    assert waiting.wait(DEADLINE) == 0
