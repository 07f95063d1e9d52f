"""Never can more agents run than the limit says, however they leave their waits: counted from outside, by the kernel's
states of processes."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import closing

import pytest

from tests.conftest import until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.e2e.fleet import Fleet
from tests.e2e.parents import KINDS, Parents, clients_of, pinging
from tests.runnable import Runnable

WAYS = (BY_CGROUP, "off")
GRACE, SLACK, LOAD = 0.5, 2.0, 3.0  # seconds; the last is what a busy machine may take
TIMEOUT = 5.0
MIXED = ("timeouts", "killed", "background", "timeouts", "killed")


def tell(
    fleet: Fleet,
    way: str,
    limit: int,
    kinds: tuple[str, ...],
    *,
    deaths: tuple[int, ...] = (),
    family: bool = False,
) -> tuple[Runnable, Parents]:
    """Run the parents to their end; the witness and the parents."""
    fleet.instance.configure(f'cgroups = "{way}"\nlimit = {limit}\nresident = 64\n')
    fleet.instance.start()
    with closing(Runnable(fleet.instance.directory, pinging(fleet), limit=limit)) as witness:
        parents = Parents(fleet, witness, kinds, family=family)
        parents.go_on(kills="killed" in kinds, deaths=deaths)
    parents.check()
    return witness, parents


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "way", "family"),
    [(1, "off", True), pytest.param(2, *BY_CGROUP.values, False, marks=BY_CGROUP.marks), (7, "off", False)],
)
def test_the_limit_holds_for_every_kind_of_wait_and_killed_process(
    resting: Fleet, limit: int, way: str, *, family: bool
) -> None:
    kinds = MIXED + ("timeouts", "killed") * 2 * (limit == 7)
    witness, parents = tell(resting, way, limit, kinds, family=family, deaths=(10, 25))
    assert witness.violations == []
    assert witness.peak >= limit
    assert parents.kills > 0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "code"), [("timeouts", 75), ("killed", 137), ("background", 0)])
def test_five_waiting_parents_respect_a_limit_of_one(resting: Fleet, kind: str, code: int) -> None:
    witness, parents = tell(resting, "auto", 1, (kind,) * 5)
    assert witness.violations == []
    assert parents.noted() == {code}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_witness_detects_the_excess_that_a_lenient_daemon_allows(resting: Fleet, kind: str) -> None:
    resting.instance.configure('limit = 1\nresident = 64\nenforcement = "lenient"\n')
    resting.instance.start()
    with closing(Runnable(resting.instance.directory, pinging(resting), limit=1)) as witness:
        parents = Parents(resting, witness, (kind,) * 5, family=False)
        parents.go_on(kills=kind == "killed", is_enough=lambda: witness.peak >= 3 and bool(witness.violations))


class BlockedAgents:
    """Agents that lack nothing but a slot: one whose reply is withheld, and two that are frozen, of which one left its
    wait and the other worked beside it. The agent that they wait for stands at a gate in the only slot."""

    def __init__(self, fleet: Fleet, way: str, **fields: object) -> None:
        fleet.instance.configure(f'cgroups = "{way}"\nlimit = 1\nresident = 16\ngrace = {GRACE}\n')
        fleet.instance.start()
        self.gate, self.last, busy = fleet.gate(), fleet.gate(), fleet.gate()
        waits = "orchctl wait agent-005 >/dev/null 2>&1"
        specs = [
            fleet.spec(f"until {waits} --timeout 0.1; do [ $? -eq 75 ] || exit 9; done", **fields),
            fleet.spec(f"{waits}; [ $? -eq 137 ] && {self.last.script}", **fields),
            fleet.spec(f"{waits} & {busy.script}; until [ -e go ]; do :; done", **fields),
            fleet.spec(self.gate.script, priority=-10),
        ]
        batch = fleet.directory / "batch"
        batch.write_text("\n".join(map(json.dumps, specs)))
        fleet.spawn(f"orchctl spawn --batch {batch} >/dev/null && orchctl wait --children >/dev/null")
        self.ids = ["agent-002", "agent-003", "agent-004"]
        fleet.started("agent-005")
        busy.let()
        (client,) = clients_of(fleet.instance.directory)["agent-003"]
        os.kill(client, signal.SIGKILL)
        self.fleet = fleet
        until(lambda: self.causes() == [None, "wait-cut", "busy"])

    def causes(self) -> list[str | None]:
        """The cause of each freeze, of the agents that wait for a slot."""
        return [agent["frozen"] if agent["waits_for_slot"] else "no" for agent in self.fleet.show(*self.ids)]


@pytest.mark.slow
def test_time_spent_waiting_for_a_slot_does_not_count_toward_timeouts(resting: Fleet) -> None:
    blocked = BlockedAgents(resting, "off", timeout=TIMEOUT, silence=TIMEOUT)
    over = time.monotonic() + TIMEOUT + 0.5
    until(lambda: time.monotonic() >= over)
    assert blocked.causes() == [None, "wait-cut", "busy"]
    (resting.directory / "go").touch()
    blocked.last.let()
    blocked.gate.let()
    assert {agent["status"] for agent in resting.all_end()} == {"completed"}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["cancel", "stop-agents", "cancel-after-death"])
def test_agents_blocked_on_a_slot_end_in_time_when_stopped(resting: Fleet, way: str, how: str) -> None:
    blocked = BlockedAgents(resting, way)
    took, ended = resting.stopped(how, blocked.ids)
    assert took < GRACE + SLACK + LOAD
    assert [agent["status"] for agent in ended] == ["cancelled"] * 3


@pytest.mark.stress
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_runnable_agents_never_exceed_the_limit_at_any_limit_value(
    resting: Fleet, kind: str, limit: int, way: str
) -> None:
    witness, _ = tell(resting, way, limit, (kind,) * (5 if limit < 7 else 14), family=True, deaths=(5, 17, 29))
    assert witness.violations == []
