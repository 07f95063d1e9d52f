"""Operations that decide nothing."""

from __future__ import annotations

import os
from typing import Any

import pytest

from orchd.core.state.agents import AgentId, RequestId, Wait, agent_id, number_of
from orchd.core.state.events import WaitBegan
from orchd.core.state.runs import number_of_run
from orchd.network.peers import Outside
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.schema import parse
from orchd.server.listing import RECENT
from orchd.server.operations import runs
from tests.support.bench import Bench


def names(answer: dict[str, Any]) -> list[AgentId]:
    """The ids that an answer has."""
    return [AgentId(agent["id"]) for agent in answer["agents"]]


def test_the_daemon_reports_its_identity(bench: Bench) -> None:
    reply = bench.ask("daemon")
    own = {
        "pid",
        "version",
        "schema",
        "protocol",
        "uptime_seconds",
        "socket",
        "home",
        "resource_limits",
        "cgroups",
        "disk_full",
    }
    assert set(reply) == own
    assert reply["resource_limits"] == {"memory_max": "samples", "cpu_max": None, "pids_max": None}
    assert (reply["pid"], reply["home"]) == (os.getpid(), str(bench.home.directory))


def test_status_shows_running_agents_and_recent_finished_agents(bench: Bench) -> None:
    bench.ask("limit", {"limit": 20, "resident": 80})
    first = bench.spawn("sleep", "600")
    for _ in range(RECENT + 2):
        bench.until_over(bench.spawn("true"))
    agent_ids = names(bench.ask("status"))
    assert len(agent_ids) == RECENT + 1
    assert agent_ids[0] == first.id
    assert len(names(bench.ask("status", {"all": True}))) == RECENT + 3
    assert names(bench.ask("status", {"before": 5})) == [first.id, "agent-004"]


def test_status_returns_named_agents_in_the_requested_order(bench: Bench) -> None:
    bench.ask("pause")
    for _ in range(3):
        bench.spawn("true")
    answer = bench.ask("status", {"ids": ["2", "3", "1"]})
    assert names(answer) == ["agent-002", "agent-003", "agent-001"]
    assert answer["more"] is None


def test_an_agent_sees_its_own_tree_and_no_other(bench: Bench) -> None:
    first, other = bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    assert names(bench.run(first.id, parse(operations.Status, {}))) == [first.id]
    assert names(bench.run(first.id, parse(operations.Status, {"all": True}))) == [first.id]
    assert names(bench.run(Outside.OWNER, parse(operations.Status, {}))) == [first.id, other.id]
    events = bench.run(first.id, parse(operations.Events, {}))["events"]
    assert {event["agent"] for event in events} == {first.id}
    assert "session-opened" not in {event["event"] for event in events}
    about = bench.run(first.id, parse(operations.Events, {"agent": "1"}))["events"]
    assert about == [event for event in events if event["agent"] == first.id]
    with pytest.raises(WireError, match="not in the tree"):
        bench.run(first.id, parse(operations.Events, {"agent": other.id}))


def test_usage_is_sampled_unless_the_request_declines(bench: Bench) -> None:
    bench.spawn("sleep", "600")
    assert bench.ask("status", {"usage": False})["agents"][0]["rss_bytes"] is None
    assert bench.ask("status")["agents"][0]["rss_bytes"] > 0


def test_logs_refuses_an_attempt_that_never_started(bench: Bench) -> None:
    bench.ask("pause")
    agent = bench.spawn("true")
    assert bench.code("logs", {"id": agent.id}) == "no-log"
    bench.ask("resume")
    bench.until_over(agent)
    reply = bench.ask("logs", {"id": agent.id})
    assert reply == {
        "id": agent.id,
        "attempt": 1,
        "attempts": 1,
        "path": f"{bench.home.agents}/{agent.id}.1.log",
        "over": True,
    }
    assert bench.code("logs", {"id": agent.id, "attempt": 2}) == "no-log"


