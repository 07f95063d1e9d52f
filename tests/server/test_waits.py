"""Clients that are blocked in a wait: they are told when it is true, and their death is heard of."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from orchd.core.inputs import Cancel
from orchd.core.state.agents import RequestId
from orchd.server import waits
from tests.conftest import until
from tests.support.bench import Bench


def test_a_repeated_wait_is_answered_on_its_latest_route(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000")
    bench.send("wait", {"ids": [agent.id]}, request="w", route=b"old")
    bench.send("wait", {"ids": [agent.id]}, request="w", route=b"new")
    bench.ask("cancel", {"ids": [agent.id]})
    bench.until_over(agent)
    assert [route for route, reply in bench.replies if reply.id == "w"] == [(b"new",)]
    assert bench.reply("w")["agents"][0]["status"] == "cancelled"


def test_an_external_wait_times_out(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000")
    request = bench.send("wait", {"ids": [agent.id], "timeout": 60})
    bench.tick(59)
    assert not bench.is_answered(request)
    bench.tick(2)
    assert bench.reply(request)["timed_out"]
    assert bench.ask("wait", {"ids": [agent.id], "timeout": 0})["timed_out"]


def test_a_wait_without_named_targets_is_empty_or_refused(bench: Bench) -> None:
    assert bench.ask("wait", {"scope": "all"}) == {"agents": [], "timed_out": False}
    assert bench.code("wait") == "bad-request"
    assert bench.code("wait", {"scope": "children"}) == "bad-request"


def test_a_client_with_too_many_waits_is_answered_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "_MOST", 3)
    agent = bench.spawn("sleep", "1000")
    requests = [bench.send("wait", {"ids": [agent.id]}) for _ in range(3)]
    assert bench.code("wait", {"ids": [agent.id]}) == "busy"
    bench.ask("cancel", {"ids": [agent.id]})
    bench.until_over(agent)
    assert [bench.is_answered(request) for request in requests] == [True] * 3
    assert bench.ask("wait", {"ids": [agent.id]})["agents"][0]["status"] == "cancelled"


def test_the_wait_of_a_dead_client_is_dropped(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000")
    started = subprocess.run(  # by a shell that is gone, or it would be a process of ours
        ["sh", "-c", "sleep 1000 >/dev/null & echo $!"], stdout=subprocess.PIPE, start_new_session=True, check=True
    )
    client = int(started.stdout)
    request = bench.send("wait", {"ids": [agent.id]}, pid=client)
    assert list(bench.context.waits.targets()) == [agent.id]
    os.kill(client, signal.SIGKILL)

    def is_forgotten() -> bool:
        bench.tick()
        return not list(bench.context.waits.targets())

    until(is_forgotten)
    bench.ask("cancel", {"ids": [agent.id]})
    bench.until_over(agent)
    assert not bench.is_answered(request)


def test_a_wait_for_any_is_answered_by_the_first_ended_agent(bench: Bench) -> None:
    slow, quick = bench.spawn("sleep", "1000"), bench.spawn("true")
    request = bench.send("wait", {"ids": [slow.id, quick.id], "any": True})
    bench.until_over(quick)
    assert [agent["status"] for agent in bench.reply(request)["agents"]] == ["running", "completed"]


def test_an_external_wait_waits_again_for_a_retried_agent(bench: Bench) -> None:
    # like a wait of the core's: answered with one that is queued again, its client would call a lie a success
    first, second = bench.spawn("false"), bench.spawn("sleep", "1000")
    request = bench.send("wait", {"ids": [first.id, second.id]})
    bench.until_over(first)
    bench.ask("pause")
    assert bench.ask("retry", {"ids": [first.id]})["agents"][0]["status"] == "queued"
    bench.ask("cancel", {"ids": [second.id]})
    bench.until_over(second)
    assert not bench.is_answered(request)
    bench.ask("resume")
    bench.until_over(first)
    assert [agent["status"] for agent in bench.reply(request)["agents"]] == ["failed", "cancelled"]


def test_session_files_are_flushed_before_an_external_wait_is_answered(bench: Bench) -> None:
    bench.ask("pause")
    agent = bench.spawn("true")
    request = bench.send("wait", {"ids": [agent.id]})
    answers: list[bool] = []
    bench.dispatcher.ended([], lambda: answers.append(True))
    assert answers == []
    bench.engine.feed([Cancel(RequestId("c"), (agent.id,))])
    bench.engine.finish()
    bench.dispatcher.ended(bench.engine.ended(), lambda: answers.append(bench.is_answered(request)))
    assert answers == [False]
    assert bench.is_answered(request)
