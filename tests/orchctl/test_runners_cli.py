"""A coding agent's CLI as a member of a run: complete only when everything says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def ended(tmp_path: Path, name: str, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """How the wrapper ended, with `script` in the place of the CLI."""
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir(exist_ok=True)
    (bin_directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (bin_directory / name).chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{bin_directory}:/usr/bin:/bin",
        "ORCHD_RESULT": str(tmp_path / "result.md"),
        "ORCHD_RUNNER": name,
    }
    return subprocess.run(
        [sys.executable, "-m", "orchctl.runners", *options],
        env=env,
        input="Do it.",
        capture_output=True,
        text=True,
        check=False,
    )


def says(prompt: str = "/dev/null", **outcome: object) -> str:
    """A `claude` that puts its prompt there and prints this outcome."""
    return f"cat > {prompt}\nprintf '%s\\n' '{json.dumps({'type': 'result', **outcome})}'"


def test_claude_gets_the_prompt_and_its_result_is_kept(tmp_path: Path) -> None:
    script = says(f"{tmp_path}/prompt", subtype="success", is_error=False, result="All done.")
    done = ended(tmp_path, "claude", f'echo "$@" > {tmp_path}/argv\n{script}', "--model", "opus")
    assert (done.returncode, done.stdout, done.stderr) == (0, "All done.\n", "")
    assert (tmp_path / "prompt").read_text() == "Do it."
    assert (tmp_path / "argv").read_text() == "-p --output-format json --model opus\n"
    assert (tmp_path / "result.md").read_text() == "All done."


def test_a_result_that_claude_wrote_itself_stays(tmp_path: Path) -> None:
    script = says(subtype="success", result="See the file.")
    done = ended(tmp_path, "claude", f"echo mine > {tmp_path}/result.md\n{script}")
    assert done.returncode == 0
    assert (tmp_path / "result.md").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (says(subtype="success", is_error=True, result="Overloaded"), "'success', is_error"),
        (says(subtype="error_max_turns"), "its result says 'error_max_turns'"),
        (says(subtype="success", result=""), "it left no result at"),
        ("echo bye", "it printed no result"),
        ("echo '[1]'", "it printed no result"),
        ("true", "it printed no result"),
    ],
)
def test_a_claude_that_was_cut_off_has_failed_though_it_ended_with_0(tmp_path: Path, script: str, said: str) -> None:
    done = ended(tmp_path, "claude", script)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "result.md").exists()


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_the_exit_code_of_a_cli_that_failed_is_its_own(tmp_path: Path, name: str) -> None:
    done = ended(tmp_path, name, "echo no; exit 3")
    assert (done.returncode, done.stdout) == (3, "no\n")


def test_the_last_message_of_codex_is_its_result(tmp_path: Path) -> None:
    script = 'while [ "$1" != --output-last-message ]; do shift; done; cat > "$2"'
    assert ended(tmp_path, "codex", script).returncode == 0
    assert (tmp_path / "result.md").read_text() == "Do it."


def test_a_codex_that_left_no_message_has_been_cut_off_also_when_an_earlier_attempt_left_one(tmp_path: Path) -> None:
    (tmp_path / "result.md").write_text("old")
    done = ended(tmp_path, "codex", "true")
    assert done.returncode == 1
    assert "it left no result at" in done.stderr


def test_a_cli_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "orchctl.runners"],
        env={"PATH": str(tmp_path / "bin"), "ORCHD_RUNNER": "codex"},
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 127
    assert "codex: no such program" in done.stderr
