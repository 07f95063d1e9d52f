"""Secrets: planted by every way in, and looked for everywhere, while agents live and when they have ended."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import zmq

from tests.conftest import Instance, processes_of, until

HUSH = {way: f"hush-{way}-6f1c2ab9" for way in ("environment", "option", "file", "batch")}
SCRIPT = 'echo "has ${A:+A} ${B:+B} ${C:+C} ${D:+D}"; read go < gate; exit 3'


def holders(directory: Path) -> dict[str, str]:
    """Every file below a directory that has one of the secrets in it."""
    holding: dict[str, str] = {}
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            holding |= {str(path.relative_to(directory)): way for way, word in HUSH.items() if word.encode() in content}
    return holding


def said(text: str) -> list[str]:
    """The secrets that a text has in it."""
    return [way for way, word in HUSH.items() if word in text]


def answers(instance: Instance, *ids: str, cwd: Path | None = None) -> str:
    """All output that clients can get; `cwd` is the project whose session is shown."""
    outputs = [
        instance.ctl("status", "--json", "--all"),
        instance.ctl("status", "--json", *ids),
        instance.ctl("status"),
    ]
    outputs += [instance.ctl("events", "--since", "0"), instance.ctl("events", "--since", "0", "--json")]
    outputs += [
        instance.ctl("session", "show", "--json", cwd=cwd, code=None),
        instance.ctl("runs", "--json"),
        instance.ctl("usage", cwd=cwd),
    ]
    outputs += [instance.ctl("logs", agent_id) for agent_id in ids]
    return "\n".join(outputs)


def planted(instance: Instance, directory: Path) -> list[str]:
    """Agents that were given a secret, each by another way."""
    (directory / "vars").write_text(f"# key\nC={HUSH['file']}\n")
    os.mkfifo(directory / "gate")
    entry = {"command": ["sh", "-c", SCRIPT], "cwd": str(directory), "env": {"D": HUSH["batch"]}}
    ids = instance.ctl("spawn", "--batch", "-", stdin=json.dumps(entry)).split()
    words = ["--cwd", str(directory), "--", "sh", "-c", SCRIPT]
    ids += instance.ctl("spawn", *words, env={"A": HUSH["environment"]}).split()
    ids += instance.ctl("spawn", "--env", f"B={HUSH['option']}", *words).split()
    ids += instance.ctl("spawn", "--env-file", str(directory / "vars"), *words).split()
    (directory / "vars").unlink()
    until(lambda: all("has" in instance.ctl("logs", agent_id, code=None) for agent_id in ids))
    return ids


@pytest.mark.slow
def test_a_secret_is_only_in_private_files_until_completion_or_prune(instance: Instance, tmp_path: Path) -> None:
    context = zmq.Context()
    news = context.socket(zmq.SUB)
    news.subscribe(b"")
    news.connect(f"ipc://{instance.home.events}")
    ids = planted(instance, tmp_path)
    assert [instance.ctl("logs", agent_id).split()[1] for agent_id in ids] == ["D", "A", "B", "C"]
    holding = holders(instance.directory)
    assert {Path(name).parent.name for name in holding} == {"env"}
    assert sorted(holding.values()) == ["batch", "environment", "file", "option"]
    for name in holding:
        assert stat.S_IMODE((instance.directory / name).stat().st_mode) == 0o600
    assert said("\n".join(processes_of(instance.directory).values())) == []
    assert said(answers(instance, *ids)) == []

    with (tmp_path / "gate").open("w") as gate:
        gate.write("\n" * 16)
        gate.flush()
        instance.ctl("wait", *ids, code=1)
    until(lambda: {Path(name).parent.name for name in holders(instance.directory)} == {"retry"})
    assert said(answers(instance, *ids)) == []
    for name in holders(instance.directory):
        assert stat.S_IMODE((instance.directory / name).stat().st_mode) == 0o600
    instance.ctl("prune", "--keep", "0")
    until(lambda: not holders(instance.directory))
    frames = []
    while news.poll(200):
        frames.append(news.recv())
    context.destroy(linger=0)
    assert frames
    assert said(b"".join(frames).decode(errors="replace")) == []
    assert holders(tmp_path) == {}


def test_a_retried_agent_keeps_its_secret_until_it_completes(instance: Instance, tmp_path: Path) -> None:
    script = 'echo "has ${C:-nothing}" | cut -c1-8; test -e done'
    (tmp_path / "vars").write_text(f"C={HUSH['file']}\n")
    words = ["--cwd", str(tmp_path), "--env-file", str(tmp_path / "vars"), "--", "sh", "-c", script]
    agent_id = instance.ctl("spawn", "--retries", "1", *words).strip()
    (tmp_path / "vars").unlink()
    until(lambda: instance.agent(agent_id)["status"] == "queued")
    assert list(holders(instance.directory).values()) == ["file"]
    instance.ctl("wait", agent_id, code=1)
    assert instance.ctl("logs", agent_id) == "has hush\n"
    until(lambda: list(holders(instance.directory)) == [f"retry/{agent_id}"])
    (tmp_path / "done").touch()
    instance.ctl("retry", agent_id)
    instance.ctl("wait", agent_id)
    assert instance.ctl("logs", agent_id) == "has hush\n"
    until(lambda: not holders(instance.directory))


def test_prune_removes_secrets_after_the_daemon_was_killed(stopped: Instance, tmp_path: Path) -> None:
    stopped.start()
    os.mkfifo(tmp_path / "gate")
    agent_id = stopped.ctl(
        "spawn", "--cwd", str(tmp_path), "--", "sh", "-c", SCRIPT, env={"A": HUSH["environment"]}
    ).strip()
    until(lambda: "has" in stopped.ctl("logs", agent_id, code=None))
    stopped.kill()
    with (tmp_path / "gate").open("w") as gate:
        gate.write("\n")
    until(lambda: not [line for line in processes_of(stopped.directory).values() if "read go" in line])
    stopped.start()
    stopped.ctl("wait", agent_id, code=1)
    until(lambda: list(holders(stopped.directory)) == [f"retry/{agent_id}"])
    stopped.ctl("prune", "--keep", "0")
    until(lambda: not holders(stopped.directory))


def test_a_run_stores_no_variable_of_the_environment_of_its_caller(instance: Instance, tmp_path: Path) -> None:
    part = {"skillName": "api", "command": ["true"], "runner": "command", "env": {"SAID": "aloud"}}
    composition = {"name": "team", "executionMode": "hybrid", "subSkills": [part]}
    (tmp_path / "composition.json").write_text(json.dumps(composition))
    instance.ctl("run", "composition.json", cwd=tmp_path, env={"A": HUSH["environment"]})
    until(lambda: not holders(instance.directory))
    assert said(answers(instance, cwd=tmp_path)) == []
    assert holders(tmp_path) == {}
    assert instance.status("run-001")["agents"][0]["status"] == "completed"
