"""`orchctl demo`, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


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
