"""The program that becomes an agent where no shell could."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchd.processes.launching import stage

ENV = {"_orchd_0": "A=b=c", "_orchd_1": "NOT_SET", "_orchd_cwd": "/", "ORCHD_HOME": "/h", "OTHER": "1"}


def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command behind the stage; its result."""
    return subprocess.run(
        [sys.executable, "-I", "-S", stage.__file__, *words],
        env={**ENV, **more},
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_agent_has_its_own_variables_and_its_marks() -> None:
    assert run("/usr/bin/env").stdout == "A=b=c\nORCHD_HOME=/h\n"


def test_limits_are_set_on_the_agent() -> None:
    process = run("/bin/sh", "-c", "ulimit -Sn; ulimit -Hn", _orchd_limits=f"{resource.RLIMIT_NOFILE}:7:9")
    assert process.stdout == "7\n9\n"


def test_agent_ignores_no_signal() -> None:
    lines = run("/bin/cat", "/proc/self/status").stdout.splitlines()
    (ignored,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    assert ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0


def test_a_script_without_a_shebang_is_run_by_the_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$1" "$A"\n')
    script.chmod(0o700)
    assert run(str(script), "x").stdout == "x b=c\n"


@pytest.mark.parametrize(("program", "code"), [("/nowhere/x", 127), ("/", 126)])
def test_a_program_that_cannot_start_gives_the_exit_code_of_a_shell(program: str, code: int) -> None:
    process = run(program)
    assert process.returncode == code
    assert program in process.stderr
