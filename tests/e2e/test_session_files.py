"""The files of a session, read as scripts read them, while agents come and go and the daemon is killed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BIN, DEADLINE, Instance, until

SPAWNERS, READERS = 50, 20
OVER = {"completed", "failed", "cancelled", "timed-out", "lost", "skipped"}
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that agents are spawned in."""
    (tmp_path / "project/.agent").mkdir(parents=True)
    return tmp_path / "project"


def said(command: str, project: Path) -> str:
    """The output of a shell command in the project."""
    process = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True, check=True)
    return process.stdout


def agents(project: Path) -> list[dict[str, str]]:
    """The content of agents.json."""
    rows: list[dict[str, str]] = json.loads((project / ".claude/state/agents.json").read_text())
    return rows


@needs_jq
def test_jq_lists_the_running_agents_from_the_agents_file(instance: Instance, project: Path) -> None:
    gate = project / "gate"
    instance.ctl("spawn", "--name", "a", "--skill", "backend", "--task-id", "bd-1", "--", "true", cwd=project)
    instance.ctl("wait", "1")
    instance.ctl("spawn", "--name", "b", "--", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.02; done", cwd=project)
    running = """cat .claude/state/agents.json | jq '.[] | select(.status == "running")'"""
    until(lambda: '"agent-002"' in said(running, project))
    (row,) = [json.loads(said(running, project))]
    assert (row["id"], row["name"], row["status"]) == ("agent-002", "b", "running")
    grouped = "cat .claude/state/agents.json | jq 'group_by(.status) | map({status: .[0].status, count: length})'"
    assert json.loads(said(grouped, project)) == [
        {"status": "completed", "count": 1},
        {"status": "running", "count": 1},
    ]
    first = agents(project)[0]
    assert (first["skillName"], first["taskId"]) == ("backend", "bd-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", first["spawnedAt"])
    gate.touch()
    instance.ctl("wait", "2")
    assert said(running, project) == ""


def test_tail_follows_the_events_through_a_daemon_crash(instance: Instance, project: Path) -> None:
    instance.ctl("spawn", "--wait", "--", "true", cwd=project)
    tail = subprocess.Popen(
        ["tail", "-n", "+1", "-f", ".claude/state/events.jsonl"], cwd=project, stdout=subprocess.PIPE, text=True
    )
    try:
        entries = [next(_events(tail)) for _ in range(6)]
        instance.kill()
        instance.ctl("spawn", "--wait", "--", "true", cwd=project)
        entries += [next(_events(tail)) for _ in range(5)]
    finally:
        tail.kill()
        tail.communicate()
    assert [event for event, _ in entries][-1] == "agent-completed"
    assert [seq for _, seq in entries] == list(range(1, 12))


def _events(tail: subprocess.Popen[str]) -> Iterator[tuple[str, int]]:
    assert tail.stdout is not None
    for line in tail.stdout:
        event = json.loads(line)
        yield event["event"], event["seq"]


def test_the_latest_session_is_polled_until_every_task_is_completed(instance: Instance, project: Path) -> None:
    names = [f"subtask-{letter}" for letter in "ABC"]
    for name in names:
        instance.ctl("spawn", "--name", name, "--", "sh", "-c", "sleep 0.3", cwd=project)
    latest = project / ".agent/sessions/latest.yaml"

    def standing() -> dict[str, str]:
        return dict(re.findall(r"  - name: (\S+)\n    status: (\S+)\n", latest.read_text()))

    until(lambda: latest.exists() and standing() == dict.fromkeys(names, "Completed"))


class Crowd:
    """Many who spawn and wait, and many who read meanwhile; and what was wrong with what they saw."""

    def __init__(self, instance: Instance, project: Path) -> None:
        self.instance = instance
        self.project = project
        self.wrong: list[str] = []
        self.waited = threading.Semaphore(0)  # once for each spawner that is back
        self._is_over = threading.Event()
        self._readers = [threading.Thread(target=self._read) for _ in range(READERS)]
        self._spawners = [threading.Thread(target=self._spawn, args=(number,)) for number in range(SPAWNERS)]

    def begin(self) -> None:
        """Begin with all threads at once."""
        for thread in (*self._readers, *self._spawners):
            thread.start()

    def end(self) -> None:
        """When the last spawner is back."""
        for thread in self._spawners:
            thread.join(DEADLINE)
        self._is_over.set()
        for thread in self._readers:
            thread.join(DEADLINE)

    def _latest(self) -> str:
        return (self.project / ".agent/sessions/latest.yaml").read_text()

    def _spawn(self, number: int) -> None:
        words = [str(BIN / "orchctl"), "spawn", "--name", f"t{number}", "--wait", "--", "sh", "-c", "sleep 0.05"]
        process = subprocess.run(
            words, cwd=self.project, env=self.instance.env, capture_output=True, text=True, check=False
        )
        self.waited.release()
        if process.returncode:
            self.wrong.append(f"{process.returncode}: {process.stderr}")
            return
        (status,) = [agent["status"] for agent in agents(self.project) if agent["name"] == f"t{number}"]
        if status != "completed" or f"  - name: t{number}\n    status: Completed\n" not in self._latest():
            self.wrong.append(f"t{number} has ended and the files say {status}")

    def _read(self) -> None:
        ended: dict[str, str] = {}
        while not self._is_over.wait(0.002):
            try:
                statuses = {agent["id"]: agent["status"] for agent in agents(self.project)}
                text = self._latest()
            except FileNotFoundError:
                continue
            except ValueError as error:
                self.wrong.append(f"torn: {error}")
                return
            if not text.startswith("session: session-001\n") or not text.endswith("\n"):
                self.wrong.append(f"torn: {text[:50]!r}...{text[-50:]!r}")
            if back := [agent_id for agent_id, status in ended.items() if statuses.get(agent_id) != status]:
                self.wrong.append(f"{back} had ended and have not any more")
            ended.update({agent_id: status for agent_id, status in statuses.items() if status in OVER})


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_no_reader_ever_sees_a_torn_or_stale_file(instance: Instance, project: Path) -> None:
    """50 clients spawn and wait, 20 readers read, and the daemon is killed in between."""
    crowd = Crowd(instance, project)
    crowd.begin()
    for _ in range(SPAWNERS // 2):
        assert crowd.waited.acquire(timeout=DEADLINE)
    instance.kill()
    crowd.end()
    assert crowd.wrong == []
    assert len(agents(project)) == SPAWNERS
    events = [json.loads(line)["seq"] for line in (project / ".claude/state/events.jsonl").read_text().splitlines()]
    assert events == sorted(set(events))
