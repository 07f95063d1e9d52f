"""Shims that serve agents in turn: few shims, each end told apart, the limit kept, also when processes die."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from tests.conftest import until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.e2e.fleet import Fleet, is_alive
from tests.witness import Witness

COUNT, LIMIT = 60, 3


@pytest.fixture
def followed(resting: Fleet, request: pytest.FixtureRequest) -> Fleet:
    """A fleet whose trees are held as the test says."""
    resting.instance.configure(f'cgroups = "{request.param}"\nlimit = {LIMIT}\n')
    resting.instance.start()
    return resting


@pytest.mark.parametrize("followed", [BY_CGROUP, "off"], indirect=True)
def test_agents_share_shims_with_cgroups_and_have_their_own_otherwise(
    followed: Fleet, request: pytest.FixtureRequest
) -> None:
    ids = followed.batch([{"command": ["sh", "-c", f"echo $ORCHD_AGENT; exit {code}"]} for code in range(COUNT)])
    ended = followed.ends(*ids)
    assert [agent["exit_code"] for agent in ended] == list(range(COUNT))
    assert [followed.instance.ctl("logs", agent_id) for agent_id in ids[::20]] == [
        f"{agent_id}\n" for agent_id in ids[::20]
    ]
    events = [json.loads(line) for line in followed.instance.ctl("events", "--since", "0", "--json").splitlines()]
    pids = [event["pid"] for event in events if event["event"] == "attempt-started"]
    assert len(pids) == COUNT
    assert len(set(pids)) == COUNT if "off" in request.node.name else len(set(pids)) < COUNT / 4
    until(lambda: not any(map(is_alive, pids)), what="the shims to leave")


@pytest.mark.parametrize("followed", [BY_CGROUP], indirect=True)
def test_the_limit_holds_while_shims_are_reused_and_daemons_crash(followed: Fleet) -> None:
    gate = followed.gate()
    with closing(Witness(followed.instance.directory, limit=LIMIT, resident=4 * LIMIT)) as witness:
        codes = [number % 5 for number in range(COUNT)]
        ids = followed.batch([followed.spec(f"{gate.script}; exit {code}") for code in codes])
        until(lambda: witness.peak_working == LIMIT, what=f"{LIMIT} at work")
        for number in range(COUNT):
            if number % 20 == 10:
                followed.daemon_dies()
            witness.next_window()
            gate.let()
        ended = followed.ends(*ids)
    assert witness.violations == []
    assert [agent["exit_code"] for agent in ended] == codes
    assert sorted(followed.book.agents()) == ids
