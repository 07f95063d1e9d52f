"""`orchctl spawn`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Background, Orchctl, Terminal


def output(instance: Instance, agent_id: str) -> str:
    """Return the output of an agent."""
    assert instance.ctl("wait", agent_id)
    return instance.ctl("logs", agent_id)


def test_spawn_prints_only_the_id_on_stdout(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("spawn", "--name", "api", "--goal", "Implement", "--", "true") == (0, "agent-001\n", "")
    assert orchctl("spawn", "true") == (0, "agent-002\n", "")


def test_json_output_with_wait_is_a_single_value_with_the_final_status(instance: Instance, orchctl: Orchctl) -> None:
    result = orchctl("spawn", "--json", "--wait", "--", "sh", "-c", "exit 3")
    answer = json.loads(result.out)
    assert (result.code, result.err) == (1, "")
    assert [(agent["id"], agent["status"]) for agent in answer["agents"]] == [("agent-001", "failed")]
    assert answer["timed_out"] is False


def test_a_daemon_is_started_when_none_runs(stopped: Instance, orchctl: Orchctl) -> None:
    assert orchctl("spawn", "--", "true") == (0, "agent-001\n", "")


def test_every_option_reaches_the_agent(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    (tmp_path / "sub").mkdir()
    orchctl("spawn", "--", "sleep", "60")
    words = "--name n --goal g --skill s --task-id t --priority -3 --nesting 1 --timeout 15m --silence 90s --grace 2"
    places = "--cwd sub --stdin in --output-dir made --retries 2 --after 1"
    options = "--runner mock --model m --result r.md --tokens 9 --memory-max 512M"
    assert orchctl("spawn", *words.split(), *places.split(), *options.split(), "--", "x", "--name", "y").code == 0
    agent = instance.agent("agent-002")
    expected = {
        "name": "n",
        "goal": "g",
        "skill": "s",
        "task_id": "t",
        "priority": -3,
        "nesting": 1,
        "timeout": 900.0,
        "silence": 90.0,
        "grace": 2.0,
        "retries": 2,
        "after": ["agent-001"],
        "command": ["x", "--name", "y"],
        "cwd": str(tmp_path / "sub"),
        "stdin": str(tmp_path / "in"),
        "output_dir": str(tmp_path / "made"),
        "runner": "mock",
        "model": "m",
        "result": str(tmp_path / "r.md"),
        "tokens_expected": 9,
        "memory_max": 512 << 20,
    }
    assert {key: agent[key] for key in expected} == expected


def test_an_agent_gets_the_directory_and_environment_of_the_client(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    env = {**instance.env, "MINE": "from here", "ODD": "\udcff"}
    script = 'pwd; echo "$MINE $SET"; printf %s "$ODD" | od -An -tx1; echo "$ORCHD_AGENT $ORCHD_ATTEMPT"'
    agent_id = orchctl("spawn", "--env", "SET=a=b", "--", "sh", "-c", script, env=env).out.strip()
    assert output(instance, agent_id) == f"{tmp_path}\nfrom here a=b\n ff\nagent-001 1\n"


def test_a_batch_prints_its_ids_line_by_line(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    team = [
        {"command": ["sh", "-c", "pwd"], "name": "a", "cwd": "."},
        {"command": ["true"], "after": ["a"], "timeout": "15m"},
    ]
    (tmp_path / "team.jsonl").write_text("\n".join(map(json.dumps, team)))
    assert orchctl("spawn", "--batch", "team.jsonl") == (0, "agent-001\nagent-002\n", "")
    assert orchctl("spawn", "--batch", "-", input=json.dumps(team)) == (0, "agent-003\nagent-004\n", "")
    assert output(instance, "1") == f"{tmp_path}\n"


def test_a_batch_with_a_mistake_spawns_no_agent(instance: Instance, orchctl: Orchctl) -> None:
    result = orchctl("spawn", "--batch", "-", input='{"command": ["true"]}\n{"command": ["true"], "timeout": "soon"}\n')
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("bad-batch: stdin line 2: timeout: 'soon' is not a valid duration")
    assert instance.status("--all")["agents"] == []


@pytest.mark.parametrize("words", [("--name", "x"), ("--env", "A=B"), ("--priority", "0"), ("--", "true")])
def test_agent_options_are_refused_with_a_batch(words: tuple[str, ...], orchctl: Orchctl) -> None:
    result = orchctl("spawn", "--batch", "-", *words, input="")
    assert result.code == 2
    assert result.err.startswith("usage: ")
    assert "--batch" in result.err


def test_a_missing_command_is_a_usage_error(orchctl: Orchctl) -> None:
    assert orchctl("spawn", "--", "").err.startswith("usage: the program is empty: ''; give a command after `--`")
    result = orchctl("spawn", "--name", "x")
    assert result.code == 2
    assert result.err == "usage: nothing to run: give a command after `--`, e.g. `spawn -- claude -p ...`, or --goal\n"


def test_a_refusal_is_a_single_line_or_a_json_object(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("limit", "1")
    orchctl("spawn", "--", "sleep", "60")
    plain = orchctl("spawn", "--no-queue", "--", "true")
    assert (plain.code, plain.out) == (1, "")
    assert plain.err.startswith("would-queue: ")
    assert plain.err.count("\n") == 1
    result = orchctl("spawn", "--no-queue", "--json", "--", "true")
    assert (result.code, result.err) == (1, "")
    assert json.loads(result.out)["error"]["code"] == "would-queue"


def test_json_output_is_the_result(instance: Instance, orchctl: Orchctl) -> None:
    (agent,) = json.loads(orchctl("spawn", "--json", "--", "sleep", "60").out)["agents"]
    status = agent.pop("status")
    assert agent == {"id": "agent-001", "name": "sleep", "runner": None, "position": None, "reason": None}
    assert status in ("running", "starting")


def test_spawn_with_wait_prints_the_id_first_and_the_result_at_the_end(
    instance: Instance, background: Background, gate: Callable[[], None], tmp_path: Path
) -> None:
    command = background("spawn", "--wait", "--", "sh", "-c", f"read x <{tmp_path}/gate; exit 3")
    assert command.stdout is not None
    assert command.stdout.readline() == "agent-001\n"
    gate()
    assert command.stdout.readline().split()[:3] == ["agent-001", "sh", "failed"]
    assert command.wait(30) == 1


def test_the_queue_position_is_printed_on_a_terminal_only(
    instance: Instance, background: Background, terminal: Terminal
) -> None:
    instance.ctl("limit", "1")
    instance.spawn("sleep", "60")
    command = background("spawn", "--", "true", stderr=terminal.theirs)
    assert "agent-002 is queued, position 1" in terminal.until("\n")
    assert command.communicate(timeout=30)[0] == "agent-002\n"


def test_a_forged_parent_is_refused(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sleep", "60")
    assert orchctl("spawn", "--parent", "agent-001", "--", "true").err.startswith("forbidden: ")


def test_an_agent_spawned_inside_an_agent_is_its_child(instance: Instance) -> None:
    parent = instance.spawn("sh", "-c", "orchctl spawn -- true")
    assert output(instance, parent) == "agent-002\n"
    assert instance.agent("agent-002")["parent"] == parent


def test_an_existing_result_is_never_overwritten(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    def spawn(*command: str, name: str = "api", result: str = "out/api.md") -> str:
        return orchctl("spawn", "--name", name, "--result", result, "--wait", "--", *command).err.partition(":")[0]

    assert spawn("false") == ""
    assert spawn("sh", "-c", 'echo it >"$ORCHD_RESULT"') == "", "one that failed may be spawned again"
    assert spawn("true") == "name-taken"
    assert (tmp_path / "out/api.md").read_text() == "it\n"
    assert spawn("true", name="other", result="out/other.md") == ""
    (tmp_path / "out/api.md").rename(tmp_path / "out/old.md")
    assert spawn("true") == ""


def test_a_name_with_the_same_result_is_taken_while_its_agent_runs(instance: Instance, orchctl: Orchctl) -> None:
    orchctl("spawn", "--name", "api", "--result", "api.md", "--", "sleep", "600")
    result = orchctl("spawn", "--name", "api", "--result", "api.md", "--", "true")
    assert result.code == 1
    assert result.err.startswith("name-taken: 'api' is taken: agent-001 (running) has the result ")
    twice = '{"command": ["true"], "result": "x.md"}\n' * 2
    assert orchctl("spawn", "--batch", "-", input=twice).err.startswith(
        "name-taken: two agents of this request have the result"
    )


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [
        (["do the thing"], "--goal 'do the thing'"),
        (["--goal", "x", "claude"], "--runner claude"),
        (["agents.json"], "--batch agents.json"),
        (["--", "dir/agents.jsonl"], "--batch dir/agents.jsonl"),
    ],
)
def test_a_single_word_that_is_no_program_is_refused_with_a_suggestion(
    orchctl: Orchctl, line: list[str], suggestion: str
) -> None:
    result = orchctl("spawn", *line)
    assert result.code == 2
    assert f"did you mean {suggestion}" in result.err.lower()


def test_a_program_with_a_space_in_its_name_is_run(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    program = tmp_path / "do it"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert orchctl("spawn", "--wait", "--", str(program)).code == 0


def test_the_wait_timeout_does_not_end_the_agent(instance: Instance, orchctl: Orchctl) -> None:
    result = orchctl("spawn", "--wait", "--wait-timeout", "0.1", "--name", "long", "--", "sleep", "600")
    assert result.code == 75
    assert "running" in orchctl("status", "long").out
    assert orchctl("spawn", "--wait-timeout", "1", "--", "true").code == 2


def test_the_batch_example_can_be_spawned(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    result = orchctl("spawn", "--batch-example")
    assert (result.code, result.err) == (0, "")
    (tmp_path / "agents.jsonl").write_text(result.out.replace('"claude"', '"mock"').replace('"codex"', '"mock"'))
    instance.ctl("pause")
    spawned = orchctl("spawn", "--batch", "agents.jsonl")
    assert (spawned.code, len(spawned.out.split())) == (0, len(result.out.splitlines()))
