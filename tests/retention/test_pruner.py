"""Rows and files that pruning removes, old rows that stay, and the replies about what is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchd.protocol.errors import WireError
from orchd.retention import pruner as pruning
from tests.conftest import Instance, until
from tests.support.bench import Bench

ENV = {"PATH": "/usr/bin:/bin"}


def over(bench: Bench, count: int) -> list[str]:
    """So many agents that have completed."""
    agents = [bench.spawn("true") for _ in range(count)]
    bench.until_over(*agents)
    return [agent.id for agent in agents]


def shown(bench: Bench) -> list[str]:
    """The agents that the history has."""
    return sorted(agent["id"] for agent in bench.ask("status", {"all": True})["agents"])


def files(bench: Bench) -> set[str]:
    """The agents that have files."""
    return {entry.name.partition(".")[0] for entry in os.scandir(bench.home.agents)}


def test_the_oldest_agents_are_pruned_first_as_a_dry_run_reports(bench: Bench) -> None:
    ids = over(bench, 5)
    report = bench.prune(keep=2, dry_run=True)
    assert (report["agents"], report["left"], report["dry_run"]) == (3, 2, True)
    assert shown(bench) == ids
    assert bench.prune(keep=2) == {**report, "dry_run": False}
    assert report["bytes"] > 0
    assert shown(bench) == ids[3:]
    assert files(bench) == set(ids[3:])
    assert bench.prune(keep=2)["agents"] == 0


def test_agents_that_ended_before_the_given_age_are_pruned(bench: Bench) -> None:
    over(bench, 2)
    assert bench.prune(older_than=3600)["agents"] == 0
    assert bench.prune(older_than=0)["agents"] == 2


def test_a_tree_is_pruned_only_when_all_its_agents_have_finished(bench: Bench) -> None:
    parent = bench.spawn("sleep", "600")
    args = {"agents": [{"command": ["true"]}], "cwd": "/", "env": ENV}
    child = bench.ask("spawn", args, pid=parent.pid or 0)["agents"][0]["id"]
    bench.until_over(bench.agent(child))
    over(bench, 1)
    assert bench.prune(keep=0)["agents"] == 1
    assert shown(bench) == [parent.id, child]
    bench.ask("cancel", {"ids": [parent.id]})
    bench.until_over(parent)
    assert bench.prune(keep=0)["agents"] == 2


def test_a_run_is_pruned_as_a_whole(bench: Bench) -> None:
    members = [{"path": path, "agent": {"command": ["true"]}} for path in ("a", "b")]
    run = bench.ask("run", {"name": "r", "groups": [{}], "members": members, "cwd": "/", "env": ENV})
    bench.until_over(*(bench.agent(agent["id"]) for agent in run["agents"]))
    report = bench.prune(keep=1)
    assert (report["agents"], report["runs"], report["left"]) == (2, 1, 0)
    assert bench.code("run-status", {"id": "run-001"}) == "pruned"
    assert bench.code("run-status", {"id": "run-002"}) == "unknown-run"


def test_blockers_and_wait_targets_are_not_pruned(bench: Bench) -> None:
    first, second, _ = over(bench, 3)
    lives = bench.spawn("sleep", "600")
    bench.spawn("true", after=[first, lives.id])
    waiting = bench.send("wait", {"ids": [second, lives.id]})
    assert bench.prune(keep=0)["agents"] == 1
    assert {first, second} < set(shown(bench))
    bench.ask("cancel", {"ids": [lives.id]})
    bench.until_over(lives)
    assert [agent["id"] for agent in bench.reply(waiting)["agents"]] == [second, lives.id]
    assert bench.prune(keep=0)["left"] == 0


def test_an_agent_with_a_worktree_is_not_pruned(bench: Bench) -> None:
    agent = bench.spawn("true", worktree=True)
    bench.ask("cancel", {"ids": [agent.id]})
    bench.until_over(agent)
    record = bench.home.worktrees / f"{agent.id}.json"
    record.parent.mkdir(exist_ok=True)
    record.touch()
    assert bench.prune(keep=0)["agents"] == 0
    record.unlink()
    assert bench.prune(keep=0)["agents"] == 1


def test_a_large_run_is_pruned_in_pieces_but_disappears_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PIECE", 2)
    monkeypatch.setattr(pruning, "SLICE", 60.0)  # also on a busy machine
    members = [{"path": f"m{number}", "agent": {"command": ["true"]}} for number in range(7)]
    run = bench.ask("run", {"name": "r", "groups": [{}], "members": members, "cwd": "/", "env": ENV})
    ids = [agent["id"] for agent in run["agents"]]
    bench.until_over(*(bench.agent(agent_id) for agent_id in ids))
    bench.calm()
    bench.ask("status", {"ids": ids})
    request_id = bench.send("prune", {"keep": 0})
    counts = set()
    while bench.pruner.is_due():
        bench.store.finish()
        bench.prune_slice()
        counts.add(len(files(bench)))
        assert bench.code("status", {"ids": [ids[-1]]}) == bench.code("retry", {"ids": [ids[-1]]}) == "pruned"
    assert counts == {7, 5, 3, 1, 0}
    assert bench.reply(request_id)["agents"] == 7
    assert not bench.records.leaving


def test_ids_and_existing_results_of_pruned_agents_are_not_reused(bench: Bench, tmp_path: Path) -> None:
    result = tmp_path / "result.md"
    agent = bench.spawn("sh", "-c", f"echo done > {result}", result=str(result))
    bench.until_over(agent)
    bench.prune(keep=0)
    assert result.read_text() == "done\n"
    with pytest.raises(WireError, match="agent-001, which completed and was pruned"):
        bench.spawn("true", result=str(result))
    result.unlink()
    assert bench.spawn("true", result=str(result)).id == "agent-002"


def test_a_never_started_agent_with_a_pruned_blocker_cannot_be_retried(bench: Bench) -> None:
    failed = bench.spawn("false")
    bench.until_over(failed)
    skipped = bench.spawn("true", after=[failed.id])
    completed = bench.spawn("true")
    bench.until_over(completed)
    tried = bench.spawn("false", after=[completed.id])
    bench.until_over(skipped, tried)
    assert bench.prune(keep=3)["agents"] == 1
    assert shown(bench) == [skipped.id, completed.id, tried.id]
    bench.ask("cancel", {"ids": [skipped.id]})
    with pytest.raises(WireError, match="agent-002 never started, and how its dependency agent-001 ended is unknown"):
        bench.ask("retry", {"ids": [skipped.id], "env": ENV})
    assert bench.prune(keep=1)["agents"] == 2
    bench.ask("retry", {"ids": [tried.id], "env": ENV})
    bench.until_over(tried)


def test_agents_are_pruned_by_the_configured_count_and_age(bench: Bench) -> None:
    bench.calm()
    bench.configure(keep_count=2)
    ids = over(bench, 4)
    bench.calm()
    assert shown(bench) == ids[2:]
    bench.configure(keep_count=1, keep_age=3600.0)
    bench.calm()
    assert shown(bench) == ids[3:]
    bench.configure(keep_age=0.000001)
    bench.calm()
    assert shown(bench) == []
    assert not bench.pruner.is_due()


def test_keep_bytes_counts_the_logs_and_records_on_the_disk(bench: Bench) -> None:
    bench.calm()
    ids = over(bench, 4)
    bench.configure(keep_bytes=2 * bench.processes.room_of(bench.agent(ids[0]).id, 1))
    bench.calm()
    assert shown(bench) == ids[2:]
    (bench.home.agents / "orphan").write_bytes(b"x" * 100_000)
    over(bench, 1)
    bench.calm()
    assert bench.pruner._room() > 100_000
    assert not bench.pruner.is_due()  # what cannot be brought under its bound is not tried again and again


def test_agents_that_cannot_be_pruned_are_not_checked_repeatedly(bench: Bench) -> None:
    bench.calm()
    parent = bench.spawn("sleep", "600")
    args = {"agents": [{"command": ["true"]}] * 3, "cwd": "/", "env": ENV}
    children = [agent["id"] for agent in bench.ask("spawn", args, pid=parent.pid or 0)["agents"]]
    bench.until_over(*(bench.agent(agent_id) for agent_id in children))
    bench.configure(keep_count=1, keep_age=0.5)
    bench.calm()
    assert not bench.pruner.is_due()
    assert len(shown(bench)) == 4


def test_pruning_starts_only_slightly_above_keep_count(bench: Bench) -> None:
    bench.calm()
    bench.configure(keep_count=64)
    bench.state.is_paused = True
    agents = [{"command": ["true"]}] * 66
    ids = [agent["id"] for agent in bench.ask("spawn", {"agents": agents, "cwd": "/", "env": ENV})["agents"]]
    bench.ask("cancel", {"ids": ids[:65]})
    assert not bench.pruner.is_due()
    bench.ask("cancel", {"ids": ids[65:]})
    assert bench.pruner.is_due()
    bench.calm()
    assert shown(bench) == ids[2:]


def test_pruning_survives_a_deleted_log_directory(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    over(bench, 1)
    for entry in os.scandir(bench.home.agents):
        Path(entry).unlink()
    bench.home.agents.rmdir()
    bench.calm()
    bench.configure(keep_bytes=0)
    assert "with the logs of all attempts" in caplog.text
    assert bench.prune(keep=0)["agents"] == 1


def test_a_daemon_prunes_while_agents_end_and_all_clients_are_served(stopped: Instance) -> None:
    stopped.configure("keep_count = 5\n")
    stopped.start()
    with stopped.client() as client:
        for _ in range(3):
            agents = [{"command": ["true"]}] * 30
            client.call("spawn", {"agents": agents, "cwd": "/", "env": ENV})
            # no wait: whom it is about stays until it is over, and newer ones would go in their place
            until(lambda: all(agent["ended_at"] for agent in client.call("status", {"all": True})["agents"]))
        until(lambda: len(client.call("status", {"all": True})["agents"]) == 5)
        until(lambda: len(list(stopped.home.agents.iterdir())) == 10)
        events = client.call("events")
        assert {event["agent"] for event in events["events"] if event["agent"]} == {
            f"agent-{n:03d}" for n in range(86, 91)
        }
    assert "pruned" in stopped.log()


def test_an_agent_may_not_prune(instance: Instance) -> None:
    agent_id = instance.spawn("orchctl", "prune", "--keep", "0")
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id).startswith("forbidden: ")
