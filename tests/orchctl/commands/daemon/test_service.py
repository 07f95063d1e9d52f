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


def test_service_install_writes_nothing_without_systemctl(bare: Instance, tmp_path: Path) -> None:
    reply = json.loads(bare.ctl("service", "install", "--enable", "--json", code=1))
    assert reply["error"] == {
        "code": "service",
        "message": "systemctl is not installed; use `orchctl daemon start`, which does not need it",
        "details": {},
    }
    assert list(tmp_path.iterdir()) == []


def test_service_status_and_uninstall_report_a_missing_unit(bare: Instance) -> None:
    assert bare.ctl("service", "status", code=1) == "orchd.service: not installed\n"
    assert json.loads(bare.ctl("service", "uninstall", "--json"))["removed"] is False
