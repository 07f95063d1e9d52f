"""Daemons and lists of work for commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.pm.fake_bd import FakeBd


@pytest.fixture
def quick(stopped: Instance) -> Instance:
    """An instance whose mock agents are quick; its daemon runs."""
    stopped.env["ORCHD_MOCK_SECONDS"] = "0.01"
    stopped.start()
    return stopped


@pytest.fixture
def fake(quick: Instance, tmp_path: Path) -> FakeBd:
    """A Beads in `tmp_path`, and its `bd` on the PATH of every process."""
    return FakeBd(tmp_path, quick.env)
