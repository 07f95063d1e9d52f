"""The shipped units, and their form for this installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchctl.daemon import units
from orchd.processes.linux.controllers import LEAF

ROOT = Path(__file__).parents[3]
SCOPES = ("user", "system")
analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")


def written(scope: str, directory: Path) -> Path:
    """The unit as it is installed."""
    path = directory / units.path_of(scope).name
    path.write_text(units.text_of(scope, directory / "home", 252))
    return path


def test_shipped_units_are_in_the_systemd_directory() -> None:
    for scope in SCOPES:
        name = units.path_of(scope).name
        assert (ROOT / "systemd" / name).samefile(units.SHIPPED / name)


@pytest.mark.parametrize("scope", SCOPES)
def test_an_installed_unit_runs_this_installation(scope: str, tmp_path: Path) -> None:
    text = units.text_of(scope, tmp_path, 252)
    assert f'ExecStart="{sys.executable}" "-P" "-m" "orchd" --service={scope}:%n' in text.splitlines()
    assert (f'Environment="ORCHD_HOME={tmp_path}"' in text) == (scope == "user")
    assert text.count("ExecStart=") == 1


@pytest.mark.parametrize("scope", SCOPES)
def test_a_unit_sets_a_delegate_subgroup_from_systemd_254_on(scope: str, tmp_path: Path) -> None:
    lines = units.text_of(scope, tmp_path, 254).splitlines()
    assert lines[lines.index("Delegate=yes") + 1] == f"DelegateSubgroup={LEAF}"
    assert "DelegateSubgroup" not in units.text_of(scope, tmp_path, 253)


def test_special_characters_in_unit_values_are_quoted() -> None:
    assert units.quoted('/a b/50%/$x/"q"\\') == '"/a b/50%%/$$x/\\"q\\"\\\\"'
    assert units.quoted("A=$x", is_command=False) == '"A=$x"'


def test_the_path_of_a_unit_depends_on_its_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    assert units.path_of("user") == Path("/c/systemd/user/orchd.service")
    assert units.path_of("system") == Path("/etc/systemd/system/orchd@.service")
    assert units.service_of("system", "ann").unit == "orchd@ann.service"


def verified(scope: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze on a unit."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(path.parent)}
    return subprocess.run(["systemd-analyze", f"--{scope}", "verify", path], env=env, capture_output=True, text=True)


@analyze
@pytest.mark.parametrize("scope", SCOPES)
def test_systemd_analyze_accepts_the_units(scope: str, tmp_path: Path) -> None:
    path = written(scope, tmp_path)
    if scope == "system":
        path = path.rename(tmp_path / "orchd@root.service")
    process = verified(scope, path)
    assert (process.returncode, process.stdout + process.stderr) == (0, "")


@analyze
def test_systemd_analyze_detects_a_mistake_in_a_unit(tmp_path: Path) -> None:
    path = written("user", tmp_path)
    path.write_text(path.read_text().replace("Delegate=yes", "Delegat=yes"))
    process = verified("user", path)
    assert "Delegat" in process.stdout + process.stderr
