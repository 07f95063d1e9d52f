"""`orchctl demo`, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchctl.commands.agents import demo


@pytest.mark.slow
def test_the_demo_completes_all_agents_after_a_kill_and_leaves_no_files(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "orchctl", "demo", "--json"]
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    reply = json.loads(result.stdout)
    assert reply["agents"] == reply["completed"] == 19
    assert reply["attempts"] == 20
    assert reply["most_at_work"] == reply["limit"] == 4
    assert list(tmp_path.iterdir()) == []


def test_the_next_commands_of_the_demo_can_be_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = tmp_path / ".venv/bin/orchctl", tmp_path / "bin/orchctl"
    for program in (own, other):
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/orchctl", "demo"])
    for path, expected in (
        (tmp_path, ".venv/bin/orchctl"),
        (other.parent, ".venv/bin/orchctl"),
        (own.parent, "orchctl"),
    ):
        monkeypatch.setenv("PATH", str(path))
        assert demo._program() == expected
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/orchctl/__main__.py", "demo"])
    assert demo._program() == "orchctl"
