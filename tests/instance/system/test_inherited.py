"""The variables of a caller that its agents do not get."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchctl.daemon.launcher import for_agents
from orchd.instance.system.inherited import without_jobserver
from tests.conftest import Instance


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (" -j4 --jobserver-auth=3,4", " -j4"),
        ("kw -j4 --jobserver-auth=3,4 -- CC=gcc", "kw -j4 -- CC=gcc"),
        ("-w --jobserver-fds=3,4 -j", "-w"),
        ("-j --jobserver-fds=8,9 --jobserver-auth=8,9", ""),
        (" --jobserver-auth=-2,-2 -l2", " -l2"),
        (" -j4 --jobserver-auth=fifo:/tmp/GMfifo12", " -j4 --jobserver-auth=fifo:/tmp/GMfifo12"),
        (" -j -k", " -j -k"),
        (" -- X=--jobserver-auth=3,4", " -- X=--jobserver-auth=3,4"),
        (" -- X=a\\ --jobserver-auth=3,4", " -- X=a\\ --jobserver-auth=3,4"),
        ("", ""),
    ],
)
def test_only_jobserver_flags_are_removed_from_makeflags(flags: str, expected: str) -> None:
    assert without_jobserver(flags) == expected


def test_descriptor_and_service_manager_variables_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
    for name in names:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("MAKEFLAGS", " --jobserver-auth=3,4")
    monkeypatch.setenv("MFLAGS", "-w --jobserver-auth=3,4")
    monkeypatch.setenv("LISTEN_PORT", "80")
    environment = for_agents()
    assert not environment.keys() & {*names, "MAKEFLAGS"}
    assert (environment["MFLAGS"], environment["LISTEN_PORT"]) == ("-w", "80")


def test_make_in_an_agent_spawned_by_make_prints_no_jobserver_warning(instance: Instance, tmp_path: Path) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make")
    (tmp_path / "Makefile").write_text(
        f"outer:\n\t+@orchctl spawn --json -- {make} -C {tmp_path} inner\ninner:\n\t@echo made\n"
    )
    instance.ctl("limit", "1")
    outer_id = instance.spawn(make, "--no-print-directory", "-j2", "-C", str(tmp_path), "outer")
    instance.ctl("wait", outer_id)
    inner_id = json.loads(instance.ctl("logs", outer_id))["agents"][0]["id"]
    instance.ctl("wait", inner_id)
    output = instance.ctl("logs", inner_id)
    assert "made" in output
    assert "jobserver" not in output
