"""Requests as inputs: names resolved, defaults filled in, secrets put away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchd.core.state.agents import Agent, RequestId, Spec, Status
from orchd.instance.runner_config import RunnerSettings
from orchd.network.peers import Outside
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.schema import ShapeError, parse
from tests.support.bench import Bench
from tests.support.machine import full, needs_root, tmpfs
from tests.support.recording import recording

ONE = RequestId("r")


def asked(*commands: str, **fields: object) -> operations.Spawn:
    """A request for agents of these commands."""
    return parse(
        operations.Spawn, {"agents": [{"command": [command], **fields} for command in commands], "cwd": "/tmp"}
    )


@pytest.mark.parametrize(
    ("command", "name"),
    [("/usr/bin/true", "true"), ("./x.sh", "x.sh"), ("a" * 300, "a" * 200), ("/", "agent"), ("..", "..")],
)
def test_an_agent_without_a_name_is_named_after_its_program(bench: Bench, command: str, name: str) -> None:
    (spec,) = bench.run(Outside.OWNER, asked(command)).specs
    assert spec.name == name


def test_the_directory_of_an_agent_overrides_the_request_directory(bench: Bench) -> None:
    assert [spec.cwd for spec in bench.run(Outside.OWNER, asked("x", cwd="/usr")).specs] == ["/usr"]
    assert [spec.cwd for spec in bench.run(Outside.OWNER, asked("x")).specs] == ["/tmp"]


def test_agents_of_one_request_share_their_environment(bench: Bench) -> None:
    specs = bench.run(Outside.OWNER, asked("x", "y")).specs
    assert specs[0].environment == specs[1].environment


@pytest.mark.parametrize("name", ["8", "agent-8", "Agent-008", "run-1", "session-003"])
def test_a_name_that_looks_like_an_id_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(
        WireError, match=f"the name '{name}' is not allowed: commands read it as .*-00.*; choose another name"
    ):
        bench.ask("spawn", {"agents": [{"command": ["true"], "name": name}], "cwd": "/", "env": {"PATH": "/bin"}})
    assert bench.ask(
        "spawn", {"agents": [{"command": ["true"], "name": "task-2"}], "cwd": "/", "env": {"PATH": "/bin"}}
    )


def test_after_names_an_agent_of_the_request_or_any_form_of_an_id(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    request = parse(
        operations.Spawn,
        {"agents": [{"command": ["x"], "name": "first"}, {"command": ["y"], "after": ["first", "1"]}], "cwd": "/"},
    )
    assert bench.run(Outside.OWNER, request).specs[1].after == ("first", agent.id)
    with pytest.raises(WireError, match="unknown-agent"):
        bench.run(Outside.OWNER, asked("x", after=["77"]))


def test_a_claimed_parent_must_be_the_calling_agent(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    claimed = parse(operations.Spawn, {"agents": [{"command": ["x"]}], "cwd": "/", "parent": "1"})
    assert bench.run(agent.id, claimed).caller == agent.id
    with pytest.raises(WireError, match="the calling process belongs to no agent"):
        bench.run(Outside.OWNER, claimed)


def test_a_retry_recalls_its_blockers_and_extends_the_first_environment(bench: Bench) -> None:
    blocker = bench.spawn("true")
    agent = bench.spawn("false", after=[blocker.id])
    bench.until_over(blocker, agent)
    event = bench.run(Outside.OWNER, parse(operations.Retry, {"ids": ["2"], "env": {"NEW": "1"}}))
    assert set(bench.state.agents) == {blocker.id, agent.id}
    (again,) = (bench.environments.get(digest) for digest in event.environments)
    assert again == {**bench.given.retries.environment(agent.id), "NEW": "1"}
    assert "PATH" in again
    request = parse(operations.Retry, {"ids": ["2"], "env": {"NEW": "1"}, "current_env": True})
    (alone,) = bench.run(Outside.OWNER, request).environments
    assert bench.environments.get(alone) == {"NEW": "1"}


def test_a_resource_limit_of_an_agent_overrides_the_configuration(bench: Bench) -> None:
    bench.configure(memory_max="1G")
    request = parse(
        operations.Spawn,
        {"agents": [{"command": ["x"]}, {"command": ["x"], "memory_max": 2 << 30}], "cwd": "/", "env": {}},
    )
    input_ = bench.run(Outside.OWNER, request)
    assert [spec.memory_max for spec in input_.specs] == [1 << 30, 2 << 30]


def test_a_spawn_is_refused_when_its_environment_cannot_be_written(bench: Bench) -> None:
    shutil.rmtree(bench.home.environments)
    assert bench.code("spawn", {"agents": [{"command": ["true"]}], "cwd": "/"}) == "cannot-store"
    assert bench.state.agents == {}
    assert bench.ask("limit")["living"] == 0


@needs_root
def test_a_full_disk_refuses_an_environment_and_leaves_no_partial_file(bench: Bench) -> None:
    with tmpfs(bench.home.environments, "64k"):
        with full(bench.home.environments):
            many = {"agents": [{"command": ["true"]}], "cwd": "/", "env": {"A": "x" * 10_000}}
            assert bench.code("spawn", many) == "cannot-store"
            assert [path.name for path in bench.home.environments.iterdir()] == ["ballast"]
        bench.spawn("true")


@pytest.mark.parametrize(
    ("fields", "runner", "name"),
    [
        ({"command": ["make"]}, None, "make"),
        ({"goal": "x"}, "mock", "agent"),
        ({"skill": "backend"}, "mock", "backend"),
        ({"stdin": "/in"}, "mock", "agent"),
        ({"goal": "x", "runner": "claude"}, "claude", "claude"),
        ({"goal": "x", "runner": "claude", "command": ["--verbose"]}, "claude", "claude"),
        ({"goal": "x", "runner": "claude", "name": "api"}, "claude", "api"),
    ],
)
def test_the_fields_of_an_agent_determine_its_runner_and_name(
    bench: Bench, fields: dict[str, object], runner: str | None, name: str
) -> None:
    request = parse(operations.Spawn, {"agents": [fields], "cwd": "/", "env": {"ORCHD_DEFAULT_RUNNER": "mock"}})
    (spec,) = bench.run(Outside.OWNER, request).specs
    assert (spec.runner, spec.name) == (runner, name)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "x"}, "bad-request: nothing to run"),
        ({"goal": "x", "runner": "no"}, "unknown-runner: unknown runner 'no'"),
    ],
)
def test_an_agent_without_work_or_with_an_unknown_runner_is_refused(
    bench: Bench, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(WireError, match=message):
        bench.run(Outside.OWNER, parse(operations.Spawn, {"agents": [fields], "cwd": "/"}))


def test_orchd_variables_of_a_caller_are_not_passed_to_its_agents(bench: Bench) -> None:
    env = {"ORCHD_RESULT": "/theirs", "ORCHD_AGENT": "agent-001", "MINE": "1"}
    request = parse(operations.Spawn, {"agents": [{"command": ["x"]}], "cwd": "/", "env": env})
    (spec,) = bench.run(Outside.OWNER, request).specs
    assert bench.environments.get(spec.environment) == {"MINE": "1"}


def test_an_agent_without_a_command_gets_the_configured_default_runner(bench: Bench) -> None:
    def runner(**fields: object) -> str | None:
        request = parse(operations.Spawn, {"agents": [fields], "cwd": "/tmp"})
        (spec,) = bench.run(Outside.OWNER, request).specs
        assert isinstance(spec, Spec)
        return spec.runner

    assert runner(command=["true"]) is None
    with pytest.raises(WireError, match="no-runner"):
        runner(goal="x")
    bench.configure(runner="mine", runners={"mine": RunnerSettings(command=("x",))})
    assert (runner(goal="x"), runner(goal="x", runner="claude"), runner(skill="x")) == ("mine", "claude", "mine")
    with pytest.raises(
        WireError, match=r"unknown-runner: unknown runner 'gpt'; valid runners are mock, claude, codex, mine, and"
    ):
        runner(goal="x", runner="gpt")


def test_a_result_may_have_a_name_of_any_length(bench: Bench) -> None:
    """The name may be longer than any file's; then the agent could not write it, and nobody else can have."""
    result = f"/tmp/{'x' * 300}"
    agent = bench.spawn("true", result=result)
    bench.until_over(agent)
    (spec,) = bench.run(Outside.OWNER, asked("x", result=result)).specs
    assert spec.result == result


