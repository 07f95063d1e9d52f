"""A Beads of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.orchctl.pm.fake_bd import FakeBd


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBd:
    """A `bd` on the PATH of this process."""
    monkeypatch.delenv("BEADS_DIR", raising=False)
    env = {"PATH": os.environ["PATH"]}
    bd = FakeBd(tmp_path, env)
    monkeypatch.setenv("PATH", env["PATH"])
    return bd
