"""Today's daemon takes over a home of the commit in tests/base_commit.txt: nothing is lost, and nothing runs twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchd.instance.system.locks import is_locked
from tests.conftest import DEADLINE, Instance, until
from tests.e2e.fleet import Book, Gate
from tests.installation import base, install_base

LIMIT = 5  # three agents and a member of the run hold a slot each, and one more has failed when the daemon is replaced


class Older:
    """The installation of the base commit."""

    def __init__(self, programs: Path, instance: Instance) -> None:
        self._programs = programs
        self._instance = instance
        self.daemon = [str(programs / "python"), "-P", "-m", "orchd"]

    def ctl(self, *words: str, code: int = 0, cwd: Path | None = None, stdin: str | None = None) -> str:
        """The output of the client of the base commit."""
        process = subprocess.run(
            [self._programs / "orchctl", *words],
            env=self._instance.env,
            cwd=cwd or self._instance.directory,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
        assert process.returncode == code, (words, process.stdout, process.stderr)
        return process.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the base commit."""
    installed = install_base(tmp_path_factory.mktemp("older") / "app")
    if installed is None:
        pytest.skip(f"the history of git has no {base()[:12]} here")
    return installed


@pytest.fixture
def older(stopped: Instance, programs: Path) -> Older:
    """The base commit, serving the home."""
    stopped.configure(f"limit = {LIMIT}\n")
    old_daemon = Older(programs, stopped)
    stopped.start(*old_daemon.daemon)
    return old_daemon


class Work:
    """Work that the base commit has begun: agents that live, that wait, that failed, and a run that is half done."""

    def __init__(self, older: Older, directory: Path) -> None:
        self._directory = directory
        self.book = Book(directory / "book")
        self.gates = {name: Gate(directory / name) for name in ("ends", "fails", "away", "member")}
        project = directory / "project"
        project.mkdir()
        (project / "composition.json").write_text(json.dumps(self._composition()))
        self.failed = self._spawn(older, "false; exit 3")
        older.ctl("wait", self.failed, code=1)
        older.ctl("run", "composition.json", "--detach", cwd=project)
        self.living = {name: self._spawn(older, f"{self.gates[name].script}; {end}") for name, end in ENDS.items()}
        self.blocked = self._spawn(older, "exit 0", "--after", self.living["ends"])
        until(lambda: len(self.book.entries()) == 6)  # the failed one, two members of the run and the living ones
        older.ctl("pause")
        lines = [{"command": ["sh", "-c", f"{self.book.script}; [ $ORCHD_ATTEMPT = 2 ]"], "retries": 1}] * 4
        self.queued = older.ctl("spawn", "--batch", "-", stdin="\n".join(map(json.dumps, lines))).split()

    def _spawn(self, older: Older, script: str, *options: str) -> str:
        return older.ctl("spawn", *options, "--", "sh", "-c", f"{self.book.script}; {script}").strip()

    def _composition(self) -> dict[str, object]:
        scripts = {"first": "true", "second": self.gates["member"].script, "third": "true"}
        names = list(scripts)
        parts = [
            {
                "skillName": name,
                "command": ["sh", "-c", f"{self.book.script}; {script}"],
                "dependencies": names[:index][-1:],
            }
            for index, (name, script) in enumerate(scripts.items())
        ]
        return {"name": "team", "executionMode": "hybrid", "subSkills": parts}

    def ends_while_no_daemon_runs(self, instance: Instance) -> None:
        """Return when the exit of one agent is in its record."""
        self.gates["away"].let()
        record = instance.home.agents / f"{self.living['away']}.1.exit"
        until(lambda: not is_locked(record), what="the end of its shim")

    def close(self) -> None:
        """Give the gates back."""
        for gate in self.gates.values():
            gate.close()


ENDS = {"ends": "exit 0", "fails": "exit 7", "away": "exit 5"}


@pytest.fixture
def work(older: Older, tmp_path: Path) -> Iterator[Work]:
    """The work, begun."""
    with closing(Work(older, tmp_path)) as begun:
        yield begun


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("leaves", ["in order", "killed"])
def test_a_home_of_the_base_commit_continues_without_loss(
    older: Older, work: Work, stopped: Instance, leaves: str
) -> None:
    pids = {agent_id: stopped.agent(agent_id)["pid"] for agent_id in work.living.values()}
    before = stopped.status("--all")["agents"]
    if leaves == "killed":
        stopped.kill()
    else:
        older.ctl("daemon", "stop", "--keep-agents")
        stopped.daemon.wait(DEADLINE)
    work.ends_while_no_daemon_runs(stopped)
    stopped.start()

    assert {agent["id"] for agent in stopped.status("--all")["agents"]} == {agent["id"] for agent in before}
    for name in ("ends", "fails"):
        agent = stopped.agent(work.living[name])
        assert (agent["status"], agent["attempt"], agent["pid"]) == ("running", 1, pids[agent["id"]])
    away = stopped.agent(work.living["away"])
    assert (away["status"], away["exit_code"]) == ("failed", 5)
    assert len(work.book.entries()) == 6
    run = json.loads(stopped.ctl("run-status", "run-001", "--json"))["run"]
    assert [member["status"] for member in run["members"]] == ["completed", "running", "queued"]

    stopped.ctl("resume")
    for name in ("ends", "fails", "member"):
        work.gates[name].let()
    stopped.ctl("wait", "--all", code=None)
    check_ends(work, stopped)
    check_retry_of_the_failed(work, stopped)


def check_ends(work: Work, stopped: Instance) -> None:
    """Every agent ended as its program did, and started as often as it should."""
    ends = {
        agent_id: (agent["status"], agent["exit_code"], agent["attempt"]) for agent_id, agent in shown(stopped).items()
    }
    assert ends.pop(work.failed) == ("failed", 3, 1)
    assert ends.pop(work.living["fails"]) == ("failed", 7, 1)
    assert ends.pop(work.living["away"]) == ("failed", 5, 1)
    assert {ends.pop(agent_id) for agent_id in work.queued} == {("completed", 0, 2)}
    assert set(ends.values()) == {("completed", 0, 1)}
    assert len(ends) == 5  # the other living one, what came after it, and the members of the run
    run = json.loads(stopped.ctl("run-status", "run-001", "--json"))["run"]
    assert run["status"] == "completed"
    started = work.book.entries()
    assert len(started) == len(set(started)) == 9 + 2 * len(work.queued) - 1
    events = [json.loads(line) for line in stopped.ctl("events", "--since", "0", "--json").splitlines()]
    admitted = [event["agent"] for event in events if event["event"] == "attempt-admitted"]
    assert [agent_id for agent_id in dict.fromkeys(admitted) if agent_id in work.queued] == work.queued
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def check_retry_of_the_failed(work: Work, stopped: Instance) -> None:
    """A retry of the agent that failed under the base commit takes the command and environment that it kept."""
    stopped.ctl("retry", work.failed)
    stopped.ctl("wait", work.failed, code=1)
    assert stopped.agent(work.failed)["attempt"] == 2


def shown(instance: Instance) -> dict[str, dict[str, object]]:
    """All agents ever spawned."""
    return {agent["id"]: agent for agent in instance.status("--all")["agents"]}
