"""The shell does what the core asks."""

from __future__ import annotations

import typing

import pytest

from orchd.core import effects
from orchd.core.effects import CheckOutput, Effect, Launch
from orchd.core.inputs import CallerGone, OutputSeen
from orchd.core.state.agents import RequestId, Wait, agent_id
from orchd.daemon.performer import PERFORM
from tests.support.bench import Bench


def test_every_effect_has_a_performer() -> None:
    asked_before_the_commit = {Launch, CheckOutput}
    assert set(PERFORM) == set(typing.get_args(Effect)) - asked_before_the_commit


def test_the_shell_reports_how_long_an_attempt_has_been_silent(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    bench.ahead += 30
    answer = bench.shell.ask(CheckOutput(agent.id, 1))
    assert isinstance(answer, OutputSeen)
    assert (answer.agent, answer.attempt) == (agent.id, 1)
    assert 30 <= answer.ago < 60


def test_a_client_that_died_before_its_watch_began_is_reported_at_once(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    agent.waits[RequestId("w")] = Wait(RequestId("w"), (), False, None, 2**22 - 1, 1.0)
    bench.shell.do(effects.WatchCaller(agent.id, RequestId("w")))
    bench.shell.do(effects.WatchCaller(agent.id, RequestId("no such wait")))
    assert bench.shell.backlog == [CallerGone(agent.id, RequestId("w"))]
    bench.shell.backlog = []
    agent.waits.clear()


def test_process_trees_are_stopped_in_slices_and_all_before_shutdown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, bool]] = []

    def stop(agent: str, attempt: int, *, kill: bool) -> None:
        ended.append((agent, kill))
        bench.ahead += 0.5

    monkeypatch.setattr(bench.processes, "stop", stop)
    for number in range(1, 6):
        bench.shell.do(effects.Terminate(agent_id(number), 1))
    bench.shell.do(effects.Kill(agent_id(3), 1))
    assert ended == [("agent-001", False)]
    bench.shell.next_turn()
    assert ended[1:] == [("agent-002", False)]
    assert bench.shell.has_more
    bench.shell.stop_all()
    assert ended[2:] == [("agent-003", False), ("agent-004", False), ("agent-005", False), ("agent-003", True)]
    assert not bench.shell.has_more