def test_events_are_paged_and_carry_the_last_sequence_number(bench: Bench) -> None:
    bench.ask("pause")
    bench.ask("resume")
    bench.ask("limit", {"limit": 3})
    page = bench.ask("events", {"since": 1, "count": 1})
    assert [event["event"] for event in page["events"]] == ["admissions-resumed"]
    assert page["last"] == 3


def test_why_names_the_blockers_but_shows_an_agent_only_its_own_tree(bench: Bench) -> None:
    bench.ask("limit", {"limit": 1, "resident": 4})
    first, other = bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    reply = bench.ask("why", {"id": other.id})
    assert (reply["rule"], reply["blocked_by"], [blocker["id"] for blocker in reply["blockers"]]) == (
        "limit",
        1,
        [first.id],
    )
    assert set(reply["blockers"][0]) == {"id", "name", "status", "since"}
    own_reply = bench.run(other.id, parse(operations.Why, {"id": other.id}))
    assert (own_reply["blocked_by"], own_reply["blockers"]) == (1, [])
    with pytest.raises(WireError, match="not in the tree"):
        bench.run(other.id, parse(operations.Why, {"id": first.id}))
    assert bench.code("why", {"id": "9"}) == "unknown-agent"


def begun(bench: Bench, *command: str, **how: object) -> str:
    """A run of one member."""
    member = {"path": "a", "agent": {"name": "a", "command": list(command)}}
    args = {"name": "r", "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}, "groups": [{}], "members": [member]}
    answer = bench.ask("run", args, **how)
    if command == ("true",):
        bench.until_over(bench.agent(answer["agents"][0]["id"]))
    return str(answer["run"]["id"])


def run_ids(answer: dict[str, Any]) -> list[str]:
    """The ids of the runs that an answer has."""
    return [run["id"] for run in answer["runs"]]


def test_runs_lists_all_unfinished_runs_and_the_recent_finished_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = begun(bench, "true")
    going = [begun(bench, "sleep", "600"), begun(bench, "sleep", "600")]
    recent = [begun(bench, "true") for _ in range(RECENT)]
    reply = bench.ask("runs")
    assert (run_ids(reply), reply["more"]) == ([*recent[::-1], *going[::-1]], None)
    assert run_ids(bench.ask("runs", {"all": True})) == [*recent[::-1], *going[::-1], over]
    monkeypatch.setattr(runs, "RUNS_PAGE", RECENT + 1)
    reply = bench.ask("runs")
    assert (run_ids(reply), reply["more"]) == ([*recent[::-1], going[1]], number_of_run(going[1]))
    reply = bench.ask("runs", {"before": reply["more"]})
    assert (run_ids(reply), reply["more"]) == ([going[0]], None)


def test_an_agent_sees_only_the_runs_of_its_own_tree(bench: Bench) -> None:
    first, other = bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    run_id = begun(bench, "sleep", "600", pid=first.pid)
    begun(bench, "sleep", "600")
    assert run_ids(bench.run(first.id, parse(operations.Runs, {}))) == [run_id]
    assert run_ids(bench.run(other.id, parse(operations.Runs, {}))) == []


def test_why_names_the_failed_member_of_a_finished_run(bench: Bench) -> None:
    members = [{"path": path, "agent": {"command": [path]}} for path in ("false", "true")]
    run = {"name": "r", "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}, "groups": [{}], "members": members}
    agents = bench.ask("run", run)["agents"]
    bench.until_over(*(bench.agent(agent["id"]) for agent in agents))
    reply = bench.ask("why", {"id": "run-1"})
    assert (reply["id"], reply["rule"], [blocker["name"] for blocker in reply["blockers"]]) == (
        "run-001",
        "failed",
        ["false"],
    )


def test_a_run_has_no_output_of_its_own(bench: Bench) -> None:
    members = [{"path": path, "agent": {"command": ["true"]}} for path in "ab"]
    bench.ask("run", {"name": "r", "groups": [{}], "members": members, "cwd": "/"})
    for op in ("logs", "output"):
        with pytest.raises(WireError, match=r"bad-request: run-001 is a run .* give one of its members"):
            bench.ask(op, {"id": "run-001"})


def test_a_page_ends_where_a_frame_has_no_more_room(bench: Bench) -> None:
    bench.ask("pause")
    large = {"command": ["echo", "x" * 100_000]}
    for _ in range(3):
        bench.ask("spawn", {"agents": [large] * 60, "cwd": "/"})
    pages = [bench.ask("status")]
    while pages[-1]["more"] is not None:
        pages.append(bench.ask("status", {"before": pages[-1]["more"]}))
    numbers = [number_of(agent_id) for page in pages for agent_id in reversed(names(page))]
    assert numbers == list(range(180, 0, -1))
    assert [len(page["agents"]) for page in pages[:-1]] == [41] * 4  # 4 MiB


def test_run_status_and_session_status_are_paged_by_size(bench: Bench) -> None:
    bench.ask("pause")
    members = [{"path": f"m{number:02d}", "agent": {"command": ["echo", "x" * 90_000]}} for number in range(90)]
    bench.ask("run", {"name": "r", "groups": [{}], "members": members, "cwd": "/"})
    bench.ask("spawn", {"agents": [{"command": ["echo", "x" * 3_000_000]}], "cwd": "/"})
    first = bench.ask("run-status", {"id": "run-001"})
    second = bench.ask("run-status", {"id": "run-001", "skip": first["more"]})
    assert first["more"] == len(first["agents"]) == 46
    assert len(first["run"]["members"]) == 90
    assert (names(second)[0], len(second["agents"]), second["more"]) == ("agent-047", 44, None)
    newest = bench.ask("session-status")
    assert (names(newest)[0], len(newest["agents"])) == ("agent-091", 14)
    assert names(bench.ask("session-status", {"before": newest["more"]}))[0] == "agent-077"


def test_an_agent_that_is_larger_than_a_frame_is_shown_with_its_texts_cut(bench: Bench) -> None:
    bench.ask("pause")
    agent = bench.spawn("echo", "x" * 8_383_900, goal="g" * 4096, output_dir="/" + "d" * 100, env={"A": "1"})
    bench.spawn("true")
    for answer in (bench.ask("status", {"ids": [agent.id]}), bench.ask("status", {"before": 2})):
        (row,) = answer["agents"]
        assert row["command"] == ["echo", "x" * 255 + "…"]
        assert row["output_dir"] == agent.spec.output_dir
        assert answer["more"] is None
    assert bench.ask("status")["more"] == 2


def test_events_end_where_a_frame_has_no_more_room(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    targets = tuple(agent_id(number) for number in range(1, 10_001))
    began = WaitBegan(agent.id, Wait(RequestId("w"), targets, is_any=False, deadline=None, caller=1, caller_started=1))
    before = bench.store.last_seq()
    bench.store.commit(bench.state, 0.0, [began] * 100)
    first = bench.ask("events", {"since": before})
    assert 10 < len(first["events"]) < 100
    assert (
        bench.ask("events", {"since": first["events"][-1]["seq"]})["events"][0]["seq"]
        == before + len(first["events"]) + 1
    )


def test_an_agent_sees_only_its_own_tree_in_session_status(bench: Bench) -> None:
    first, second = bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    agents = bench.ask("session-status", {}, pid=first.pid)["agents"]
    assert [agent["id"] for agent in agents] == [first.id]
    assert [agent["id"] for agent in bench.ask("session-status", {})["agents"]] == [second.id, first.id]


@pytest.mark.parametrize(
    ("op", "args", "left_out"),
    [
        ("limit", {"limit": 5, "reset": True}, "omit `limit` and `resident`"),
        ("limit", {"resident": 50, "reset": True}, "omit `limit` and `resident`"),
        ("budget", {"id": "session-001", "max_tokens": 5, "unlimited": True}, "omit `max_tokens` and `max_cost`"),
        ("budget", {"id": "session-001", "max_cost": 5, "unlimited": True}, "omit `max_tokens` and `max_cost`"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    bench: Bench, op: str, args: dict[str, object], left_out: str
) -> None:
    with pytest.raises(WireError, match=left_out) as caught:
        bench.ask(op, args)
    assert caught.value.code == "bad-request"
