"""docs/operations.md: its commands are run in their order, and what it says of them is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl import units
from tests.conftest import BIN
from tests.installation import PROGRAM
from tests.systemd.box import ROOT, Box, Installed

TEXT = (ROOT / "docs/operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
HOME = "/run/ann/.local/state/orchd"
# What there is to install is this checkout, and the same with one more step for the database.
PIP = """#!/bin/sh
case "$*" in
    "install --upgrade orchd") which=newer ;;
    "install orchd==0.1.0") which=older ;;
    *) exit 1 ;;
esac
exec {python} {program} /run/ann/app $which
"""


@pytest.fixture
def shell(box: Box) -> Iterator[subprocess.Popen[str]]:
    """A login shell, which stops at the first command that fails."""
    box.run(sys.executable, PROGRAM, "/run/ann/app", "older", who="ann")
    pip = PIP.format(python=sys.executable, program=PROGRAM)
    box.run("sh", "-c", f"cat > /run/ann/app/bin/pip <<'END'\n{pip}END\nchmod +x /run/ann/app/bin/pip", who="ann")
    path = f"/run/ann/app/bin:{BIN}:/usr/sbin:/usr/bin:/sbin:/bin"
    made = box.begin("bash", "-e", who="ann", stdin=subprocess.PIPE, env={"PATH": path})
    yield made
    if made.poll() is None:
        made.kill()
    made.communicate()
    Installed(box, HOME).end()
    box.run("sh", "-c", "rm -rf /run/ann/app /run/ann/orchd-* /run/ann/agents-of-mine")


@pytest.mark.slow
def test_every_command_does_what_it_is_there_for(shell: subprocess.Popen[str]) -> None:
    assert len(BLOCKS) == 10
    script = "\n".join(f"echo == {number}\n{block}" for number, block in enumerate(BLOCKS))
    out, err = shell.communicate(script, timeout=50)
    assert shell.returncode == 0, out + err
    said = re.split(r"^== \d+\n", out, flags=re.MULTILINE)[1:]
    assert "orchd.service: active, enabled" in said[0]
    assert "Active: active (running)" in said[2]
    assert "orchd 0.2.0" in said[3]
    assert "agent-001  hello  completed" in said[4]
    assert f"serving {HOME}" in said[5]
    assert "hello" in said[5]
    assert "agent-001  hello  completed" in said[7]
    assert said[8].endswith("hello\n")
    assert "removed" in said[9]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize(("scope", "unit"), [("user", "orchd.service"), ("system", "orchd@.service")])
def test_the_score_is_what_is_written(scope: str, unit: str, tmp_path: Path) -> None:
    path = tmp_path / unit.replace("@", "@root")
    path.write_text(units.text_of(scope, tmp_path))
    done = subprocess.run(
        ["systemd-analyze", f"--{scope}", "security", "--offline=true", "--no-pager", path],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    given = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert given, done.stderr
    written = re.search(rf"([\d.]+) to `{re.escape(unit)}`", TEXT)
    assert written
    assert abs(float(given[1]) - float(written[1])) <= 0.3  # versions differ in what they look at
