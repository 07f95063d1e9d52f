"""`orchctl demo`, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_shows_a_fleet_and_a_composition_through_a_kill_and_leaves_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "orchctl", "demo", "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert shown["agents"] == shown["completed"] == 19
    assert shown["attempts"] == 20
    assert shown["most_at_work"] == shown["limit"] == 4
    assert list(tmp_path.iterdir()) == []
