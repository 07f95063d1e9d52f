"""Names and texts that would control a terminal, or break a file: no command prints them as they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.conftest import BIN, Instance

HOSTILE = "a\x1b[31mb\x07c\x7fd\x80e\x92f\x9b2Jg\u061ch\u2028i\u202ej\ufeffk\udcffl<&\"'\\"
ROUNDS = [
    ["status"],
    ["status", "--all"],
    ["why", "1"],
    ["why", "2"],
    ["wait", "1"],
    ["events", "--since", "0"],
    ["session", "list"],
    ["session", "show"],
    ["usage"],
    ["runs"],
    ["run-status", "run-001"],
    ["why", "run-001"],
    ["retry", "1"],
    ["cancel", "1"],
    ["metrics"],
    ["trace", "--json"],
    ["timeline"],
    ["timeline", "--format", "text"],
    ["worktrees", "list", "--all"],
    ["doctor"],
    ["config", "show"],
    ["runners"],
    ["tasks", "list"],
    ["plan", "composition.json"],
    ["validate", "composition.json"],
]
WRONG = [
    ["status", HOSTILE],
    ["why", HOSTILE],
    ["logs", HOSTILE],
    [HOSTILE],
    ["session", "show", HOSTILE],
    ["spawn", "--after", HOSTILE, "--", "true"],
    ["spawn", "--runner", HOSTILE, "--goal", "x"],
    ["spawn", "--env", HOSTILE, "--", "true"],
    ["spawn", "--env-file", HOSTILE, "--", "true"],
    ["spawn", "--stdin", f"{HOSTILE}", "--wait", "--", HOSTILE],
    ["spawn", "--cwd", f"/{HOSTILE}", "--wait", "--", "true"],
    ["spawn", "--result", f"/proc/{HOSTILE}/x", "--wait", "--", "true"],
    ["spawn", "--batch", HOSTILE],
    ["run", HOSTILE],
    ["validate", HOSTILE],
    ["plan", HOSTILE],
    ["skill", "show", HOSTILE],
    ["tasks", "show", HOSTILE],
    ["tasks", "new", HOSTILE],
    ["pm", "--tasks", HOSTILE],
    ["pm", "--tasks", "list.md", "--dry-run"],
    ["budget", HOSTILE],
    ["keys", "revoke", HOSTILE],
    ["worktrees", "list", HOSTILE],
    ["hook", "--state", "position", "--", HOSTILE],
    ["--profile", HOSTILE, "status"],
]


@pytest.fixture
def project(instance: Instance, tmp_path: Path) -> Path:
    """A directory with such a name, in whose session everything has one."""
    directory = tmp_path / HOSTILE.replace("/", "")
    directory.mkdir()
    (directory / "list.md").write_bytes(f"- [ ] {HOSTILE}\n".encode(errors="surrogateescape"))
    (directory / "position").write_bytes(HOSTILE.encode(errors="surrogateescape"))
    text = HOSTILE.replace("\udcff", "")
    part = {"skillName": "api", "role": text, "command": ["sh", "-c", "exit 3", text]}
    composition = {"name": text, "description": text, "executionMode": "hybrid", "subSkills": [part]}
    (directory / "composition.json").write_text(json.dumps(composition))
    ctl(instance, directory, "session", "new", "--name", HOSTILE)
    words = ["--name", HOSTILE, "--goal", HOSTILE, "--skill", HOSTILE, "--task-id", HOSTILE, "--model", HOSTILE]
    ctl(instance, directory, "spawn", "--wait", *words, "--", "sh", "-c", "exit 3", HOSTILE)
    ctl(instance, directory, "spawn", "--wait", *words, "--", f"./{HOSTILE}")
    ctl(instance, directory, "run", "composition.json")
    return directory


def ctl(instance: Instance, directory: Path, *words: str) -> str:
    """The output of a command on both streams."""
    process = subprocess.run(
        [BIN / "orchctl", *words],
        env={**instance.env, "PYTHONUTF8": "1"},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=60,
    )
    return process.stdout.decode()


def check(words: list[str], text: str) -> None:
    """Nothing in it controls a terminal."""
    assert "Traceback" not in text, (words, text)
    wild = {char for char in text if not char.isprintable() and char not in "\n\t"}
    assert not wild, (words, wild, text)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_command_prints_terminal_control_characters(instance: Instance, project: Path) -> None:
    for words in (*ROUNDS, *WRONG):
        check(words, ctl(instance, project, *words))


def test_the_files_of_the_session_and_the_pictures_are_valid(instance: Instance, project: Path) -> None:
    document = yaml.safe_load((project / ".agent/sessions/latest.yaml").read_text(encoding="utf-8"))
    assert {task["name"] for task in document["tasks"]} >= {HOSTILE.replace("\udcff", "\ufffd")}
    assert json.loads((project / ".claude/state/agents.json").read_text())[0]["goal"][0] == "a"
    for line in (project / ".claude/state/events.jsonl").read_text().splitlines():
        json.loads(line)
    ctl(instance, project, "timeline", "-o", "out.svg")
    ET.fromstring((project / "out.svg").read_text(encoding="utf-8"))
    ctl(instance, project, "timeline", "-o", "out.html")
    assert (project / "out.html").read_text(encoding="utf-8").replace("\n", "").isprintable()
