"""An agent that something other than orchd froze or stopped is reported as such by `why`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux.procfs import children_of
from tests.conftest import Instance, until
from tests.e2e.cgroup_modes import BY_CGROUP
from tests.support.machine import stop


def why(instance: Instance, agent_id: str) -> dict[str, Any]:
    """`orchctl why --json`."""
    reply: dict[str, Any] = json.loads(instance.ctl("why", agent_id, "--json"))
    return reply


def child_of(instance: Instance, agent_id: str) -> int:
    """The pid of the agent's own process, once it runs its program."""
    shim = instance.agent(agent_id)["pid"]
    until(lambda: any(Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in children_of(shim) or ()))
    (pid,) = children_of(shim) or []
    return pid


@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_why_reports_an_agent_stopped_by_a_signal_as_suspended(stopped: Instance, way: str) -> None:
    stopped.configure(f'cgroups = "{way}"\n')
    stopped.start()
    agent_id = stopped.spawn("sleep", "600")
    pid = child_of(stopped, agent_id)
    assert why(stopped, agent_id)["rule"] == "working"
    stop(pid)
    reply = why(stopped, agent_id)
    assert reply["rule"] == "suspended"
    assert reply["reason"].endswith(f"something other than orchd stopped sleep (pid {pid})")
    assert reply["way_out"] == f"`kill -CONT {pid}`"
    assert stopped.ctl("why", agent_id).startswith(
        f"{agent_id} sleep is running (suspended): it holds a slot but cannot run: "
    )
    os.kill(pid, signal.SIGCONT)
    until(lambda: why(stopped, agent_id)["rule"] == "working")


def test_why_reports_an_agent_as_working_while_any_process_can_run(instance: Instance) -> None:
    agent_id = instance.spawn("sh", "-c", "sleep 600 & echo $!; exec sleep 600")
    pid = child_of(instance, agent_id)
    (other,) = until(lambda: children_of(pid))
    stop(other)
    assert why(instance, agent_id)["rule"] == "working"
    stop(pid)
    assert why(instance, agent_id)["rule"] == "suspended"


@pytest.mark.parametrize("way", [BY_CGROUP])
def test_why_reports_an_agent_in_a_frozen_cgroup_as_suspended(stopped: Instance, way: str) -> None:
    stopped.configure(f'cgroups = "{way}"\n')
    stopped.start()
    agent_id = stopped.spawn("sleep", "600")
    pid = child_of(stopped, agent_id)
    own = own_cgroup(pid)
    assert own is not None
    for level in (own, own.parent):  # the daemon is in another one
        (level / "cgroup.freeze").write_text("1")
        until(lambda: "frozen 1" in (own / "cgroup.events").read_text())
        try:
            reply = why(stopped, agent_id)
        finally:
            (level / "cgroup.freeze").write_text("0")
        assert reply["rule"] == "suspended"
        assert reply["reason"].endswith(f"something other than orchd froze {level}")
        assert reply["way_out"] == f"`echo 0 > {level}/cgroup.freeze`"
        until(lambda: why(stopped, agent_id)["rule"] == "working")


@pytest.mark.parametrize("way", [BY_CGROUP, "off"])
def test_why_reports_a_suspended_agent_of_an_earlier_daemon(stopped: Instance, way: str) -> None:
    stopped.configure(f'cgroups = "{way}"\n')
    stopped.start()
    agent_id = stopped.spawn("sleep", "600")
    pid = child_of(stopped, agent_id)
    stopped.kill()
    stopped.start()
    stop(pid)
    assert why(stopped, agent_id)["rule"] == "suspended"
