"""The current directory was deleted: commands that need none work, and the others report that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchctl.spawn.working_directory import here, is_deleted
from tests.conftest import BIN, Instance

NEED_NONE = ("status", "limit", "doctor", "events", "config show", "daemon status", "session list --all", "prune")
NEED_IT = ("spawn -- true", "run x.json", "tasks list", "session list", "skill list", "validate x.json")


def nowhere(instance: Instance, directory: Path, words: str) -> tuple[int, str, str]:
    """Run a command in a directory that was deleted."""
    script = f"mkdir {directory} && cd {directory} && rmdir {directory} && exec {BIN}/orchctl {words}"
    result = subprocess.run(["sh", "-c", script], env=instance.env, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout, result.stderr


def test_commands_that_need_no_directory_run_in_a_deleted_directory(instance: Instance, tmp_path: Path) -> None:
    for words in NEED_NONE:
        code, _, errors = nowhere(instance, tmp_path / "gone", words)
        assert (code, errors) == (0, ""), words
    code, _, errors = nowhere(instance, tmp_path / "gone", "spawn --cwd /tmp --wait -- pwd")
    assert (code, errors) == (0, "")
    assert instance.ctl("logs", "1") == "/tmp\n"


def test_other_commands_report_the_deleted_directory(instance: Instance, tmp_path: Path) -> None:
    for words in NEED_IT:
        code, _, errors = nowhere(instance, tmp_path / "gone", words)
        assert (code, errors.startswith("no-directory: the current directory was deleted")) == (1, True), words


def test_a_relative_home_reports_the_deleted_directory(instance: Instance, tmp_path: Path) -> None:
    instance.env["ORCHD_HOME"] = "home"
    code, _, errors = nowhere(instance, tmp_path / "gone", "status")
    assert (code, "home is relative, and the current directory was deleted" in errors) == (69, True)
    instance.env["ORCHD_HOME"] = str(instance.directory)


def test_an_absolute_directory_replaces_a_deleted_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    assert here() == tmp_path / "gone"
    assert not is_deleted()
    os.rmdir(tmp_path / "gone")
    assert is_deleted()
    assert here("/tmp") == Path("/tmp")
    with pytest.raises(FileNotFoundError):
        here("relative")
