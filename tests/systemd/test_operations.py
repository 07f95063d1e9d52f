"""docs/guides/operations.md: its commands run in their order, and its statements hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.daemon import units
from tests.conftest import BIN
from tests.installation import PROGRAM
from tests.systemd.box import ROOT, Box, Installed

TEXT = (ROOT / "docs/guides/operations.md").read_text()
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
    process = box.begin("bash", "-e", who="ann", stdin=subprocess.PIPE, env={"PATH": path})
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()
    Installed(box, HOME).end()
    box.run("sh", "-c", "rm -rf /run/ann/app /run/ann/orchd-* /run/ann/agents-of-mine")


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_documented_commands_run_in_order_with_expected_output(shell: subprocess.Popen[str]) -> None:
    assert len(BLOCKS) == 11
    script = "\n".join(f"echo == {number}\n{block}" for number, block in enumerate(BLOCKS))
    out, err = shell.communicate(script, timeout=150)
    assert shell.returncode == 0, out + err
    outputs = re.split(r"^== \d+\n", out, flags=re.MULTILINE)[1:]
    assert "orchd.service: active, enabled" in outputs[0]
    assert "Active: active (running)" in outputs[2]
    assert "orchd 0.2.0" in outputs[3]
    assert "agent-001  hello  completed" in outputs[4]
    assert f"serving {HOME}" in outputs[5]
    assert "hello" in outputs[5]
    assert outputs[6].splitlines()[1] == "0 agents and 0 runs pruned, 0 B of logs; 1 finished are kept"
    assert "agent-001  hello  completed" in outputs[8]
    assert outputs[9].endswith("hello\n")
    assert "removed" in outputs[10]


# What the page says beside its blocks, and which test does the same.
IN_PASSING = {
    "sudo orchctl service install --system --enable": "test_the_system_service_runs_for_a_user_and_is_protected",
    "systemctl enable --now orchd@ann": "test_the_system_service_runs_for_a_user_and_is_protected",
    "systemctl ... orchd@NAME": "test_the_system_service_runs_for_a_user_and_is_protected",
    "orchctl daemon stop --keep-agents": "test_a_stopped_service_leaves_only_the_agents_that_it_reported",
    "orchctl uninstall-project": "tests/orchctl/commands/sessions/test_uninstall_project.py",
    "orchctl daemon stop": "tests/orchctl/commands/daemon/test_stop.py",
    "orchctl daemon start": "test_a_stopped_service_keeps_agents_and_no_query_starts_a_daemon",
    "systemctl --user reset-failed orchd": "test_a_service_that_cannot_start_fails_and_reports_the_reason",
    "systemctl --user status orchd": "",
    "systemctl status": "",
    "orchctl prune": "tests/daemon/test_full_disk.py",
    "orchctl prune --keep 0": "tests/daemon/test_full_disk.py",
    "systemctl --user edit orchd": "",  # opens an editor
    "systemctl --user kill orchd": "test_a_kill_of_the_whole_unit_kills_agents_too",
    "orchctl service install": "test_install_prints_the_next_step_and_backs_up_a_changed_unit",
    "orchctl wait": "test_a_killed_daemon_is_restarted_and_a_waiting_client_reconnects",
    "orchctl cancel": "tests/orchctl/commands/agents/test_cancel.py",
    "orchctl daemon restart": "tests/orchctl/commands/daemon/test_daemon.py",
    "orchctl doctor": "tests/orchctl/commands/daemon/test_doctor.py",
    "orchctl why": "tests/orchctl/commands/agents/test_why.py",
    "orchctl why ID": "tests/orchctl/commands/agents/test_why.py",
    "orchctl spawn": "tests/orchctl/commands/agents/test_spawn.py",
    "orchctl retry": "tests/orchctl/commands/agents/test_retry.py",
    "orchctl spawn --memory-max 2G --cpu-max 150% --pids-max 200": "tests/e2e/test_bounds.py",
    "orchctl keys new laptop": "tests/e2e/test_remote.py",
    "orchctl keys authorize laptop PUBLIC --role user": "tests/e2e/test_remote.py",
    "orchctl keys list": "tests/e2e/test_remote.py",
    "orchctl keys revoke laptop": "tests/e2e/test_remote.py",
    "orchctl --profile box status": "tests/e2e/test_remote.py",
}


def test_every_command_in_the_prose_is_run_by_a_test() -> None:
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    commands = set(re.findall(r"`((?:sudo )?(?:orchctl|systemctl|loginctl|pip|orchd) [^`]+)`", prose))
    run = {line.strip() for block in BLOCKS for line in block.splitlines()}
    assert commands - run - set(IN_PASSING) == set(), "run it in a block, or name the test that does it"
    assert set(IN_PASSING) <= commands, "these are said nowhere any more"
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in filter(None, IN_PASSING.values()):
        assert (ROOT / name).exists() if name.startswith("tests/") else f"def {name}" in tests, name


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize(("scope", "unit"), [("user", "orchd.service"), ("system", "orchd@.service")])
def test_the_documented_security_score_matches_systemd_analyze(scope: str, unit: str, tmp_path: Path) -> None:
    path = tmp_path / unit.replace("@", "@root")
    path.write_text(units.text_of(scope, tmp_path, 252))
    process = subprocess.run(
        ["systemd-analyze", f"--{scope}", "security", "--offline=true", "--no-pager", path],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    match = re.search(r"exposure level for \S+: ([\d.]+)", process.stdout)
    assert match, process.stderr
    written = re.search(rf"([\d.]+) to `{re.escape(unit)}`", TEXT)
    assert written
    assert abs(float(match[1]) - float(written[1])) <= 0.3  # versions differ in what they look at
