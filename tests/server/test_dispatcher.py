"""Requests become inputs or answers, effects become replies: the outer layers without a socket."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from orchd.core.state.agents import Status, agent_id
from orchd.instance.config import Config
from orchd.protocol.errors import WireError
from orchd.protocol.frames import pack_request
from orchd.server.operations import agents
from orchd.server.operations.table import OPERATIONS
from tests.support.bench import SOMEBODY, Bench
from tests.support.peers import peer_of


def test_an_invalid_request_is_refused_with_a_code(bench: Bench) -> None:
    peer = peer_of(bench.callers, SOMEBODY)
    for frame in (b"\xc1", pack_request("x", "nothing", {}), pack_request("x", "limit", {"limit": 0})):
        assert bench.dispatcher.accept(peer, frame) is None
    codes = [reply.error.code for _, reply in bench.replies if reply.error]
    assert codes == ["bad-frame", "unknown-op", "bad-request"]


def test_a_repeated_request_is_performed_once(bench: Bench) -> None:
    args = {"agents": [{"command": ["/bin/true"]}], "cwd": "/"}
    bench.ask("pause")
    assert bench.ask("spawn", args, request="same") == bench.ask("spawn", args, request="same")
    assert len(bench.state.agents) == 1


def test_the_id_of_another_request_is_refused(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000")
    bench.send("wait", {"ids": [agent.id]}, request="mine")
    assert bench.code("cancel", {"ids": [agent.id]}, request="mine") == "bad-request"


def test_a_wait_reply_that_exceeds_a_frame_has_shortened_texts(bench: Bench) -> None:
    bench.ask("pause")
    for part in range(2):
        agents = [{"command": ["true"], "name": f"n{part}", "goal": "g" * 4096}] * 1100
        bench.ask("spawn", {"agents": agents, "cwd": "/"})
    ids = [agent_id(number) for number in range(1, 2201)]
    request = bench.send("wait", {"ids": ids})
    bench.ask("cancel", {"ids": ids})
    for answer in (bench.reply(request), bench.ask("status", {"ids": ids})):
        assert [agent["id"] for agent in answer["agents"]] == ids
        last = answer["agents"][-1]
        assert (last["name"], last["status"], last["goal"]) == ("n1", "cancelled", "g" * 255 + "…")
        assert (last["command"], last["cwd"], last["reason"]) == (["true"], "/", "cancelled")


def test_a_reply_lists_every_agent_that_one_request_can_name(bench: Bench) -> None:
    bench.ask("pause")
    bench.ask("spawn", {"agents": [{"command": ["/bin/true"], "name": "n" * 200}] * 10_000, "cwd": "/a/project"})
    ids = [agent_id(number) for number in range(1, 10_001)]
    answer = bench.ask("wait", {"ids": ids, "timeout": 0})
    assert [(agent["id"], agent["status"]) for agent in answer["agents"]] == [(agent_id, "queued") for agent_id in ids]
    assert "position" in answer["agents"][0]
    assert "command" not in answer["agents"][0]


def test_a_wait_for_too_many_agents_is_paged_or_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MOST", 600)
    bench.ask("pause")
    bench.ask("spawn", {"agents": [{"command": ["true"]}] * 700, "cwd": "/"})
    with pytest.raises(WireError, match="700 agents are awaited, and a reply holds at most 600") as caught:
        bench.ask("wait", {"scope": "all"})
    assert caught.value.code == "too-large"
    ids = [agent_id(number) for number in range(1, 701)]
    request = bench.send("wait", {"scope": "all", "paged": True})
    late = bench.ask("wait", {"scope": "all", "paged": True, "timeout": 0})
    bench.ask("cancel", {"ids": ids})
    answer = bench.reply(request)
    assert (answer["timed_out"], late["timed_out"]) == (False, True)
    assert [agent["id"] for agent in answer["agents"]] + answer["more"] == ids
    assert {agent["status"] for agent in answer["agents"]} == {"cancelled"}
    assert 0 < len(answer["agents"]) < 600


def test_status_comes_in_pages_newest_first(bench: Bench) -> None:
    bench.ask("pause")
    bench.ask("spawn", {"agents": [{"command": ["true"]}] * 700, "cwd": "/"})
    first = bench.ask("status", {"all": True})
    second = bench.ask("status", {"all": True, "before": first["more"]})
    assert (len(first["agents"]), len(second["agents"]), second["more"]) == (500, 200, None)
    assert {agent["id"] for agent in first["agents"]}.isdisjoint(agent["id"] for agent in second["agents"])


def test_a_queued_agent_is_shown_with_its_position_and_reason(bench: Bench) -> None:
    bench.ask("limit", {"limit": 1})
    bench.spawn("sleep", "1000")
    waiting = bench.spawn("true")
    (row,) = bench.ask("status", {"ids": [waiting.id]})["agents"]
    assert (row["status"], row["position"], row["reason"]) == ("queued", 1, "1 of 1 slots are in use")


def test_an_id_may_be_written_short(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000")
    for text in ("1", "agent-1", "agent-001"):
        assert bench.ask("status", {"ids": [text]})["agents"][0]["id"] == agent.id
    for text in ("2", "agent-", "x", "agent--1", "9" * 30):
        assert bench.code("status", {"ids": [text]}) == "unknown-agent"


def test_a_finished_agent_can_be_retried_from_the_store(bench: Bench) -> None:
    agent = bench.spawn("sh", "-c", "exit 3")
    bench.until_over(agent)
    assert agent.id not in bench.state.agents
    assert bench.ask("retry", {"ids": [agent.id]})["agents"][0]["status"] == "running"
    bench.until_over(agent)
    assert bench.agent(agent.id).attempt == 2
    bench.spawn("true")
    assert bench.code("cancel", {"ids": ["agent-009"]}) == "unknown-agent"


def test_an_agent_gets_the_request_environment_without_orchd_agent(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000", env={"A": "1", "B": "2", "ORCHD_AGENT": "agent-777", "PATH": "/bin"})
    environment = bench.environments.get(agent.spec.environment)
    assert environment == {"A": "1", "B": "2", "PATH": "/bin"}


def test_the_configuration_supplies_omitted_request_fields(home_directory: Path) -> None:
    bench = Bench(home_directory, Config(timeout=60.0, silence=30.0, grace=2.0))
    try:
        spec = bench.spawn("sleep", "1000").spec
        assert (spec.timeout, spec.silence, spec.grace) == (60.0, 30.0, 2.0)
        assert bench.spawn("sleep", "1000", timeout=5).spec.timeout == 5.0
    finally:
        bench.close()


@pytest.mark.parametrize("attempt", [None, 1, 2])
def test_logs_returns_the_path_of_an_attempts_output(bench: Bench, attempt: int | None) -> None:
    agent = bench.spawn("sleep", "1000")
    if attempt == 2:
        assert bench.code("logs", {"id": agent.id, "attempt": 2}) == "no-log"
        return
    answer = bench.ask("logs", {"id": agent.id, "attempt": attempt})
    assert answer == {
        "id": agent.id,
        "attempt": 1,
        "attempts": 1,
        "path": f"{bench.home.agents}/{agent.id}.1.log",
        "over": False,
    }


def test_there_is_no_log_before_the_first_attempt(bench: Bench) -> None:
    bench.ask("pause")
    assert bench.code("logs", {"id": bench.spawn("true").id}) == "no-log"


def test_events_come_in_order_and_without_secrets(bench: Bench) -> None:
    agent = bench.spawn("true", env={"TOKEN": "s3cr3t", "PATH": "/bin:/usr/bin"})
    bench.until_over(agent)
    answer = bench.ask("events", {"since": 0})
    assert [event["seq"] for event in answer["events"]] == list(range(1, answer["last"] + 1))
    assert [event["event"] for event in answer["events"][:2]] == ["session-opened", "agent-queued"]
    assert answer["events"][-1]["event"] == "agent-completed"
    assert "s3cr3t" not in str(answer)
    assert bench.ask("events", {"since": 2, "count": 1})["events"][0]["seq"] == 3


def test_a_draining_daemon_refuses_a_spawn_and_exits_on_a_second_stop(bench: Bench) -> None:
    agent = bench.spawn("sleep", "1000")
    assert bench.ask("stop", {"agents": "stop"}) == {"living": 1, "agents": [agent.id]}
    assert bench.code("spawn", {"agents": [{"command": ["true"]}], "cwd": "/"}) == "stopping"
    bench.until_over(agent)
    assert (bench.state.is_draining, len(bench.state.living)) == (True, 0)
    assert not bench.context.is_leaving
    bench.ask("stop", {"agents": "keep"})
    assert bench.context.is_leaving


def test_reading_the_limit_changes_nothing(bench: Bench) -> None:
    assert bench.ask("limit")["limit"] == 7
    assert bench.store.last_seq() == 0
    assert bench.ask("limit", {"limit": 2})["limit"] == 2
    assert bench.code("limit", {"limit": 9, "resident": 3}) == "bad-limit"


def test_a_finished_agent_keeps_its_exit_code_and_signal(bench: Bench) -> None:
    agent = bench.spawn("sh", "-c", "kill -KILL $$")
    bench.until_over(agent)
    (row,) = bench.ask("status", {"ids": [agent.id]})["agents"]
    assert bench.agent(agent.id).status is Status.FAILED
    assert (row["exit_code"], row["signal"], row["pid"]) == (137, 9, None)
    assert row["started_at"].endswith("Z")


def test_an_exception_in_a_query_is_returned_as_an_internal_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> NoReturn:
        raise KeyError("a rule that nobody thought of")

    monkeypatch.setitem(OPERATIONS, "status", OPERATIONS["status"]._replace(run=mistaken))
    with pytest.raises(WireError, match="internal: internal error in status: KeyError"):
        bench.ask("status")
    assert bench.ask("limit")["limit"] == bench.state.limit


def test_a_query_without_a_free_descriptor_is_refused_as_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setitem(OPERATIONS, "status", OPERATIONS["status"]._replace(run=none_left))
    with pytest.raises(WireError, match="busy: cannot answer status now: Too many open files"):
        bench.ask("status")


def test_the_budget_of_a_finished_run_can_be_changed(bench: Bench) -> None:
    members = [{"path": "a", "agent": {"command": ["false"]}}]
    run = {"name": "r", "groups": [{}], "members": members, "cwd": "/", "project": "/tmp"}
    (member,) = bench.ask("run", run)["agents"]
    bench.until_over(bench.agent(member["id"]))
    bench.scribe.write()
    assert (bench.state.runs, bench.state.sessions) == ({}, {})
    assert bench.ask("budget", {"id": "run-001", "max_cost": 20.0})["max_cost"] == 20.0
