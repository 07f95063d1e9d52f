"""An agent gets the bytes that its caller gave, and commands print, whatever the locale."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BIN, Instance, until

TEXT = b"\xc3\xbc \xff"  # valid and invalid UTF-8


@pytest.fixture(params=["latin-1", "ascii"])
def locale(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Variables of a locale whose encoding is not UTF-8."""
    if request.param == "ascii":
        return {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    path = tmp_path / "locales" / "en_US.ISO-8859-1"
    path.parent.mkdir()
    try:
        process = subprocess.run(
            ["localedef", "-i", "en_US", "-f", "ISO-8859-1", path], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no localedef")
    if not path.is_dir():
        pytest.skip(f"no such locale can be made: {process.stderr.decode()}")
    return {"LOCPATH": str(path.parent), "LC_ALL": path.name}


def test_an_agent_gets_the_bytes_that_its_caller_gave(
    stopped: Instance, tmp_path: Path, locale: dict[str, str]
) -> None:
    stopped.env |= locale
    stopped.start()
    directory = os.fsencode(tmp_path) + b"/" + TEXT
    os.mkdir(directory)
    env = {os.fsencode(name): os.fsencode(value) for name, value in stopped.env.items()} | {b"W": TEXT}
    script = b'printf "%s\\n" "$1" "$V" "$W" "$PWD"'
    words = [
        os.fsencode(BIN / "orchctl"),
        b"spawn",
        b"--wait",
        b"--env",
        b"V=" + TEXT,
        b"--",
        b"sh",
        b"-c",
        script,
        b"sh",
    ]
    process = subprocess.run([*words, TEXT], env=env, cwd=directory, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr
    log = stopped.home.agents / "agent-001.1.log"
    until(lambda: log.read_bytes().count(b"\n") == 4)
    assert log.read_bytes().split(b"\n") == [TEXT, TEXT, TEXT, directory, b""]
