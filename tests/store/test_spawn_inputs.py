"""The inputs of agents, while the agents have them and for a retry."""

from __future__ import annotations

import os
from pathlib import Path

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


def test_an_input_is_there_as_long_as_an_agent_has_it(box: Box) -> None:
    first, second = box.agent(1, b"x"), box.agent(2, b"x")
    (path,) = box.files()
    assert Path(first.spec.stdin or "").read_bytes() == b"x"
    box.end(first, Status.COMPLETED)
    assert box.files() == [path]
    box.end(second, Status.COMPLETED)
    assert box.files() == []


def test_an_input_of_a_request_that_was_refused_goes(box: Box) -> None:
    box.given.inputs.keep(b"x")
    assert len(box.files()) == 1
    box.given.inputs.tidy()
    assert box.files() == []


def test_what_did_not_complete_is_kept_privately_and_the_next_daemon_knows_it(box: Box) -> None:
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


def test_those_with_one_environment_share_a_file_and_each_goes_by_itself(box: Box) -> None:
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
def test_what_is_damaged_is_an_error_with_a_way_out(box: Box, content: bytes) -> None:
    agent = box.agent(1)
    box.end(agent)
    (box.directory / "retry" / agent.id).write_bytes(content)
    with pytest.raises(WireError, match="agent-001 is damaged; `orchctl retry --current-env agent-001`") as caught:
        box.given.retries.environment(agent.id)
    assert caught.value.code == "environment-lost"


def test_what_a_newer_version_kept_is_an_error_that_names_both(box: Box) -> None:
    agent = box.agent(1)
    box.end(agent)
    newer = {"version": VERSION + 1, "environment": {}, "input": None}
    (box.directory / "retry" / agent.id).write_bytes(pack(newer))
    with pytest.raises(WireError, match=f"has the version {VERSION + 1}, but this daemon reads {VERSION}"):
        box.given.retries.environment(agent.id)


def test_a_pipe_in_the_place_of_what_is_kept_blocks_nothing(box: Box) -> None:
    agent = box.agent(1, b"x")
    box.end(agent)
    for name in (agent.id, f"{agent.id}.in"):
        (box.directory / "retry" / name).unlink()
        os.mkfifo(box.directory / "retry" / name)
    with pytest.raises(WireError, match="a FIFO is in the place of the file"):
        box.given.retries.environment(agent.id)
    with pytest.raises(WireError, match="its original standard input is lost: a FIFO"):
        box.given.retries.restore_input(agent)


def test_an_environment_that_is_lost_already_keeps_no_agent_from_ending(box: Box) -> None:
    agent = box.agent(1, environment="deleted")
    box.end(agent)
    with pytest.raises(WireError, match="it is no longer kept"):
        box.given.retries.environment(agent.id)


def test_what_a_daemon_that_died_had_not_kept_yet_is_kept_by_the_next(box: Box) -> None:
    ended, going = box.agent(1, b"x"), box.agent(2, b"y")
    ended.status = Status.LOST
    box.given.inputs.keep(b"nobody's")
    box.restart()
    box.given.recover([going], [ended, going], {"e"})
    assert box.given.retries.environment(ended.id) == ENVIRONMENTS["e"]
    assert (box.directory / "retry/agent-001.in").read_bytes() == b"x"
    assert [path.read_bytes() for path in (box.directory / "inputs").iterdir()] == [b"y"]
    assert not box.given.retries.has(going.id)
