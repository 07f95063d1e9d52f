"""`orchctl prune`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_prune_reports_planned_and_pruned_agents(instance: Instance, orchctl: Orchctl) -> None:
    for number in range(3):
        instance.ctl("wait", instance.spawn("echo", str(number)))
    output = orchctl("prune", "--keep", "1", "--dry-run").out
    assert output.startswith("2 agents and 0 runs would be pruned, ")
    assert output.endswith(" of logs; 1 finished are kept\n")
    assert orchctl("prune", "--keep", "1").out == output.replace("would be pruned", "pruned")
    assert len(list(instance.home.agents.iterdir())) == 2
    assert orchctl("logs", "1").err.startswith("pruned: agent-001 has finished and was pruned; ")
    assert orchctl("status", "4").err.startswith("unknown-agent: ")
    result = orchctl("events", "--since", "0", "--json")
    assert "some of the events up to" in result.err
    assert [json.loads(line)["agent"] for line in result.out.splitlines()][-1] == "agent-003"
    assert orchctl("events", "--since", "3000").err == orchctl("events").err == ""
    result = orchctl("prune", "--older-than", "1h", "--json")
    assert json.loads(result.out) == {"agents": 0, "runs": 0, "bytes": 0, "dry_run": False, "left": 1}
    assert orchctl("prune").out.startswith("0 agents")


def test_an_invalid_keep_or_age_is_refused(orchctl: Orchctl) -> None:
    assert orchctl("prune", "--keep", "-1").code == 2
    assert orchctl("prune", "--older-than", "soon").code == 2


def test_a_hook_reports_events_that_were_pruned(instance: Instance, orchctl: Orchctl) -> None:
    def hooked() -> str:
        return orchctl("hook", "--position", "at", "--once", "--", "true").err

    assert hooked() == ""
    instance.ctl("wait", instance.spawn("true"))
    instance.ctl("prune", "--keep", "0")
    assert hooked().startswith("some of the events up to ")
    instance.ctl("wait", instance.spawn("true"))
    hooked()
    assert hooked() == ""
