"""An agent that something other than orchd froze or stopped is reported as such by `why`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from orchd.processes.linux.cgroups import own_cgroup
from orchd.processes.linux.procfs import children_of
from tests.conftest import Instance, until
from tests.e2e.ways import BY_CGROUP
from tests.support.machine import stop


def why(instance: Instance, one: str) -> dict[str, Any]:
    """`orchctl why --json`."""
    found: dict[str, Any] = json.loads(instance.ctl("why", one, "--json"))
    return found


def child_of(instance: Instance, one: str) -> int:
    """The pid of the agent's own process, once it runs its program."""
    shim = instance.agent(one)["pid"]
    until(lambda: any(Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in children_of(shim) or ()))
    (pid,) = children_of(shim) or ()
    return pid


@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_an_agent_that_was_stopped_is_not_said_to_work(stopped: Instance, way: str) -> None:
    stopped.configure(f'cgroups = "{way}"\n')
    stopped.start()
    one = stopped.spawn("sleep", "600")
    pid = child_of(stopped, one)
    assert why(stopped, one)["rule"] == "working"
    stop(pid)
    found = why(stopped, one)
    assert found["rule"] == "suspended"
    assert found["reason"].endswith(f"something other than orchd stopped sleep (pid {pid})")
    assert found["way_out"] == f"`kill -CONT {pid}`"
    assert stopped.ctl("why", one).startswith(f"{one} sleep is running (suspended): it holds a slot and cannot run: ")
    os.kill(pid, signal.SIGCONT)
    until(lambda: why(stopped, one)["rule"] == "working")


def test_an_agent_one_of_whose_processes_can_run_works(instance: Instance) -> None:
    one = instance.spawn("sh", "-c", "sleep 600 & echo $!; exec sleep 600")
    pid = child_of(instance, one)
    (other,) = until(lambda: children_of(pid))
    stop(other)
    assert why(instance, one)["rule"] == "working"
    stop(pid)
    assert why(instance, one)["rule"] == "suspended"


@pytest.mark.parametrize("way", [BY_CGROUP])
def test_an_agent_whose_cgroup_was_frozen_is_not_said_to_work(stopped: Instance, way: str) -> None:
    stopped.configure(f'cgroups = "{way}"\n')
    stopped.start()
    one = stopped.spawn("sleep", "600")
    pid = child_of(stopped, one)
    own = own_cgroup(pid)
    assert own is not None
    for level in (own, own.parent):  # the daemon is in another one
        (level / "cgroup.freeze").write_text("1")
        until(lambda: "frozen 1" in (own / "cgroup.events").read_text())
        try:
            found = why(stopped, one)
        finally:
            (level / "cgroup.freeze").write_text("0")
        assert found["rule"] == "suspended"
        assert found["reason"].endswith(f"something other than orchd froze {level}")
        assert found["way_out"] == f"`echo 0 > {level}/cgroup.freeze`"
        until(lambda: why(stopped, one)["rule"] == "working")


@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_an_agent_of_an_earlier_daemon_is_looked_at_too(stopped: Instance, way: str) -> None:
    stopped.configure(f'cgroups = "{way}"\n')
    stopped.start()
    one = stopped.spawn("sleep", "600")
    pid = child_of(stopped, one)
    stopped.kill()
    stopped.start()
    stop(pid)
    assert why(stopped, one)["rule"] == "suspended"
