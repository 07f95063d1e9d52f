"""The word that a daemon leaves about the service that it is."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from orchd.instance.home import Home
from orchd.instance.service import Service, log_of, parse, record_service, served_by
from tests.conftest import Instance

USER = Service("user", "orchd.service")
SYSTEM = Service("system", "orchd@ann.service")


def test_a_recorded_service_is_read_back_and_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert served_by(home) is None
    for unit in (USER, SYSTEM):
        record_service(home, unit)
        assert served_by(home) == unit
    assert stat.S_IMODE(home.service.stat().st_mode) == 0o600
    record_service(home, None)
    record_service(home, None)
    assert served_by(home) is None


def test_the_log_is_the_journal_for_a_service_and_a_file_otherwise(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert log_of(home) == str(home.log)
    record_service(home, SYSTEM)
    assert log_of(home) == "`journalctl --unit orchd@ann`"


def test_a_leftover_draft_does_not_disturb_a_later_service_record(tmp_path: Path) -> None:
    (tmp_path / ".service.new").write_text("user:")
    record_service(Home(tmp_path), USER)
    assert served_by(Home(tmp_path)) == USER


@pytest.mark.parametrize("text", ["", "user", "user:", "root:orchd.service", "user:orchd", "user:../x.service"])
def test_an_invalid_service_is_refused_and_its_record_is_ignored(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid service"):
        parse(text)
    Home(tmp_path).service.write_text(text)
    assert served_by(Home(tmp_path)) is None


def test_service_commands_have_the_form_that_users_type() -> None:
    assert USER.says("enable", "--now") == "systemctl --user enable --now orchd"
    assert SYSTEM.says("start") == "systemctl start orchd@ann"
    assert USER.log == "journalctl --user-unit orchd"
    assert SYSTEM.log == "journalctl --unit orchd@ann"


def test_a_plain_daemon_removes_the_record_of_a_service_daemon(stopped: Instance) -> None:
    stopped.home.create()
    stopped.start(sys.executable, "-m", "orchd", "--service=user:orchd.service")
    assert served_by(stopped.home) == USER
    stopped.stop()
    stopped.start()
    assert served_by(stopped.home) is None


def test_a_daemon_with_an_invalid_service_option_does_not_start(stopped: Instance) -> None:
    process = subprocess.run([sys.executable, "-m", "orchd", "--service=me"], capture_output=True, text=True)
    assert process.returncode == 2
    assert "--service" in process.stderr
