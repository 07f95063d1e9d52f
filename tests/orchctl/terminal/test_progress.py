"""The progress line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from orchctl.client import Client
from orchctl.client.connection import milliseconds
from orchctl.terminal.progress import Progress, of_drain, of_wait
from orchd.protocol.errors import WireError
from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Terminal


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    with instance.client() as connection:
        yield connection


def test_progress_line_shows_its_text_and_is_erased_when_closed(client: Client, terminal: Terminal) -> None:
    with terminal.attached("stderr"):
        line = Progress(client, lambda asker: f"limit {asker.call('limit')['limit']}")
        assert line.look() is None
        line.close()
    assert terminal.until("\r       \r") == "\rlimit 7\r       \r"


def test_progress_line_queries_the_daemon_again_only_after_an_event(client: Client) -> None:
    answers: list[bool] = []

    def text(asker: Client) -> str:
        answers.append(asker.call("limit")["paused"])
        return ""

    line = Progress(client, text)
    poller = zmq.Poller()
    for source in line.sources():
        poller.register(source, zmq.POLLIN)
    line.look()
    client.call("pause")
    pause = line.look()
    while not answers[-1]:
        poller.poll(milliseconds(math.inf, pause))
        pause = line.look()
    line.close()
    assert len(answers) <= 3


def test_progress_line_reports_a_daemon_that_does_not_answer(client: Client, terminal: Terminal) -> None:
    def text(_: Client) -> str:
        raise WireError("no", "no")

    with terminal.attached("stderr"):
        line = Progress(client, text)
        line.look()
        line.close()
    assert "the daemon does not answer" in terminal.until("answer")


def test_a_wait_counts_the_ended_agents(instance: Instance, client: Client) -> None:
    first, second = instance.spawn("true"), instance.spawn("sleep", "60")
    client.wait(ids=[first])
    assert of_wait([first, second])(client) == "waiting: 1 of 2 ended, 1 running"


def test_a_wait_for_a_run_counts_its_members(instance: Instance, client: Client, tmp_path: Path) -> None:
    sub_skills = [after("a", command=["true"]), *(after(name, "a", command=["sleep", "60"]) for name in "bcd")]
    path = written(tmp_path / "team.json", composition(*sub_skills))
    run = instance.ctl("run", str(path), "--detach", cwd=tmp_path).strip()
    client.wait(ids=["1"])
    assert of_wait([run])(client).startswith("waiting: 1 of 4 ended, ")
    assert of_wait([run, "2", "2"])(client).startswith("waiting: 1 of 4 ended, ")
    assert of_wait([])(client).startswith("waiting: ")


def test_a_drain_counts_the_running_agents(instance: Instance, client: Client) -> None:
    instance.spawn("sleep", "60")
    assert of_drain(client) == "waiting for 1 agents to end"
