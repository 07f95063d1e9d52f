"""The inputs of agents, while the agents have them and for a retry."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from orchd.core.state.agents import Agent, Level, Status, agent_id
from orchd.protocol.errors import WireError
from orchd.store.codec import pack
from orchd.store.spawn_inputs import VERSION, Inputs, Retries, SpawnInputs
from tests.core.box import spec

ENVIRONMENTS = {"e": {"A": "1"}, "f": {"A": "2", "RAW": "\udcff"}}


class Box:
    """A home's directories, and agents that come and go."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.restart()

    def restart(self) -> None:
        """The inputs that the next daemon has."""
        inputs = Inputs(self.directory / "inputs")
        self.given = SpawnInputs(inputs, Retries(self.directory / "retry", self.environment, inputs))

    def environment(self, digest: str) -> dict[str, str]:
        """As the daemon's environments answer."""
        if digest not in ENVIRONMENTS:
            raise FileNotFoundError(2, "No such file or directory")
        return ENVIRONMENTS[digest]

    def agent(self, number: int, content: bytes | None = None, environment: str = "e") -> Agent:
        """One that was queued."""
        stdin = None if content is None else self.given.inputs.keep(content)
        new_agent = Agent(agent_id(number), spec(environment=environment, stdin=stdin), Level.PM, (), 0, 0.0)
        self.given.began([new_agent])
        return new_agent

    def end(self, agent: Agent, status: Status = Status.FAILED) -> None:
        """End an agent with a status, and complete the turn."""
        agent.status = status
        self.given.ended([agent])
        self.given.inputs.tidy()

    def files(self) -> list[str]:
        """All files that are kept."""
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """An empty home."""
    return Box(tmp_path)


def test_an_input_is_deleted_with_the_last_agent_that_uses_it(box: Box) -> None:
    first, second = box.agent(1, b"x"), box.agent(2, b"x")
    (path,) = box.files()
    assert Path(first.spec.stdin or "").read_bytes() == b"x"
    box.end(first, Status.COMPLETED)
    assert box.files() == [path]
    box.end(second, Status.COMPLETED)
    assert box.files() == []


def test_the_input_of_a_refused_request_is_deleted(box: Box) -> None:
    box.given.inputs.keep(b"x")
    assert len(box.files()) == 1
    box.given.inputs.tidy()
    assert box.files() == []


def test_retry_inputs_are_kept_privately_and_read_by_the_next_daemon(box: Box) -> None:
    agent = box.agent(1, b"x", "f")
    box.end(agent)
    assert box.files() == ["retry/agent-001", "retry/agent-001.in"]
    assert {path.stat().st_mode & 0o777 for path in (box.directory / "retry").iterdir()} == {0o600}
    box.restart()
    assert box.given.retries.environment(agent.id) == ENVIRONMENTS["f"]
    box.given.retries.restore_input(agent)
    box.given.began([agent])
    assert Path(agent.spec.stdin or "").read_bytes() == b"x"
    box.end(agent, Status.COMPLETED)
    assert box.files() == []


def test_retry_environments_share_a_file_and_are_dropped_separately(box: Box) -> None:
    agents = [box.agent(number) for number in (1, 2, 3)]
    for agent in agents:
        box.end(agent)
    assert {path.stat().st_nlink for path in (box.directory / "retry").iterdir()} == {3}
    box.given.retries.drop(agents[2].id)
    box.given.retries.drop(agents[0].id)
    assert box.files() == ["retry/agent-002"]
    assert box.given.retries.environment(agents[1].id) == ENVIRONMENTS["e"]
    other = box.agent(4)
    box.end(other)
    assert box.given.retries.environment(other.id) == ENVIRONMENTS["e"]


@pytest.mark.parametrize("content", [b"", b"\xc1", pack([1]), pack({"version": VERSION, "environment": 3})])
def test_a_damaged_retry_record_is_an_error_that_names_a_remedy(box: Box, content: bytes) -> None:
    agent = box.agent(1)
    box.end(agent)
    (box.directory / "retry" / agent.id).write_bytes(content)
    with pytest.raises(WireError, match="agent-001 is damaged; `orchctl retry --current-env agent-001`") as caught:
        box.given.retries.environment(agent.id)
    assert caught.value.code == "environment-lost"


def test_a_newer_retry_record_is_an_error_that_names_both_versions(box: Box) -> None:
    agent = box.agent(1)
    box.end(agent)
    newer = {"version": VERSION + 1, "environment": {}, "input": None}
    (box.directory / "retry" / agent.id).write_bytes(pack(newer))
    with pytest.raises(WireError, match=f"has the version {VERSION + 1}, but this daemon reads {VERSION}"):
        box.given.retries.environment(agent.id)


def test_a_pipe_instead_of_a_retry_file_is_refused_without_blocking(box: Box) -> None:
    agent = box.agent(1, b"x")
    box.end(agent)
    for name in (agent.id, f"{agent.id}.in"):
        (box.directory / "retry" / name).unlink()
        os.mkfifo(box.directory / "retry" / name)
    with pytest.raises(WireError, match="a FIFO is in the place of the file"):
        box.given.retries.environment(agent.id)
    with pytest.raises(WireError, match="its original standard input is lost: a FIFO"):
        box.given.retries.restore_input(agent)


def test_an_agent_with_a_lost_environment_ends(box: Box) -> None:
    agent = box.agent(1, environment="deleted")
    box.end(agent)
    with pytest.raises(WireError, match="it is no longer kept"):
        box.given.retries.environment(agent.id)


def test_the_next_daemon_keeps_the_retry_data_a_dead_daemon_had_not_kept(box: Box) -> None:
    ended, going = box.agent(1, b"x"), box.agent(2, b"y")
    ended.status = Status.LOST
    box.given.inputs.keep(b"nobody's")
    box.restart()
    box.given.recover([going], [ended, going], {"e"})
    assert box.given.retries.environment(ended.id) == ENVIRONMENTS["e"]
    assert (box.directory / "retry/agent-001.in").read_bytes() == b"x"
    assert [path.read_bytes() for path in (box.directory / "inputs").iterdir()] == [b"y"]
    assert not box.given.retries.has(going.id)


def test_an_agent_without_a_kept_input_restores_no_input(box: Box) -> None:
    agent = box.agent(1)
    box.end(agent)
    box.given.retries.restore_input(agent)
    assert box.files() == ["retry/agent-001"]


def test_an_agent_revived_in_the_turn_of_its_end_keeps_no_retry_data(box: Box) -> None:
    agent = box.agent(1, b"x")
    box.end(agent, Status.QUEUED)
    assert box.files() == []


def test_an_input_is_copied_where_hard_links_are_unsupported(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    agents = [box.agent(number, b"x", "f") for number in (1, 2)]
    monkeypatch.setattr(os, "link", refuse)
    for agent in agents:
        box.end(agent)
    kept = [path for path in (box.directory / "retry").iterdir() if path.suffix == ".in"]
    assert [path.read_bytes() for path in kept] == [b"x", b"x"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    for agent in agents:
        assert box.given.retries.environment(agent.id) == ENVIRONMENTS["f"]


def test_an_agent_with_a_lost_input_ends(box: Box) -> None:
    agent = box.agent(1, b"x")
    Path(agent.spec.stdin or "").unlink()
    box.end(agent)
    assert box.files() == []
    with pytest.raises(WireError, match="its original standard input is lost: No such file or directory"):
        box.given.retries.restore_input(agent)