def test_a_token_count_above_10_to_the_12_is_refused() -> None:
    assert asked("x", tokens=10**12).agents[0].tokens == 10**12
    with pytest.raises(ShapeError, match=r"tokens must be between 0 and 10\^12"):
        asked("x", tokens=2**63 - 1)


def written(bench: Bench, result: Path, text: str, code: int = 0) -> Agent:
    """An agent that has left this as its result, or nothing where there is no text."""
    script = f'[ -z "{text}" ] || echo {text} >"$ORCHD_RESULT"; exit {code}'
    agent = bench.spawn("sh", "-c", script, result=str(result))
    bench.until_over(agent)
    return agent


def test_a_retried_agent_overwrites_no_result_of_another_agent(bench: Bench, tmp_path: Path) -> None:
    result = tmp_path / "r.md"
    first, second = written(bench, result, "", 1), written(bench, result, "", 1)
    assert bench.code("retry", {"ids": [first.id, second.id]}) == "name-taken"
    third = bench.spawn("sh", "-c", 'echo third >"$ORCHD_RESULT"; sleep 600', result=str(result))
    assert bench.code("retry", {"ids": [first.id]}) == "name-taken"
    assert bench.code("retry", {"ids": [third.id]}) == "cannot-retry"
    bench.ask("cancel", {"ids": [third.id]})
    bench.until_over(third)
    fourth = written(bench, result, "fourth")
    with pytest.raises(WireError, match=f"name-taken: 'sh' is taken: {fourth.id} .completed. has the result {result}"):
        bench.ask("retry", {"ids": [first.id]})
    assert result.read_text() == "fourth\n"
    result.unlink()
    assert bench.code("retry", {"ids": [first.id]}) == ""


