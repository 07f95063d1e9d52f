"""Agents that poll for the end of agents they spawned, and never call `orchctl wait`, make progress at any limit; where
they cannot, that is announced."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import pytest

from tests.conftest import until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.e2e.fleet import Fleet
from tests.e2e.parents import pinging
from tests.runnable import Runnable

STALL_AFTER, TIMEOUT = 0.5, 5.0
GRACE, SLACK, LOAD = 0.5, 2.0, 3.0  # seconds; the last is what a busy machine may take
# Polls the file of the session, as a script does, until all tasks with this name are completed.
POLLS = """\
while :; do
    awk -v want={name} '/- name:/ {{ name = $3 }} /status:/ && name == want {{ seen++; done += $2 == "Completed" }}
        END {{ exit !(seen && seen == done) }}' {file} 2>/dev/null && break
    sleep 0.05
done"""

POLLING = "while :; do\n    awk"
# The children of the agent that runs this are waited for by a client in the background.
WAITS_BESIDE = "orchctl wait --children >/dev/null 2>&1 &"


class Pollers:
    """Agents that spawn agents and poll for them, and a witness."""

    def __init__(self, fleet: Fleet, way: str, limit: int, resident: int) -> None:
        self.fleet = fleet
        (fleet.directory / ".agent").mkdir(exist_ok=True)  # agents poll the files of its session
        fleet.instance.configure(
            f'limit = {limit}\nresident = {resident}\nstall_after = {STALL_AFTER}\ncgroups = "{way}"\ngrace = {GRACE}\n'
        )
        fleet.instance.start()
        self.witness = Runnable(fleet.instance.directory, pinging(fleet), limit=limit)

    def close(self) -> None:
        """Look no more."""
        self.witness.close()

    def script(self, name: str, *below: str, first: str = ":") -> str:
        """Do `first`, spawn an agent called `name` for each script in `below`, and poll until they are completed."""
        spawned = []
        for number, script in enumerate(below):
            path = self.fleet.directory / f"{name}-{number}"
            path.write_text(f"{self.fleet.book.script}\n{script}\n")
            spawned.append(f"orchctl spawn --name {name} -- sh {path} >/dev/null || exit 90")
        file = self.fleet.directory / ".agent/sessions/latest.yaml"
        return "\n".join([first, *spawned, POLLS.format(name=name, file=file)])

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of these kinds so far."""
        events = [json.loads(line) for line in self.fleet.instance.ctl("events", "--json").splitlines()]
        return [event for event in events if event["event"] in kinds]

    def all_complete(self, count: int) -> None:
        """Assert that all agents have completed, each in its first attempt, and the limit was kept."""
        until(lambda: len(self.fleet.show()) == count)
        agents = self.fleet.all_end()
        assert [(agent["status"], agent["attempt"]) for agent in agents] == [("completed", 1)] * count, agents
        assert self.witness.violations == []


def made(resting: Fleet, way: str, limit: int, resident: int = 28) -> closing[Pollers]:
    """Pollers that are closed afterwards."""
    return closing(Pollers(resting, way, limit, resident))


@pytest.mark.slow
@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
@pytest.mark.parametrize("limit", [1, 2])
def test_agents_that_poll_for_their_children_make_progress(resting: Fleet, way: str, limit: int) -> None:
    with made(resting, way, limit) as pollers:
        resting.batch([resting.spec(pollers.script(f"of-{number}", "exit 0", "exit 0")) for number in range(2)])
        pollers.all_complete(6)
        lent = [event for event in pollers.events("agent-frozen") if event["cause"] == "lent"]
        assert {event["lent_to"] for event in lent} <= {agent["id"] for agent in resting.show() if agent["parent"]}
        assert lent
        assert pollers.events("stall-began") == []


@pytest.mark.slow
def test_agents_that_poll_two_levels_deep_make_progress_at_limit_one(resting: Fleet) -> None:
    with made(resting, "auto", 1) as pollers:
        inner = pollers.script("inner", "exit 0")
        resting.spawn(pollers.script("outer", inner))
        pollers.all_complete(3)


