"""Limits of an agent on the machine: an agent that exceeds one is ended, and no other agent is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import Instance, processes_of, until
from tests.e2e.cgroup_modes import BY_CGROUP

pytestmark = pytest.mark.timeout(180)

# Takes 100 MB in a child that has left its session, when it is told to.
HEAVY = """
import os, signal, sys
print("up", flush=True)
open(sys.argv[1]).read()
if os.fork() == 0:
    os.setsid()
    held = bytearray(b"x") * (100 << 20)
    signal.pause()
os.wait()
"""


@pytest.fixture(params=[BY_CGROUP, "off"], ids=["by-cgroup", "by-looking"])
def bounded(stopped: Instance, request: pytest.FixtureRequest) -> Instance:
    """A daemon that follows trees in this way."""
    stopped.configure(f'cgroups = "{request.param}"\n')
    stopped.start()
    return stopped


def heavy(instance: Instance, gate: Path, *options: str) -> str:
    """An agent that takes 100 MB once its gate is written to."""
    os.mkfifo(gate)
    agent_id = instance.spawn(sys.executable, "-c", HEAVY, str(gate), options=list(options))
    until(lambda: "up" in instance.ctl("logs", agent_id), 60.0)
    return agent_id


def test_only_the_agent_that_exceeds_its_memory_limit_fails(bounded: Instance, tmp_path: Path) -> None:
    other = bounded.spawn("sleep", "600")
    roomy = heavy(bounded, tmp_path / "roomy", "--memory-max", "1G")
    greedy = heavy(bounded, tmp_path / "greedy", "--memory-max", "64M")
    (tmp_path / "roomy").write_text("go")
    (tmp_path / "greedy").write_text("go")
    bounded.ctl("wait", greedy, code=1)
    ended = bounded.agent(greedy)
    assert (ended["status"], ended["reason"], ended["memory_max"]) == ("failed", "memory", 64 << 20)
    assert ended["memory_peak"] > 64 << 20
    until(lambda: (bounded.agent(roomy)["memory_peak"] or 0) > 100 << 20, 60.0)
    assert {bounded.agent(agent_id)["status"] for agent_id in (other, roomy)} == {"running"}
    assert not any("greedy" in line for line in processes_of(bounded.directory).values())
    lines = bounded.ctl("why", greedy).splitlines()
    assert lines[0].startswith(f"{greedy} ")
    assert "failed (memory): " in lines[0]
    assert any(line.startswith("limits: memory peak ") and "limit 64 MB" in line for line in lines)


def test_a_memory_limit_applies_after_the_daemon_was_killed(bounded: Instance, tmp_path: Path) -> None:
    greedy = heavy(bounded, tmp_path / "greedy", "--memory-max", "64M")
    bounded.kill()
    (tmp_path / "greedy").write_text("go")
    bounded.start()
    bounded.ctl("wait", greedy, code=1)
    assert bounded.agent(greedy)["reason"] == "memory"


def test_unenforceable_resource_limits_are_refused_and_in_doctor(stopped: Instance) -> None:
    stopped.configure('cgroups = "off"\n')
    stopped.start()
    for words in (["--cpu-max", "50%"], ["--pids-max", "50"]):
        reply = json.loads(stopped.ctl("spawn", "--json", *words, "--", "true", code=1))
        assert reply["error"]["code"] == "cannot-bound"
    problems = [finding["what"] for finding in json.loads(stopped.ctl("doctor", "--json", code=None))["findings"]]
    assert any(what.startswith("--memory-max is enforced by polling") for what in problems)
    assert sum("-max is refused: no controller" in what for what in problems) == 2
    assert stopped.status()["agents"] == []
