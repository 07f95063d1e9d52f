"""At no instant do more than `limit` agents work or more than `resident` live, as a witness counts from outside."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchctl.daemon.probe import is_running
from tests import witness as witness_module
from tests.conftest import DEADLINE, until
from tests.e2e.fleet import Fleet
from tests.witness import Witness

LIMIT, RESIDENT = 7, 28
LIMITS = (3, 9, 5, 7, 1, 7)


class Scenario:
    """A forest of agents at a gate, and everything that can happen to it while it works itself off."""

    def __init__(self, fleet: Fleet, witness: Witness, widths: tuple[int, int, int]) -> None:
        self.fleet, self.witness = fleet, witness
        self.chance = random.Random(sum(widths))
        self.gate = fleet.gate()
        self.codes: dict[str, int] = {}
        self.cancelled: list[str] = []
        self.limit = self.bound = LIMIT
        self.roots = fleet.batch([self._agent(f"r{number}", widths[1:]) for number in range(widths[0])])

    def _agent(self, lineage: str, widths: tuple[int, ...]) -> dict[str, object]:
        code = self.codes[lineage] = self.chance.choice([0, 0, 0, 0, 3])
        fields: dict[str, Any] = {"name": lineage, "env": {"LINEAGE": lineage}, "nesting": len(widths)}
        if not widths:
            return self.fleet.spec(f"{self.gate.script}; exit {code}", **fields)
        batch = self.fleet.directory / lineage.replace("/", "-")
        children = [self._agent(f"{lineage}/{number}", widths[1:]) for number in range(widths[0])]
        batch.write_text("\n".join(map(json.dumps, children)))
        waits = "orchctl wait --children >/dev/null 2>&1"
        # one that fails does so when nothing is left under it: cancelling others is not what it is there for
        return self.fleet.spec(f"orchctl spawn --batch {batch} >/dev/null || exit 90; {waits}; exit {code}", **fields)

    def unfinished(self) -> list[dict[str, Any]]:
        """The agents that have not ended."""
        return [agent for agent in self.fleet.show() if agent["ended_at"] is None]

    def run(self) -> None:
        """Let two agents go whenever the witness has looked once more, until none is left."""
        step, died = 0, False
        while unfinished := self.unfinished():
            step += 1
            self.witness.next_window()
            self.gate.let(2)
            self._settle_limit()
            if step % 12 == 5:
                self._change_limit(LIMITS[step // 12 % len(LIMITS)])
            if step % 9 == 4:
                self._cancel(self.chance.choice(unfinished)["name"])
            if len(self.fleet.book.entries()) > len(self.codes) // 3 and not died:
                died = self._die()
        assert died

    def _change_limit(self, limit: int) -> None:
        if limit > self.bound:
            self.witness.allow(limit=limit)
            self.bound = limit
        self.limit = limit
        self.fleet.client.call("limit", {"limit": limit})

    def _settle_limit(self) -> None:
        """After it was lowered the bound is what works then, falling, until the new limit is reached."""
        if self.bound > self.limit:
            self.bound = max(self.limit, min(self.bound, self.fleet.client.call("limit")["working"]))
            self.witness.allow(limit=self.bound)

    def _cancel(self, lineage: str) -> None:
        self.witness.excuse(lineage)
        self.cancelled.append(lineage)
        ids = [agent["id"] for agent in self.unfinished() if agent["name"] == lineage]
        if ids:
            self.fleet.client.call("cancel", {"ids": ids})

    def _die(self) -> bool:
        """Kill the daemon; one of the waiting agents brings it back."""
        if not any(agent["status"] == "waiting" for agent in self.unfinished()):
            return False
        self.fleet.daemon_dies()
        until(lambda: is_running(self.fleet.instance.home), what="a daemon")
        return True

    def check_outcomes(self) -> None:
        """Check that each agent has run once per attempt and ended as its scenario has it."""
        agents = self.fleet.show()
        assert len(self.fleet.book.entries()) == len(set(self.fleet.book.entries()))
        ran = dict(self.fleet.book.entries())
        for agent in agents:
            if any(f"{agent['name']}/".startswith(f"{lineage}/") for lineage in self.cancelled):
                assert agent["status"] in ("cancelled", "completed", "failed"), agent
            else:
                expected = self.codes[agent["name"]]
                assert (agent["status"], agent["exit_code"]) == ("failed" if expected else "completed", expected), agent
            assert agent["exit_code"] is not None or agent["id"] not in ran, agent
        assert len({agent["name"] for agent in agents}) == len(agents)


def run_scenario(fleet: Fleet, widths: tuple[int, int, int]) -> Scenario:
    """Run a whole scenario under a witness that reports no violation and reaches the limit."""
    fleet.client.call("limit", {"limit": LIMIT, "resident": RESIDENT})
    with closing(Witness(fleet.instance.directory, limit=LIMIT, resident=RESIDENT)) as witness:
        scenario = Scenario(fleet, witness, widths)
        outside = fleet.waiting(*scenario.roots)
        # a witness that sees nothing proves nothing
        until(lambda: witness.peak_working == LIMIT, what=f"{LIMIT} at work")
        scenario.run()
        assert outside.wait(DEADLINE) in (0, 1)
    assert witness.violations == []
    scenario.check_outcomes()
    return scenario


@pytest.mark.slow
def test_at_most_limit_of_200_agents_in_three_levels_run_at_once(fleet: Fleet) -> None:
    scenario = run_scenario(fleet, (8, 4, 5))
    assert len(scenario.codes) == 200


def test_at_most_resident_agents_are_alive_when_all_wait(fleet: Fleet) -> None:
    fleet.client.call("limit", {"limit": 2, "resident": 3})
    gate = fleet.gate()
    with closing(Witness(fleet.instance.directory, limit=2, resident=3)) as witness:
        leaf = f"orchctl spawn -- sh -c '{fleet.book.script}; {gate.script}' >/dev/null; orchctl wait --children"
        fleet.batch([fleet.spec(leaf, nesting=1) for _ in range(6)])
        until(lambda: witness.peak_living == 3, what="3 alive")
        while not all(agent["ended_at"] for agent in fleet.show()):
            witness.next_window()
            gate.let()
    assert witness.violations == []
    assert len(fleet.book.entries()) == 12


def test_the_witness_shares_no_code_with_the_daemon() -> None:
    tree = ast.parse(Path(witness_module.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        node.module or "" if isinstance(node, ast.ImportFrom) else alias.name
        for node in imports
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(("count", "is_seen"), [(LIMIT, False), (LIMIT + 1, True)])
def test_the_witness_detects_an_agent_above_the_limit(home_directory: Path, count: int, *, is_seen: bool) -> None:
    env = {**os.environ, "ORCHD_HOME": str(home_directory), "ORCHD_ATTEMPT": "1"}
    planted = [
        subprocess.Popen(["/bin/sleep", "1000"], env={**env, "ORCHD_AGENT": f"agent-{number:03d}"})
        for number in range(count)
    ]
    try:
        with closing(Witness(home_directory, limit=LIMIT, resident=LIMIT)) as witness:
            until(lambda: witness.peak_living == count and witness.peak_working == count)
            witness.next_window()
    finally:
        for agent in planted:
            agent.kill()
            agent.wait()
    assert {line.partition(":")[0] for line in witness.violations} == (
        {f"{count} live where {LIMIT} may", f"{count} work where {LIMIT} may"} if is_seen else set()
    )


def test_the_witness_counts_no_shell_behind_a_gate_that_stays_closed(home_directory: Path) -> None:
    env = {**os.environ, "ORCHD_HOME": str(home_directory), "ORCHD_ATTEMPT": "1", "ORCHD_AGENT": "agent-001"}
    shell = ["sh", "-c", "read x", "orchd-agent-001.1"]
    keeper = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[2:])", str(home_directory), *shell]
    with closing(Witness(home_directory, limit=LIMIT, resident=LIMIT)) as witness:
        with subprocess.Popen(shell, env=env, stdin=subprocess.PIPE):
            witness.next_window()
            witness.next_window()
        assert witness.peak_living == 0
        with subprocess.Popen(keeper, env=env, stdin=subprocess.PIPE):
            until(lambda: witness.peak_living == 1, what="a place that is taken")