@pytest.mark.slow
def test_a_slot_stays_lent_when_the_daemon_is_killed(resting: Fleet) -> None:
    with made(resting, "auto", 1) as pollers:
        gate = resting.gate()
        lender = resting.spawn(pollers.script("child", gate.script))
        agent = resting.reaches(lender, "waiting")
        assert (agent["frozen"], agent["lent_to"]) == ("lent", "agent-002")
        resting.daemon_dies()
        agent = resting.agent(lender)
        assert (agent["status"], agent["frozen"], agent["lent_to"]) == ("waiting", "lent", "agent-002")
        pollers.witness.next_window()
        gate.let()
        pollers.all_complete(2)


@pytest.mark.slow
def test_a_stall_that_cannot_be_resolved_is_announced(resting: Fleet) -> None:
    with made(resting, "auto", 1, resident=1) as pollers:
        poller = resting.spawn(pollers.script("child", "exit 0"))
        (began,) = until(lambda: pollers.events("stall-began"))
        assert (began["agents"], "orchctl limit --resident" in began["reason"]) == ([poller], True)
        assert "stalled: every agent in a slot depends on a queued agent" in resting.instance.ctl("status")
        assert resting.client.call("limit")["stalled"] is True
        assert "every agent in a slot depends on a queued agent" in resting.instance.ctl("why", "agent-002")
        resting.client.call("limit", {"resident": 2})
        pollers.all_complete(2)
        assert len(pollers.events("stall-began")) == len(pollers.events("stall-ended")) == 1
        assert resting.client.call("limit")["stalled"] is False


@pytest.mark.slow
@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_a_stall_is_announced_when_an_agent_needs_a_pipe_of_its_lender(resting: Fleet, way: str) -> None:
    """Each end of a FIFO is opened only when the other one is: both can go on only side by side."""
    with made(resting, way, 1) as pollers:
        meets = resting.directory / "meets"
        gate = resting.gate()  # which the borrower passes once its lender is frozen: a reader that is not would meet it
        (resting.directory / "writes").write_text(f"{gate.script}\necho hi > {meets}\n")
        spawns = f"orchctl spawn -- sh {resting.directory}/writes >/dev/null"
        lender = resting.spawn(f"mkfifo {meets}; {spawns}; cat {meets}")
        resting.reaches(lender, "waiting")
        gate.let()
        began = until(lambda: pollers.events("stall-began"))[0]
        assert (began["agents"], "orchctl limit" in began["reason"]) == (["agent-002"], True)
        assert "stalled: agent-002 made no progress, others wait for a slot" in resting.instance.ctl("status")
        output = resting.instance.ctl("why", "agent-002")
        assert f"it may need a lock or pipe of {lender}" in output
        assert "orchctl limit 2" in output
        assert pollers.witness.violations == []
        resting.client.call("limit", {"limit": 2})
        assert [agent["status"] for agent in resting.all_end()] == ["completed"] * 2
        assert len(pollers.events("stall-ended")) == len(pollers.events("stall-began"))
        assert resting.client.call("limit")["stalled"] is False


@pytest.mark.slow
@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_a_stall_is_announced_when_an_agent_needs_a_lock_of_its_parent(resting: Fleet, way: str) -> None:
    with made(resting, way, 1) as pollers:
        lock = resting.directory / "lock"
        spawns = f"orchctl spawn -- flock {lock} true"
        parent = resting.spawn(
            f"exec 9>{lock}; flock 9; {spawns} >/dev/null; orchctl wait agent-002 --timeout 0.5; true"
        )
        began = until(lambda: pollers.events("stall-began"))[0]
        assert (began["agents"], "orchctl limit" in began["reason"]) == (["agent-002"], True)
        assert "made no progress, others wait for a slot" in resting.instance.ctl("status")
        assert f"it may need a lock or pipe of {parent}" in resting.instance.ctl("why", "agent-002")
        assert pollers.witness.violations == []
        resting.client.call("limit", {"limit": 2})
        assert [agent["status"] for agent in resting.all_end()] == ["completed"] * 2
        assert len(pollers.events("stall-ended")) == len(pollers.events("stall-began"))


