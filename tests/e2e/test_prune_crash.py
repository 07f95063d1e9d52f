"""`kill -9` of the daemon while it prunes: rows and files go together, and what stays is whole."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import DEADLINE, Instance, until
from tests.e2e.crashing import PRUNE
from tests.e2e.test_crash import WRAPPER


def files_of(instance: Instance) -> set[str]:
    """The agents that have files."""
    return {entry.name.partition(".")[0] for entry in os.scandir(instance.home.agents)}


def rows_of(instance: Instance) -> set[str]:
    """The agents that the history has."""
    return {agent["id"] for agent in instance.status("--all")["agents"]}


@pytest.mark.parametrize("point", PRUNE)
def test_a_prune_interrupted_by_a_crash_is_finished_by_the_next_daemon(
    stopped: Instance, tmp_path: Path, point: str
) -> None:
    armed = tmp_path / "armed"
    stopped.env.update(ORCHD_TEST_POINT=point, ORCHD_TEST_ARMED=str(armed))
    stopped.start(sys.executable, str(WRAPPER))
    lives = stopped.spawn("sleep", "600")
    nested = stopped.spawn("sh", "-c", "orchctl spawn -- true; orchctl spawn -- true")
    stopped.ctl("wait", nested)
    stopped.ctl("wait", "agent-003", "agent-004")
    last = stopped.spawn("true")
    stopped.ctl("wait", last)
    armed.touch()
    stopped.configure("keep_count = 1\n")
    with stopped.client() as client:
        stopped.daemon.send_signal(signal.SIGHUP)
        assert stopped.daemon.wait(DEADLINE) == -signal.SIGKILL
        stopped.start()
        until(lambda: files_of(stopped) == rows_of(stopped) == {lives, last})
        events = client.call("events")
    assert {event["agent"] for event in events["events"] if event["agent"]} == {lives, last}
    assert events["pruned"] > 0
    assert stopped.ctl("status", nested, code=1) == stopped.ctl("retry", "3", code=1) == ""
    assert stopped.spawn("true") == "agent-006"
