"""`orchctl service` where there is no systemd; tests/systemd has it with one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import Instance


@pytest.fixture
def bare(stopped: Instance, tmp_path: Path) -> Instance:
    """An instance on whose PATH there is no `systemctl`."""
    stopped.env.update(PATH=str(Path(sys.executable).parent), XDG_CONFIG_HOME=str(tmp_path))
    return stopped


def test_nothing_is_written_where_no_manager_would_read_it(bare: Instance, tmp_path: Path) -> None:
    reply = json.loads(bare.ctl("service", "install", "--enable", "--json", code=1))
    assert reply["error"] == {
        "code": "service",
        "message": "systemctl is not installed; use `orchctl daemon start`, which does not need it",
        "details": {},
    }
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_said_and_need_not_be_taken_away(bare: Instance) -> None:
    assert bare.ctl("service", "status", code=1) == "orchd.service: not installed\n"
    assert json.loads(bare.ctl("service", "uninstall", "--json"))["removed"] is False
