"""Parents, children, attempts and order: what a fleet of agents looks like from outside and from inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchd.protocol.errors import WireError
from tests.conftest import Instance, until
from tests.e2e.fleet import Fleet, pids_in


def parent_of(fleet: Fleet, *scripts: str, then: str) -> tuple[str, list[str]]:
    """A parent that spawned an agent for each of `scripts` and goes on with `then`, and its children."""
    lines = [json.dumps(fleet.spec(script)) for script in scripts]
    batch = fleet.directory / "children.jsonl"
    batch.write_text("\n".join(lines))
    spawned = fleet.directory / "spawned"
    parent = fleet.spawn(f"orchctl spawn --batch {batch} > {spawned}.new && mv {spawned}.new {spawned}; {then}")
    until(spawned.exists, what="the children's ids")
    return parent, spawned.read_text().split()


def test_a_cancelled_parents_children_are_cancelled(fleet: Fleet) -> None:
    gate = fleet.gate()
    parent, children = parent_of(fleet, gate.script, gate.script, then="orchctl wait --children")
    fleet.started(parent, *children)
    fleet.client.call("cancel", {"ids": [parent]})
    ended = fleet.ends(parent, *children)
    assert [agent["status"] for agent in ended] == ["cancelled"] * 3
    assert ended[1]["reason"] == f"its parent {parent} was cancelled"
    assert ended[0]["children"] == children


def test_a_cancelled_parents_queued_children_never_start(fleet: Fleet) -> None:
    gate = fleet.gate()
    fleet.client.call("limit", {"limit": 1})
    parent, children = parent_of(fleet, "true", "true", then=gate.script)
    fleet.client.call("cancel", {"ids": [parent]})
    assert [agent["status"] for agent in fleet.ends(parent, *children)] == ["cancelled"] * 3
    assert fleet.book.agents() == [parent]


def test_a_failed_parents_children_are_cancelled(fleet: Fleet) -> None:
    blocks, fails = fleet.gate(), fleet.gate()
    parent, children = parent_of(fleet, blocks.script, blocks.script, then=f"{fails.script}; exit 3")
    fleet.started(parent, *children)
    fails.let()
    ended = fleet.ends(parent, *children)
    assert [agent["status"] for agent in ended] == ["failed", "cancelled", "cancelled"]
    assert ended[1]["reason"] == f"its parent {parent} did not complete"


def test_children_of_a_completed_parent_run_on_and_are_shown_below_it(fleet: Fleet) -> None:
    gate = fleet.gate()
    parent, children = parent_of(fleet, gate.script, f"{gate.script}; exit 4", then="exit 0")
    fleet.started(*children)
    assert fleet.ends(parent)[0]["status"] == "completed"
    agents = {agent["id"]: agent for agent in fleet.instance.status()["agents"]}
    assert agents[parent]["children"] == children
    assert [agents[child]["status"] for child in children] == ["running", "running"]
    assert [(agents[child]["parent"], agents[child]["level"], agents[child]["depth"]) for child in children] == [
        (parent, "sub-skill", 1)
    ] * 2
    tree = fleet.instance.ctl("status")
    assert tree.index(parent) < tree.index(children[0]) < tree.index(children[1])
    gate.let(2)
    assert [agent["exit_code"] for agent in fleet.ends(*children)] == [0, 4]


def test_each_attempt_of_a_retried_agent_keeps_its_log(fleet: Fleet) -> None:
    agent_id = fleet.spawn('echo "try $ORCHD_ATTEMPT"; [ "$ORCHD_ATTEMPT" = 2 ]', retries=1)
    (agent,) = fleet.ends(agent_id)
    assert (agent["status"], agent["attempt"], agent["exit_code"]) == ("completed", 2, 0)
    assert fleet.book.entries() == [(agent_id, 1), (agent_id, 2)]
    logs = [fleet.instance.ctl("logs", agent_id, "--attempt", str(attempt)) for attempt in (1, 2)]
    assert logs == ["try 1\n", "try 2\n"]
    assert fleet.instance.ctl("logs", agent_id) == "try 2\n"
    fleet.instance.ctl("logs", agent_id, "--attempt", "3", code=1)


def test_an_agent_without_retries_left_fails_and_a_user_can_retry_it(fleet: Fleet) -> None:
    flag = fleet.directory / "flag"
    agent_id = fleet.spawn(f"[ -e {flag} ]", retries=1)
    (agent,) = fleet.ends(agent_id)
    assert (agent["status"], agent["attempt"], agent["exit_code"]) == ("failed", 2, 1)
    flag.touch()
    fleet.instance.ctl("retry", agent_id)
    (agent,) = fleet.ends(agent_id)
    assert (agent["status"], agent["attempt"]) == ("completed", 3)


def test_children_of_a_failed_attempt_are_cancelled(fleet: Fleet) -> None:
    gate = fleet.gate()
    child = f"orchctl spawn -- sh -c '{fleet.book.script}; {gate.script}' > {fleet.directory}/child"
    agent_id = fleet.spawn(f'[ "$ORCHD_ATTEMPT" = 2 ] || {{ {child}; exit 1; }}', retries=1)
    (agent,) = fleet.ends(agent_id)
    assert (agent["status"], agent["attempt"]) == ("completed", 2)
    (child_agent,) = fleet.ends((fleet.directory / "child").read_text().strip())
    assert (child_agent["status"], child_agent["reason"]) == ("cancelled", f"its parent {agent_id} did not complete")


def test_a_chain_of_dependencies_runs_in_order(fleet: Fleet) -> None:
    names = [f"step-{number}" for number in range(6)]
    links: list[list[str]] = [[], *([name] for name in names)]
    specs = [fleet.spec("true", name=name, after=after) for name, after in zip(names, links, strict=False)]
    ids = fleet.batch(specs[::-1])[::-1]
    assert [agent["status"] for agent in fleet.ends(*ids)] == ["completed"] * 6
    assert fleet.book.agents() == ids


def test_direct_and_indirect_dependents_of_a_failed_agent_are_skipped(fleet: Fleet) -> None:
    gate = fleet.gate()
    first = fleet.spawn(f"{gate.script}; exit 1")
    second = fleet.spawn("true", after=[first])
    third = fleet.spawn("true", after=[second])
    assert fleet.agent(second)["reason"] == f"after {first} (running)"
    gate.let()
    assert [agent["status"] for agent in fleet.ends(first, second, third)] == ["failed", "skipped", "skipped"]
    assert fleet.book.agents() == [first]
    late = fleet.spawn("true", after=[third])
    assert fleet.agent(late)["status"] == "skipped"


def test_all_conditions_are_evaluated_correctly_after_a_daemon_crash(fleet: Fleet) -> None:
    gate, fails = fleet.gate(), fleet.gate()
    good = fleet.spawn(gate.script, name="good")
    bad = fleet.spawn(f"{fails.script}; exit 1", name="bad")
    specs = [
        fleet.spec("true", name=f"{label}-{condition}", after=[f"{label}:{condition}"])
        for label in ("good", "bad")
        for condition in ("completed", "failed", "any")
    ]
    ids = fleet.batch([*specs, fleet.spec("true", after=["bad-failed:completed", "good-failed:any"])])
    assert fleet.agent(ids[2])["reason"] == f"waits for {good} (running) to end"
    assert fleet.agent(ids[4])["reason"] == f"waits for {bad} (running) to fail"
    assert fleet.agent(ids[4])["conditions"] == {bad: "failed"}
    fleet.instance.kill()
    fleet.instance.start()
    assert fleet.agent(ids[4])["conditions"] == {bad: "failed"}
    gate.let()
    fails.let()
    ended = fleet.ends(*ids)
    expected = ["completed", "skipped", "completed", "skipped", "completed", "completed", "completed"]
    assert [agent["status"] for agent in ended] == expected
    assert ended[1]["reason"] == f"{good} did not fail: completed"
    assert ended[3]["reason"] == f"{bad} did not complete: failed"


def test_an_unknown_condition_is_refused_with_a_list_of_valid_conditions(fleet: Fleet) -> None:
    agent_id = fleet.spawn("true")
    with pytest.raises(
        WireError, match=f"use {agent_id}:completed, {agent_id}:failed, {agent_id}:any, or {agent_id} alone"
    ) as refused:
        fleet.spawn("true", after=[f"{agent_id}:faild"])
    assert refused.value.code == "unknown-condition"


def test_a_name_with_a_colon_takes_precedence_over_a_condition(fleet: Fleet) -> None:
    gate = fleet.gate()
    plain, colon = fleet.spawn("true", name="api"), fleet.spawn(gate.script, name="api:any")
    named, other = fleet.spawn("true", after=["api:any"]), fleet.spawn("true", after=["api:completed"])
    assert fleet.agent(named)["after"] == [colon]
    assert fleet.agent(other)["after"] == [plain]
    gate.let()
    fleet.ends()


def test_no_queue_starts_agents_that_fit_and_refuses_larger_batches(fleet: Fleet) -> None:
    gate = fleet.gate()
    fleet.client.call("limit", {"limit": 2})
    first = fleet.spawn(gate.script)
    with pytest.raises(WireError, match="omit --no-queue") as refused:
        fleet.batch([fleet.spec("true"), fleet.spec("true")], no_queue=True)
    assert refused.value.code == "would-queue"
    (second,) = fleet.batch([fleet.spec(gate.script)], no_queue=True)
    fleet.instance.ctl("spawn", "--no-queue", "--", "true", code=1)
    assert [agent["id"] for agent in fleet.show()] == [first, second]
    gate.let(2)
    fleet.ends()


@pytest.mark.parametrize(
    "wrong",
    [{"after": ["agent-999"]}, {"after": ["later"], "name": "later"}, {"nesting": 99}, {"retries": -1}, {"comand": []}],
    ids=["unknown", "cycle", "nesting", "range", "key"],
)
def test_a_batch_with_one_wrong_agent_spawns_no_agent(instance: Instance, wrong: dict[str, object]) -> None:
    good = {"command": ["true"]}
    lines = "\n".join(json.dumps(agent) for agent in (good, {"command": ["true"], **wrong}, good))
    assert instance.ctl("spawn", "--batch", "-", stdin=lines, code=None) == ""
    assert instance.status("--all")["agents"] == []


def test_a_batch_prints_its_ids_in_its_order(instance: Instance) -> None:
    lines = "\n".join(json.dumps({"command": ["sh", "-c", f"exit {code}"]}) for code in (0, 5, 6))
    ids = instance.ctl("spawn", "--batch", "-", stdin=lines).split()
    instance.ctl("wait", *ids, code=1)
    assert [instance.agent(agent_id)["exit_code"] for agent_id in ids] == [0, 5, 6]


def test_priority_outranks_arrival_order(fleet: Fleet) -> None:
    gate = fleet.gate()
    fleet.client.call("limit", {"limit": 1})
    first = fleet.spawn(gate.script)
    priorities = [0, 5, -5, 10, 5]
    ids = fleet.batch([fleet.spec("true", priority=number) for number in priorities])
    assert [agent["position"] for agent in fleet.show(*ids)] == [4, 2, 5, 1, 3]
    gate.let()
    fleet.ends()
    assert fleet.book.agents() == [first, ids[3], ids[1], ids[4], ids[0], ids[2]]


def test_a_pause_admits_no_agent_and_stops_no_agent(fleet: Fleet) -> None:
    gate = fleet.gate()
    first = fleet.spawn(f"{gate.script}; exit 9")
    fleet.instance.ctl("pause")
    second = fleet.spawn("true")
    assert "paused" in fleet.agent(second)["reason"]
    gate.let()
    assert fleet.ends(first)[0]["exit_code"] == 9
    assert fleet.agent(second)["status"] == "queued"
    fleet.instance.ctl("resume")
    assert fleet.ends(second)[0]["status"] == "completed"


def test_a_pause_survives_a_daemon_crash(fleet: Fleet) -> None:
    fleet.instance.ctl("pause")
    agent_id = fleet.spawn("true")
    fleet.daemon_dies()
    assert fleet.agent(agent_id)["status"] == "queued"
    assert fleet.client.call("limit")["paused"] is True
    fleet.instance.ctl("resume")
    assert fleet.ends(agent_id)[0]["status"] == "completed"


def test_the_limit_changes_at_run_time_and_survives_a_daemon_crash(fleet: Fleet) -> None:
    gate = fleet.gate()
    fleet.client.call("limit", {"limit": 1})
    ids = fleet.batch([fleet.spec(gate.script) for _ in range(4)])
    fleet.started(ids[0])
    assert fleet.client.call("limit", {"limit": 3})["working"] == 3
    fleet.started(*ids[:3])
    lowered = fleet.client.call("limit", {"limit": 2})
    assert (lowered["limit"], lowered["working"], lowered["overdrawn"]) == (2, 3, 1)
    fleet.daemon_dies()
    again = fleet.client.call("limit")
    assert (again["limit"], again["working"], again["overdrawn"]) == (2, 3, 1)
    gate.let()
    until(lambda: fleet.client.call("limit")["working"] == 2)
    assert sum(agent["status"] == "queued" for agent in fleet.show(*ids)) == 1
    gate.let(3)
    fleet.ends()


def test_an_agent_gets_the_requested_environment_directories_and_stdin(fleet: Fleet) -> None:
    given_file, made_directory, here = (
        fleet.directory / "given",
        fleet.directory / "made/deep",
        fleet.directory / "here",
    )
    given_file.write_text("from a file\n")
    here.mkdir()
    script = 'cat; pwd; printf "%s\\n" "$COLOUR" "$KEPT" "$ORCHD_OUTPUT_DIR"; ls -d "$ORCHD_OUTPUT_DIR"'
    agent_id = fleet.instance.ctl(
        "spawn", "--env", "COLOUR=a=b c", "--cwd", "here", "--stdin", "given", "--output-dir", "made/deep",
        "--", "sh", "-c", script, env={"KEPT": "kept"}, cwd=fleet.directory,
    ).strip()  # fmt: skip
    assert fleet.ends(agent_id)[0]["status"] == "completed"
    expected = ["from a file", str(here), "a=b c", "kept", str(made_directory), str(made_directory)]
    assert fleet.instance.ctl("logs", agent_id).splitlines() == expected


def test_an_agent_gets_its_identity_variables_and_the_client_on_its_path(fleet: Fleet) -> None:
    script = 'printf "%s\\n" "$ORCHD_HOME" "$ORCHD_AGENT" "$ORCHD_ATTEMPT"; command -v orchctl; orchctl spawn -- true'
    # not where the tests found it: the daemon itself puts it on the PATH
    env = {**fleet.instance.env, "PATH": "/usr/bin:/bin"}
    (agent_id,) = fleet.batch([fleet.spec(script)], env=env)
    fleet.ends()
    home = str(fleet.instance.directory)
    assert fleet.instance.ctl("logs", agent_id).splitlines() == [
        home,
        agent_id,
        "1",
        f"{home}/bin/orchctl",
        "agent-002",
    ]
    assert fleet.agent("agent-002")["parent"] == agent_id


def test_an_agent_holds_no_descriptor_of_the_daemon(fleet: Fleet) -> None:
    agent_id = fleet.spawn("ls /proc/self/fd")
    fleet.ends(agent_id)
    assert fleet.instance.ctl("logs", agent_id).split() == [
        "0",
        "1",
        "2",
        "3",
    ]  # the last is the directory being listed


def test_resource_usage_is_shown_for_running_agents_and_kept_afterwards(fleet: Fleet) -> None:
    gate, pid = fleet.gate(), fleet.directory / "pid"
    burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
    agent_id = fleet.spawn(f"{burn}; sh -c '{burn}'; echo $$ > {pid}; {gate.script}")
    until(lambda: pids_in(pid))
    lives = fleet.agent(agent_id)
    assert lives["cpu_seconds"] > 0
    assert lives["rss_bytes"] > 100_000
    gate.let()
    (ended,) = fleet.ends(agent_id)
    assert ended["cpu_seconds"] >= lives["cpu_seconds"] - 0.05
    assert ended["rss_bytes"] >= lives["rss_bytes"]
    assert Path(ended["log"]).exists()