@pytest.mark.slow
def test_time_with_a_lent_slot_does_not_count_toward_timeouts(resting: Fleet) -> None:
    with made(resting, "auto", 1) as pollers:
        gate = resting.gate()
        lender = resting.spawn(pollers.script("child", gate.script), timeout=TIMEOUT, silence=TIMEOUT)
        resting.reaches(lender, "waiting")
        over = time.monotonic() + TIMEOUT + 0.5
        until(lambda: time.monotonic() >= over)
        gate.let()
        pollers.all_complete(2)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cancel", "stop-agents"])
def test_an_agent_that_lent_its_slot_ends_in_time(resting: Fleet, how: str) -> None:
    with made(resting, "off", 1) as pollers:
        lender = resting.spawn(pollers.script("child", "exec sleep 1000"))
        resting.reaches(lender, "waiting")
        took, ended = resting.stopped(how, [lender], "agent-002")
        assert took < GRACE + SLACK + LOAD
        assert [agent["status"] for agent in ended] == ["cancelled"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
@pytest.mark.parametrize("limit", [1, 2])
def test_agents_that_poll_beside_a_wait_in_the_background_make_progress(resting: Fleet, way: str, limit: int) -> None:
    with made(resting, way, limit) as pollers:
        scripts = [
            pollers.script(f"of-{number}", "exit 0").replace(POLLING, f"{WAITS_BESIDE}\n{POLLING}")
            for number in range(2)
        ]
        resting.batch([resting.spec(script) for script in scripts])
        pollers.all_complete(4)
        assert pollers.events("stall-began") == []


def busy(fleet: Fleet, agents: Iterable[str]) -> int:
    """The number of agents that are frozen because they work beside a wait."""
    return [agent["frozen"] for agent in fleet.show(*agents)].count("busy")


@pytest.mark.slow
@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_a_stall_behind_waits_in_the_background_is_resolved(resting: Fleet, way: str) -> None:
    """Two agents wait in the background for queued agents, which are not below them, and have both slots again."""
    with made(resting, way, 2) as pollers:
        go, other_gate = resting.gate(), resting.gate()
        waiters = {"agent-002": "agent-008", "agent-003": "agent-009"}
        between = ["agent-004", "agent-005", "agent-006", "agent-007"]
        scripts = [
            f"orchctl wait {target} >/dev/null 2>&1 & {go.script}; until [ -e done-{target} ]; do :; done; wait"
            for target in waiters.values()
        ]
        scripts += [other_gate.script] * len(between)
        specs = [resting.spec(script) for script in scripts]
        specs += [resting.spec("touch done-$ORCHD_AGENT", priority=-10)] * 2
        batch = resting.directory / "batch"
        batch.write_text("\n".join(map(json.dumps, specs)))
        resting.spawn(f"orchctl spawn --batch {batch} >/dev/null && orchctl wait --children")
        resting.started(*between[:2])  # in the slots of the two that wait
        go.let(2)
        until(lambda: busy(resting, waiters) == 2)
        for count in range(1, len(between) + 1):  # a free slot goes to one that returns and to a new one in turn
            other_gate.let()
            until(lambda: [agent["status"] for agent in resting.show(*between)].count("completed") == count)  # noqa: B023
            if not busy(resting, waiters):
                break
        other_gate.let(len(between))
        pollers.all_complete(9)
        lent = [(event["agent"], event["lent_to"]) for event in pollers.events("agent-frozen") if event["lent_to"]]
        assert lent
        assert set(lent) <= set(waiters.items())
        assert pollers.events("stall-began") == []