def test_a_retried_agent_may_overwrite_its_own_result(bench: Bench, tmp_path: Path) -> None:
    result = tmp_path / "r.md"
    agent = written(bench, result, "half", 1)
    assert result.read_text() == "half\n"
    assert bench.code("retry", {"ids": [agent.id]}) == ""


def test_a_result_stays_taken_although_a_newer_agent_failed(bench: Bench, tmp_path: Path) -> None:
    result, flag = tmp_path / "r.md", tmp_path / "flag"
    script = f'[ -e {flag} ] && echo first >"$ORCHD_RESULT"'
    first = bench.spawn("sh", "-c", script, result=str(result))
    bench.until_over(first)
    written(bench, result, "", 1)
    flag.touch()
    assert bench.code("retry", {"ids": [first.id]}) == ""
    bench.until_over(first)
    with pytest.raises(WireError, match=f"name-taken: 'sh' is taken: {first.id} .completed. has"):
        bench.spawn("true", result=str(result))
    assert result.read_text() == "first\n"


def test_the_path_of_a_moved_result_is_free_for_one_agent_at_a_time(bench: Bench, tmp_path: Path) -> None:
    result = tmp_path / "r.md"
    written(bench, result, "old")
    result.rename(tmp_path / "old.md")
    bench.ask("pause")
    waiting = bench.spawn("true", result=str(result))
    assert bench.code("spawn", {"agents": [{"command": ["true"], "result": str(result)}], "cwd": "/"}) == "name-taken"
    bench.ask("cancel", {"ids": [waiting.id]})
    assert bench.spawn("true", result=str(result)).status is Status.QUEUED


def test_runner_programs_are_looked_up_once_per_request(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    looks: list[object] = []
    monkeypatch.setattr(shutil, "which", recording(looks, shutil.which))
    agents = [*({"goal": "x"} for _ in range(50)), {"goal": "x", "env": {"ORCHD_DEFAULT_RUNNER": "mock"}}]
    request = parse(operations.Spawn, {"agents": agents, "cwd": "/", "env": {"PATH": str(tmp_path)}})
    specs = bench.run(Outside.OWNER, request).specs
    assert [spec.runner for spec in specs] == [*["claude"] * 50, "mock"]
    assert looks == ["claude", "codex"]
