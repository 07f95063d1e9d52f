"""Exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchctl import errors, exit_codes
from orchd.instance.home import HomeError
from orchd.protocol.errors import WireError
from tests.conftest import Instance

ACCESS = "Change its permissions, or give another path"
SPACE = "Free disk space, and run the command again"


def exit_code_of(error: BaseException, *, json: bool = False) -> int:
    """Return the exit code of a command that raises `error`."""

    def run(args: SimpleNamespace) -> int:
        raise error

    return exit_codes.run(run, SimpleNamespace(json=json))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (WireError("forbidden", "you may not"), 1, "forbidden: you may not\n"),
        (errors.RefusedError("is gone", code="no-log"), 1, "no-log: is gone\n"),
        (errors.UsageError("say what"), 2, "usage: say what\n"),
        (errors.NoDaemonError("none runs"), 69, "no-daemon: none runs\n"),
        (HomeError("cannot be made"), 69, "home: cannot be made\n"),
        (errors.TimedOutError("too late"), 75, "timed-out: too late\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, f"system: Permission denied: /x. {ACCESS}\n"),
        (OSError(28, "No space left on device"), 1, f"system: No space left on device. {SPACE}\n"),
        (WireError("odd", "two\nlines"), 1, "odd: two lines\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_error_has_its_code_and_one_line(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(error) == code
    assert capsys.readouterr() == ("", message)


def test_with_json_an_error_is_an_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(WireError("would-queue", "7 of 7", {"limit": 7}), json=True) == 1
    message = '{"error":{"code":"would-queue","message":"7 of 7","details":{"limit":7}}}\n'
    assert capsys.readouterr() == (message, "")


def test_return_value_of_a_command_is_its_exit_code() -> None:
    assert exit_codes.run(lambda _: 75, SimpleNamespace()) == 75


def test_unexpected_exceptions_propagate() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_code_of(ZeroDivisionError())


def test_errors_show_code_and_message() -> None:
    assert str(errors.ClientError("something")) == "error: something"


def test_closed_pipe_reader_ends_the_command_without_an_error_message() -> None:
    script = (
        "import sys; from types import SimpleNamespace; from orchctl import exit_codes\n"
        "from orchctl.terminal import console\n"
        "def run(args):\n"
        "    for _ in range(100000): console.print_line('more')\n"
        "    return 0\n"
        "sys.exit(exit_codes.run(run, SimpleNamespace()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == exit_codes.BROKEN_PIPE


FULL = "system: No space left on device: the standard output. Write to another file, or free disk space\n"


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("status >/dev/full", 1, FULL),
        ("status --json >/dev/full", 1, FULL),
        ("config init --print >/dev/full", 1, FULL),
        ("spawn --batch-example >/dev/full", 1, FULL),
        ("bogus --json >/dev/full", 1, FULL),
        ("--connect '' --json >/dev/full", 1, FULL),
        ("status >/dev/full 2>/dev/full", 1, ""),
        ("status >&-", 0, ""),
        ("spawn -- true >&-", 0, ""),
        ("spawn -- true <&- >&- 2>&-", 0, ""),
        ("spawn 2>&-", 2, ""),
        ("bogus 2>&-", 2, ""),
        ("bogus --json >&-", 2, ""),
    ],
)
def test_full_or_closed_streams_set_the_exit_code_without_a_traceback(
    line: str, code: int, message: str, instance: Instance
) -> None:
    command = ["sh", "-c", f"exec orchctl {line}"]
    result = subprocess.run(
        command, env=instance.env, cwd=instance.directory, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (code, "", message)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("config init", "home/config.toml"),
        ("skill install --dir s", "s/skill-parallel-orchestration/SKILL.md"),
        ("tasks new a --goal x --dir t", "t/subtask-a.md"),
    ],
)
def test_a_failed_write_names_the_file_and_leaves_none(line: str, path: str, tmp_path: Path) -> None:
    env = {**os.environ, "ORCHD_HOME": str(tmp_path / "home")}
    command = ["sh", "-c", f"ulimit -f 0; exec {sys.executable} -m orchctl {line}"]  # a full disk fails the same calls
    result = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"system: File too large: {tmp_path}/{path}. Give a smaller file")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("line", ["bogus --json", "status", "--connect '' --json"])
def test_closed_pipe_reader_gives_the_broken_pipe_code_also_for_errors(line: str, instance: Instance) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = ["sh", "-c", f"exec orchctl {line}"]
    with open(writer, "wb") as gone:
        result = subprocess.run(command, env=instance.env, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert (result.returncode, result.stderr) == (exit_codes.BROKEN_PIPE, "")
