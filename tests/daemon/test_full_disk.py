"""The daemon while the disk of its home is full: what it answers, what it refuses, and how there is room again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl import exit_codes
from tests.conftest import BIN, DEADLINE, Instance, until
from tests.support.machine import full, needs_root, tmpfs
from tests.support.raw import Raw, request

pytestmark = needs_root
KEEPS = 'keep_bytes = "1G"\nfree_bytes = 0\n'  # nothing is pruned by itself, and agents start on the smallest disk


@pytest.fixture
def small(stopped: Instance) -> Iterator[Instance]:
    """A daemon whose home is a disk of 8 MiB."""
    with tmpfs(stopped.directory, "8m"):
        stopped.configure(KEEPS)
        stopped.start()
        yield stopped
        stopped.ctl("daemon", "stop", "--stop-agents", code=None)


def daemon(instance: Instance) -> dict[str, object]:
    """`orchctl daemon status --json`."""
    reply: dict[str, object] = json.loads(instance.ctl("daemon", "status", "--json"))
    return reply


def until_full(instance: Instance) -> None:
    """Ask for a change, which finds no room; return when the daemon waits for some."""
    with Raw(instance.home) as raw:
        raw.send(request("more", "limit", {"limit": 3}))
        until(lambda: daemon(instance)["disk_full"], what="a daemon that waits for room")
        assert not raw.socket.poll(0), "a change was answered that is not on the disk"


def test_a_daemon_on_a_full_disk_answers_reads_and_refuses_changes(small: Instance, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    agent_id = small.spawn("sh", "-c", f"read x < {tmp_path}/go; exit 7")
    queued = small.spawn("sh", "-c", "exit 8", options=["--after", agent_id])
    with full(small.directory):
        until_full(small)
        assert daemon(small)["pid"] == small.daemon.pid
        assert small.agent(agent_id)["status"] == "running"
        assert "disk full: no new agents will start" in small.ctl("status")
        changes = (
            "spawn --json -- true",
            f"cancel {agent_id} --json",
            "pause --json",
            "daemon stop --stop-agents --json",
        )
        for words in changes:
            reply = json.loads(small.ctl(*words.split(), code=1))
            assert reply["error"]["code"] == "disk-full", words
        waiting = subprocess.Popen([BIN / "orchctl", "wait", agent_id, queued], env=small.env, stdout=subprocess.PIPE)
        (tmp_path / "go").write_text("go\n")
        until(lambda: f"{agent_id}.1 7" in (small.home.agents / f"{agent_id}.1.exit").read_text())
        wait_reply = json.loads(small.ctl("wait", agent_id, "--timeout", "0.2", "--json", code=exit_codes.TIMED_OUT))
        assert (wait_reply["timed_out"], wait_reply["agents"][0]["status"]) == (True, "running")
    assert waiting.wait(DEADLINE) == 1
    waiting.communicate()
    assert (small.agent(agent_id)["exit_code"], small.agent(queued)["status"]) == (7, "skipped")
    assert (daemon(small)["pid"], daemon(small)["disk_full"]) == (small.daemon.pid, False)
    assert small.status()["limit"]["limit"] == 7
    assert "Traceback" not in small.log()


@pytest.mark.parametrize("has_reserve", [True, False])
def test_prune_frees_space_on_a_full_disk(small: Instance, has_reserve: bool) -> None:
    small.ctl("wait", small.spawn("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"))
    until(small.home.reserve.exists)
    if not has_reserve:
        small.home.reserve.unlink()
    with full(small.directory):
        until_full(small)
        reply = json.loads(small.ctl("prune", "--keep", "0", "--json"))
        assert reply["agents"] == 1
        assert reply["bytes"] > 3_000_000
        until(lambda: not daemon(small)["disk_full"])
        assert small.ctl("spawn", "--wait", "--", "true").splitlines()[0] == "agent-002"
    assert list(small.home.agents.glob("agent-001*")) == []


def waits(instance: Instance, *words: str) -> subprocess.Popen[str]:
    """`orchctl wait` under way."""
    command = [str(BIN / "orchctl"), "wait", *words]
    return subprocess.Popen(command, env=instance.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("has_reserve", [True, False])
@pytest.mark.parametrize("is_begun", [True, False])
def test_prune_keeps_an_agent_until_its_end_is_recorded(
    small: Instance, tmp_path: Path, is_begun: bool, has_reserve: bool
) -> None:
    os.mkfifo(tmp_path / "go")
    old = small.spawn("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    small.ctl("wait", old)
    agent_id = small.spawn("sh", "-c", f"read x < {tmp_path}/go; exit 7")
    until(small.home.reserve.exists)
    if not has_reserve:
        small.home.reserve.unlink()
    waiting = [waits(small, agent_id)] if is_begun else []
    with full(small.directory):
        until_full(small)
        waiting.append(waits(small, agent_id))
        (tmp_path / "go").write_text("go\n")
        until(lambda: f"{agent_id}.1 7" in (small.home.agents / f"{agent_id}.1.exit").read_text())
        reply = json.loads(small.ctl("prune", "--keep", "0", "--json"))
        assert (reply["agents"], reply["left"]) == (1, 0)
        until(lambda: not daemon(small)["disk_full"])
        agent = small.agent(agent_id)
        assert (agent["status"], agent["exit_code"]) == ("failed", 7)
    for client in waiting:
        assert (client.wait(DEADLINE), "exit 7" in client.communicate()[0]) == (1, True)


def test_prune_keeps_an_agent_that_a_client_waits_for(small: Instance) -> None:
    completed, going = small.spawn("true"), small.spawn("sleep", "600")
    small.ctl("wait", completed)
    with full(small.directory):
        until_full(small)
        with Raw(small.home) as raw:
            raw.send(request("held", "wait", {"ids": [completed, going]}))
            raw.send(request("next", "daemon"))
            assert raw.recv()["id"] == "next"  # requests are handled in their order
            assert json.loads(small.ctl("prune", "--keep", "0", "--json"))["agents"] == 0
    assert small.agent(completed)["status"] == "completed"


def test_a_wait_is_answered_on_a_full_disk_if_its_outcome_is_recorded(small: Instance) -> None:
    completed, going = small.spawn("true"), small.spawn("sleep", "600")
    small.ctl("wait", completed)
    with full(small.directory):
        until_full(small)
        assert completed in small.ctl("wait", completed)
        assert completed in small.ctl("wait", "--any", completed, going)
        assert "unknown-agent" in small.ctl("wait", "agent-099", "--json", code=1)
    until(lambda: not daemon(small)["disk_full"])  # so that it can end what goes on


def test_a_daemon_that_starts_on_a_full_disk_waits_for_free_space(stopped: Instance) -> None:
    with tmpfs(stopped.directory, "4m"):
        stopped.start()
        stopped.ctl("wait", stopped.spawn("true"))
        stopped.stop()
        with full(stopped.directory):
            stopped.start()
            assert daemon(stopped)["disk_full"]
            assert stopped.agent("agent-001")["status"] == "completed"
        until(lambda: not daemon(stopped)["disk_full"])
        stopped.stop()


def test_a_daemon_without_a_database_refuses_all_requests_and_names_no_prune(stopped: Instance) -> None:
    with tmpfs(stopped.directory, "1m"):
        stopped.home.create()
        with full(stopped.directory):
            stopped.start()
            assert daemon(stopped)["disk_full"]
            for words in ("status --json", "prune --json --keep 0", "spawn --json -- true"):
                error = json.loads(stopped.ctl(*words.split(), code=1))["error"]
                assert (error["code"], "prune" in error["message"]) == ("disk-full", False)
            assert "prune" not in stopped.ctl("doctor", code=1)
            waited = stopped.ctl("wait", "agent-001", "--timeout", "0.2", "--json", code=exit_codes.TIMED_OUT)
            assert json.loads(waited) == {"agents": [], "timed_out": True, "runs": []}
            stopped.ctl("daemon", "stop", "--keep-agents")
            assert stopped.daemon.wait(DEADLINE) == 0


def test_a_daemon_on_a_full_disk_can_stop_and_keep_its_agents(small: Instance) -> None:
    agent_id = small.spawn("sleep", "600")
    with full(small.directory):
        until_full(small)
        small.ctl("daemon", "stop", "--keep-agents")
        assert small.daemon.wait(DEADLINE) == 0
    small.start()
    assert small.agent(agent_id)["status"] == "running"


def test_an_agent_on_a_full_disk_is_still_forbidden_to_prune(small: Instance, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    agent_id = small.spawn("sh", "-c", f"read x < {tmp_path}/go; orchctl prune --keep 0 2> {tmp_path}/said; exit 0")
    with full(small.directory):
        until_full(small)
        (tmp_path / "go").write_text("go\n")
        until(lambda: "forbidden" in (tmp_path / "said").read_text() if (tmp_path / "said").exists() else False)
    small.ctl("wait", agent_id)
