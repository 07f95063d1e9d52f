"""The state of the unit, and the commands that start it. tests/systemd has the same with a real manager."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchctl.daemon import user
from orchctl.doctor import service
from orchctl.doctor.findings import Finding
from orchd.instance.home import Home
from orchd.instance.service import Service, record_service
from tests.conftest import DEADLINE
from tests.orchctl.daemon.test_systemd import manager

USER = Service("user", "orchd.service")
SH = shutil.which("sh")


def unit_findings(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, properties: dict[str, str]
) -> list[Finding]:
    """Return the findings when `systemctl show` prints these properties."""
    lines = {"LoadState": "loaded", "ExecStart": f"{{ path={SH} ; argv[]=sh }}", **properties}
    manager(tmp_path, monkeypatch, "\n".join(f"echo '{key}={value}'" for key, value in lines.items()))
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / (user.name() or "")).touch()
    return list(service.service(home, tmp_path, tmp_path / "linger", DEADLINE))


@pytest.mark.parametrize(
    ("properties", "detail", "remedy"),
    [
        ({"ActiveState": "failed", "StatusText": "limit is 0"}, "has failed: limit is 0", "`orchctl daemon start`"),
        ({"ActiveState": "failed", "Result": "start-limit-hit"}, "start-limit-hit", "`orchctl daemon start`"),
        ({"ActiveState": "failed", "ExecStart": "{ path=/gone ; argv[]=/gone -P }"}, "/gone", "service install --user"),
        ({"ActiveState": "inactive", "LoadState": "masked"}, "is masked", "unmask"),
    ],
)
def test_a_failed_or_masked_unit_is_a_problem(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, properties: dict[str, str], detail: str, remedy: str
) -> None:
    record_service(home, USER)
    (finding,) = unit_findings(home, tmp_path, monkeypatch, properties)
    assert finding.state == "problem"
    assert detail in finding.what
    assert remedy in (finding.remedy or "")


def test_a_unit_that_was_stopped_is_a_warning(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_service(home, USER)
    (finding,) = unit_findings(home, tmp_path, monkeypatch, {"ActiveState": "inactive"})
    assert (finding.state, "exit with 69" in finding.what) == ("warning", True)


def test_a_running_service_is_no_problem_but_needs_lingering(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_service(home, USER)
    (finding,) = unit_findings(home, tmp_path, monkeypatch, {"ActiveState": "active"})
    assert (finding.state, finding.what) == ("ok", "orchd.service is active")
    (tmp_path / "linger" / (user.name() or "")).unlink()
    _, finding = service.service(home, tmp_path, tmp_path / "linger", DEADLINE)
    assert "loginctl enable-linger" in (finding.remedy or "")


def test_a_manager_that_does_not_answer_is_a_warning(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_service(home, USER)
    manager(tmp_path, monkeypatch, "exec sleep 600")
    (finding,) = service.service(home, tmp_path, tmp_path)
    assert (finding.state, "does not answer" in finding.what) == ("warning", True)


def test_a_failed_unit_of_another_home_is_not_a_problem(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "systemd/user").mkdir(parents=True)
    (tmp_path / "systemd/user/orchd.service").touch()
    (finding,) = unit_findings(
        home, tmp_path, monkeypatch, {"ActiveState": "failed", "Environment": "A=1 ORCHD_HOME=/other"}
    )
    assert (finding.state, finding.what) == ("ok", "orchd.service serves another home, /other")


def test_without_systemd_there_is_no_service(home: Home, tmp_path: Path) -> None:
    (finding,) = service.service(home, tmp_path / "none")
    assert finding.what.startswith("systemd is not running")
