"""A uid that the password database does not know, as in containers: commands work, or name what they lack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import BIN, DEADLINE, Instance
from tests.support.machine import needs_root

UID = 12_345
pytestmark = needs_root


def nameless(instance: Instance, directory: Path, *words: str, **env: str) -> tuple[int, str]:
    """Run a command as a user without a name, who may read all files to be able to run this Python."""
    caps = "+dac_override,+dac_read_search"
    rights = [f"--reuid={UID}", f"--regid={UID}", "--clear-groups", f"--inh-caps={caps}", f"--ambient-caps={caps}"]
    variables = {name: value for name, value in instance.env.items() if name not in ("HOME", "XDG_CONFIG_HOME", "USER")}
    result = subprocess.run(
        ["setpriv", *rights, sys.executable, BIN / "orchctl", *words],
        env={**variables, "ORCHD_HOME": str(directory / "home"), **env},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd="/",
    )
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of this user's."""
    os.chown(tmp_path, UID, UID)
    return tmp_path


def test_agents_run_for_a_uid_without_a_passwd_entry(stopped: Instance, place: Path) -> None:
    code, output = nameless(stopped, place, "spawn", "--wait", "--", "echo", "hello")
    assert code == 0, output
    assert nameless(stopped, place, "doctor")[0] == 0
    assert nameless(stopped, place, "daemon", "stop")[0] == 0


def test_service_install_fails_for_a_uid_without_a_passwd_entry(stopped: Instance, place: Path) -> None:
    code, output = nameless(stopped, place, "service", "install", "--user")
    assert code == 1
    assert "service: " in output or "HOME is not set" in output
    code, output = nameless(stopped, place, "service", "install", "--user", HOME=str(place))
    assert (code, output.startswith("service: ")) == (1, True)
    env = {"SUDO_USER": "", "ORCHD_HOME": ""}
    code, output = nameless(stopped, place, "service", "install", "--system", HOME=str(place), **env)
    assert (code, f"uid {UID} has no entry in the password database" in output) == (1, True)


def test_a_command_without_a_home_prints_the_variables_to_set(stopped: Instance, place: Path) -> None:
    code, output = nameless(stopped, place, "status", ORCHD_HOME="")
    assert (code, "set HOME or ORCHD_HOME" in output) == (69, True)
