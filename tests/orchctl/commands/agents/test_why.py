"""`orchctl why`."""

from __future__ import annotations

import json
import os
import resource

from tests.conftest import Instance, until
from tests.orchctl.conftest import Orchctl


def test_why_names_the_blockers_of_a_queued_agent(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("limit", "1")
    instance.spawn("sleep", "60", options=["--name", "first"])
    instance.spawn("sleep", "60")
    head, holding, holder, way_out = orchctl("why", "2").out.splitlines()
    assert head == "agent-002 sleep is queued, position 1 (limit): 1 of 1 slots are in use"
    assert holding == "blocked by 1 agent:"
    assert holder.split()[:3] == ["agent-001", "first", "running"]
    assert way_out == "next step: wait for one of them to end, or run `orchctl limit 2`"


def test_why_reports_low_disk_space_with_a_remedy(stopped: Instance, orchctl: Orchctl) -> None:
    stopped.configure(f"free_bytes = {1 << 60}\n")
    stopped.start()
    stopped.spawn("true")
    head, way_out = orchctl("why", "1").out.splitlines()
    assert head.startswith("agent-001 true is queued, position 1 (disk): low disk space ")
    assert way_out.endswith("free disk space, or lower `free_bytes` in config.toml and run `orchctl config reload`")


def test_equal_failed_starts_are_merged_into_a_single_line_with_a_remedy(instance: Instance, orchctl: Orchctl) -> None:
    pid = instance.daemon.pid
    with instance.client() as client:
        client.call("limit")
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 3, before[1]))
        try:
            client.call("spawn", {"agents": [{"command": ["/bin/true"]}], "cwd": "/"})
            until(lambda: client.call("status", {"ids": ["agent-001"]})["agents"][0]["attempt"] >= 3)
            verdict = client.call("why", {"id": "agent-001"})
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert verdict["rule"] == "machine"
    assert "`ulimit -Hn`" in verdict["way_out"]
    instance.ctl("wait", "agent-001")
    past = orchctl("why", "agent-001").out.partition("attempts:\n")[2].splitlines()
    assert past[0].split()[:2] == [
        "attempts",
        f"1-{len(json.loads(orchctl('why', '--json', 'agent-001').out)['attempts']) - 1}",
    ]
    assert past[0].endswith(" cannot start: Too many open files")
    assert past[1].split()[0] == "attempt"


def test_why_suggests_a_retry_of_a_skipped_agent_with_its_dependencies(instance: Instance, orchctl: Orchctl) -> None:
    first = instance.spawn("false")
    last = instance.spawn("true", options=["--after", instance.spawn("true", options=["--after", first])])
    instance.ctl("wait", last, code=1)
    way_out = orchctl("why", last).out.splitlines()[1]
    assert way_out == "next step: `orchctl retry agent-001 agent-002 agent-003`"


def test_why_shows_attempts_and_consequences_of_a_failed_agent(instance: Instance, orchctl: Orchctl) -> None:
    script = 'if [ $ORCHD_ATTEMPT = 2 ]; then orchctl spawn --name child -- sleep 60; printf "\\033\\ts\\n"; fi; exit 3'
    instance.ctl("pause")
    instance.spawn("sh", "-c", script, options=["--name", "lead", "--retries", "1"])
    instance.spawn("true", options=["--after", "1", "--name", "next"])
    instance.spawn("true", options=["--after", "2", "--name", "last"])
    instance.ctl("resume")
    instance.ctl("wait", "1", "2", "3", code=1)
    until(lambda: instance.agent("4")["status"] == "cancelled")
    result = orchctl("why", "1")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[0] == "agent-001 lead failed: exit 3"
    assert lines[1] == "next step: `orchctl retry agent-001`"
    assert lines[3].endswith("retried exit 3")
    assert lines[4].startswith("attempt 2 queued ")
    assert lines[5:9] == [
        "3 ended because of it:",
        "agent-004 child cancelled its parent agent-001 did not complete",
        "agent-002 next skipped agent-001 did not complete: failed",
        "agent-003 last skipped agent-002 did not complete: skipped",
    ]
    assert result.out.splitlines()[-1] == "  ?\ts"
    reply = json.loads(orchctl("why", "1", "--json").out)
    assert [attempt["how"] for attempt in reply["attempts"]] == ["retried", "failed"]
    assert reply["log"]["lines"][-1] == "\x1b\ts"


def test_why_reports_completed_and_never_started_agents(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("wait", instance.spawn("true"))
    assert orchctl("why", "1").out.splitlines()[0] == "agent-001 true completed: exit 0"
    instance.ctl("pause")
    instance.ctl("cancel", instance.spawn("true"))
    assert orchctl("why", "2").out.splitlines()[0] == "agent-002 true cancelled: cancelled"


def test_why_names_the_failed_member_of_a_run_and_its_error(instance: Instance, orchctl: Orchctl) -> None:
    members = [
        {"path": name, "agent": {"name": name, "command": ["sh", "-c", text]}}
        for name, text in (("ui", "sleep 60"), ("api", "echo broken; exit 9"))
    ]
    with instance.client() as client:
        client.call("pause")
        client.call("run", {"name": "r", "cwd": "/", "env": instance.env, "groups": [{}], "members": members})
        waiting = orchctl("why", "run-1").out.splitlines()
        client.call("resume")
    paused = "paused: no new agents will start until `orchctl resume`"
    assert waiting[0] == f"run-001 is running: 0 of 2 members have ended; {paused}"
    instance.ctl("wait", "run-001", code=1)
    lines = [line.strip() for line in orchctl("why", "run-001").out.splitlines()]
    assert lines[0].startswith("run-001 failed: ")
    assert lines[2:4] == ["failed member:", "agent-002 api failed: exit 9"]
    assert "agent-001  ui  cancelled  api failed, and r fails fast" in lines
    assert lines[-1] == "broken"


def test_an_agent_may_use_why_only_on_its_own_tree(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true")
    agent_id = instance.spawn("sh", "-c", "orchctl why $ORCHD_AGENT; orchctl why 1")
    instance.ctl("wait", agent_id, code=1)
    log = instance.ctl("logs", agent_id).splitlines()
    assert log[0] == "agent-002 sh is running: it holds a slot"


def test_why_starts_no_daemon(stopped: Instance, orchctl: Orchctl) -> None:
    assert orchctl("why", "1").code == 69
