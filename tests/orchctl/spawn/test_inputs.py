"""Standard inputs that the client reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchctl.errors import UsageError
from orchctl.spawn import inputs
from tests.conftest import BIN, Instance
from tests.orchctl.conftest import Orchctl


def test_regular_and_missing_files_are_left_to_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for source in ("file", "nothing", ".", "/dev/null"):
        assert inputs.read(source, tmp_path) is None


def test_an_input_that_is_too_long_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (inputs.LONGEST + 1))
    with (tmp_path / "file").open("rb") as file:
        source = f"/dev/fd/{file.fileno()}"
        with pytest.raises(UsageError, match="larger than 4,194,304 bytes: write it to a file"):
            inputs.read(source, tmp_path)


WAYS = {
    "own": "printf 'a prompt' | orchctl spawn --wait --stdin - -- cat",
    "by path": "printf 'a prompt' | orchctl spawn --wait --stdin /dev/stdin -- cat",
    "from a file": "printf 'a prompt' >f; orchctl spawn --wait --stdin /dev/stdin -- cat <f",
    "substitution": "orchctl spawn --wait --stdin <(printf 'a prompt') -- cat",
    "pipe": "mkfifo p; printf 'a prompt' >p & orchctl spawn --wait --stdin p -- cat",
}


@pytest.mark.parametrize("source", WAYS)
def test_input_that_only_the_caller_can_read_reaches_the_agent(instance: Instance, tmp_path: Path, source: str) -> None:
    subprocess.run(["bash", "-c", WAYS[source]], env=instance.env, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    assert instance.ctl("logs", "1") == "a prompt"


def test_a_runner_gets_standard_input_as_its_prompt(instance: Instance, tmp_path: Path) -> None:
    script = tmp_path / "claude"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path / 'heard'}\n")
    script.chmod(0o755)
    env = {**instance.env, "PATH": f"{tmp_path}:{BIN}:{instance.env['PATH']}"}
    words = [str(BIN / "orchctl"), "spawn", "--wait", "--runner", "claude", "--stdin", "-"]
    subprocess.run(words, env=env, cwd=tmp_path, input="a prompt", text=True, check=False, capture_output=True)
    assert (tmp_path / "heard").read_text() == "a prompt"


def test_input_is_kept_privately_for_retries_until_the_agent_is_pruned(instance: Instance, orchctl: Orchctl) -> None:
    result = orchctl("spawn", "--wait", "--stdin", "-", "--", "sh", "-c", "cat; exit 1", input="a prompt")
    assert result.code == 1
    (kept_file,) = [
        path
        for path in instance.directory.rglob("*")
        if path.is_file() and path.read_bytes() == b"a prompt" and path.suffix != ".log"
    ]
    assert kept_file.stat().st_mode & 0o777 == 0o600
    instance.kill()
    instance.start()
    orchctl("retry", "1")
    instance.ctl("wait", "1", code=1)
    assert instance.ctl("logs", "1") == "a prompt"
    assert instance.agent("1")["attempt"] == 2
    instance.ctl("prune", "--keep", "0")
    for directory in (instance.home.inputs, instance.home.retry):
        assert list(directory.iterdir()) == []


def test_a_goal_that_is_too_long_is_refused_with_a_remedy(instance: Instance, orchctl: Orchctl) -> None:
    result = orchctl("spawn", "--goal", "g" * 4097)
    assert result.code == 2
    assert "at most 4,096 characters (give a longer text on standard input, with `stdin` or --stdin -)" in result.err
    assert orchctl("spawn", "--wait", "--runner", "mock", "--stdin", "-", input="g" * 5000).code == 0


@pytest.mark.parametrize("option", ["--env", "--env-file"])
def test_an_invalid_variable_name_is_refused_with_the_same_message(
    instance: Instance, orchctl: Orchctl, option: str
) -> None:
    (instance.directory / "vars").write_text("A B=hush\n")
    text = "A B=hush" if option == "--env" else os.fspath(instance.directory / "vars")
    result = orchctl("spawn", option, text, "--", "true")
    assert result.code == 2
    assert "is not KEY=VALUE: write a name" in result.err
    assert "hush" not in result.err
