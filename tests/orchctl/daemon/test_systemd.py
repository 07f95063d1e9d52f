"""Clients of a home whose daemon is a service. tests/systemd has the same with a real systemd."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from orchctl.client import Client
from orchctl.daemon import launcher, systemd
from orchctl.errors import NoDaemonError, RefusedError
from orchd.instance.home import Home
from orchd.instance.service import Service, record_service

USER = Service("user", "orchd.service")


def manager(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """Install this script as the only `systemctl`; None: install none."""
    tools = directory / "tools"
    tools.mkdir()
    if script is not None:
        (tools / "systemctl").write_text(f"#!{shutil.which('sh')}\nPATH=/bin:/usr/bin\n{script}\n")
        (tools / "systemctl").chmod(0o700)
    monkeypatch.setenv("PATH", str(tools))


def test_a_daemon_starts_directly_without_systemd(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_service(home, USER)
    manager(tmp_path, monkeypatch, None)
    assert systemd.of(home) is None
    assert launcher.ensure(home)


def test_a_removed_unit_is_not_used(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_service(home, USER)
    manager(tmp_path, monkeypatch, "echo LoadState=not-found; echo ActiveState=inactive")
    assert systemd.of(home) is None
    assert not systemd.act(home, "restart")


@pytest.mark.parametrize(
    ("script", "state"),
    [("echo LoadState=loaded; echo ActiveState=inactive", "inactive"), ("echo no bus >&2; exit 1", "out of reach")],
)
@pytest.mark.parametrize("starts", [True, False])
def test_a_client_starts_no_daemon_for_a_stopped_service(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, state: str, starts: bool
) -> None:
    record_service(home, USER)
    manager(tmp_path, monkeypatch, script)
    with pytest.raises(NoDaemonError) as refused, Client(home, starts=starts) as client:
        client.call("daemon")
    assert str(refused.value) == (
        f"no-daemon: no daemon is running for {home.directory}: the service orchd.service is {state}; "
        "start it with `orchctl daemon start`; `journalctl --user-unit orchd` shows more"
    )


def test_a_client_waits_for_a_restarting_service(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_log = tmp_path / "asked"
    manager(tmp_path, monkeypatch, f"echo >> {call_log}; echo ActiveState=inactive; echo Job=12")
    with pytest.raises(NoDaemonError, match="orchd.service is inactive"):
        systemd.is_back(home, USER, 0.3)
    assert len(call_log.read_text().splitlines()) > 1
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home.socket))
        server.listen()
        assert systemd.is_back(home, USER, 0.3)


def test_an_error_of_systemctl_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager(tmp_path, monkeypatch, "echo $* >&2; exit 4")
    with pytest.raises(
        RefusedError, match="`systemctl --user start orchd` failed: --user --no-ask-password start orchd"
    ):
        systemd.demand(USER, "start")


def test_a_reload_without_systemctl_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager(tmp_path, monkeypatch, None)
    with pytest.raises(RefusedError, match="systemctl is not installed"):
        systemd.reload("user")


@pytest.mark.parametrize(
    ("output", "expected"), [("systemd 252 (252.39-1~deb12u1)", 252), ("systemd 254~rc1 (x)", 254), ("busy", 0)]
)
def test_the_systemd_version_is_parsed_from_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, expected: int
) -> None:
    manager(tmp_path, monkeypatch, f"[ $3 = --version ] && echo '{output}'; echo +PAM +AUDIT")
    assert systemd.version("user") == expected


def test_an_error_refers_to_the_journal_only_for_a_named_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager(tmp_path, monkeypatch, "echo no bus >&2; exit 1")
    with pytest.raises(RefusedError) as refused:
        systemd.reload("user")
    assert refused.value.message == "`systemctl --user daemon-reload` failed: no bus"
    with pytest.raises(RefusedError, match="failed: no bus; `journalctl --user-unit orchd` shows more"):
        systemd.demand(USER, "start")


@pytest.mark.parametrize(
    ("scope", "error", "name"),
    [
        ("user", "Failed to connect to bus: No medium found", "systemd user manager"),
        ("system", "System has not been booted with systemd as init system (PID 1). Can't operate.", "systemd"),
    ],
)
def test_an_error_without_a_manager_names_the_command_that_needs_none(
    scope: str, error: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager(tmp_path, monkeypatch, f'echo "{error}" >&2; exit 1')
    with pytest.raises(RefusedError) as refused:
        systemd.reload(scope)
    assert f"; no {name} runs here. Use `orchctl daemon start`, which needs none" in refused.value.message
