"""The files of an attempt."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.instance.home import Home
from orchd.instance.system.locks import is_locked
from orchd.processes.attempt_files import AttemptFiles, files_of
from orchd.processes.linux.procfs import BOOT
from orchd.processes.shims.script import RECORD, header
from tests.support.bench import Bench


def test_attempt_files_are_private(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    paths = [path for path in bench.home.agents.iterdir() if path.name.startswith(f"{agent.id}.")]
    assert [path.name for path in sorted(paths)] == ["agent-001.1.exit", "agent-001.1.log"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert stat.S_IMODE(bench.home.agents.stat().st_mode) == 0o700


def test_the_files_of_an_attempt_are_named_by_agent_and_attempt() -> None:
    assert files_of(Home(Path("/h")), "agent-007", 2).stem == "/h/agents/agent-007.2"


@pytest.fixture
def files(tmp_path: Path) -> AttemptFiles:
    """The files of an attempt that never was."""
    return AttemptFiles(f"{tmp_path}/agents/agent-002.1")


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a record where a shim does, until it is told."""
    record = tmp_path / "record"
    script = f"exec {RECORD}>>{record}; echo; read x"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        record.write_text("boot\n")
        yield process
        process.communicate()


def test_a_new_record_is_locked_and_has_its_header_and_its_directory(files: AttemptFiles) -> None:
    record = files.open_record()
    assert Path(files.record).read_bytes() == header(BOOT)
    assert is_locked(files.record)
    os.close(record)
    assert not is_locked(files.record)


def test_a_new_record_does_not_overwrite_a_record_shared_with_an_attempt(files: AttemptFiles, tmp_path: Path) -> None:
    """A daemon that died before it wrote down that a shim has a successor: how its first attempt ended must stay."""
    os.close(files.open_record())
    first = tmp_path / "agents/agent-001.1.exit"
    os.link(files.record, first)
    first.write_text("boot\nagent-001.1 0\n")
    os.close(files.open_record())
    assert first.read_text() == "boot\nagent-001.1 0\n"
    assert Path(files.record).read_bytes() == header(BOOT)


@pytest.mark.parametrize("there", [None, "file", "link"])
def test_a_shared_record_replaces_any_existing_file(
    files: AttemptFiles, shim: subprocess.Popen[bytes], tmp_path: Path, there: str | None
) -> None:
    Path(files.record).parent.mkdir()
    if there == "file":
        Path(files.record).write_text("old")
    elif there == "link":
        Path(files.record).symlink_to(tmp_path / "elsewhere")
    files.share_record(shim.pid)
    assert os.path.samestat(os.lstat(files.record), os.stat(tmp_path / "record"))


def test_a_shared_record_is_the_open_file_of_the_shim_not_its_path(
    files: AttemptFiles, shim: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    Path(files.record).parent.mkdir()
    (tmp_path / "record").rename(tmp_path / "moved")
    (tmp_path / "record").symlink_to("/etc/passwd")
    files.share_record(shim.pid)
    assert Path(files.record).read_text() == "boot\n"


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_deleted_record_or_the_record_of_an_ended_shim_is_not_shared(
    files: AttemptFiles, shim: subprocess.Popen[bytes], tmp_path: Path, is_deleted: bool
) -> None:
    Path(files.record).parent.mkdir()
    if is_deleted:
        (tmp_path / "record").unlink()
    else:
        shim.communicate()
    with pytest.raises(FileNotFoundError):
        files.share_record(shim.pid)
    assert not Path(files.record).exists()


def test_removed_attempt_files_use_no_disk_space(files: AttemptFiles) -> None:
    os.close(files.open_record())
    os.close(files.open_log())
    Path(files.log).write_bytes(b"x" * 5000)
    assert files.room() >= 5000
    files.remove()
    files.remove()
    assert (files.room(), os.listdir(os.path.dirname(files.record))) == (0, [])


def planted(path: str, kind: str, elsewhere: Path) -> None:
    """Put a file of this kind in the place of a file of the next attempt, as an agent can."""
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "name":
        os.link(elsewhere, path)
    else:
        os.symlink(elsewhere if kind == "link" else elsewhere.with_name("nothing"), path)


@pytest.mark.parametrize("kind", ["FIFO", "link", "loose link", "name"])
def test_planted_files_do_not_redirect_the_log_and_record_of_an_attempt(
    files: AttemptFiles, tmp_path: Path, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    Path(files.directory).mkdir()
    for path in (files.log, files.record):
        planted(path, kind, elsewhere)
    log, record = files.open_log(), files.open_record()
    os.write(log, b"said")
    assert os.get_blocking(log)
    for descriptor in (log, record):
        os.close(descriptor)
    assert Path(files.log).read_bytes() == b"said"
    assert Path(files.record).read_bytes().split() == [b"exit-record", b"3", BOOT]
    assert elsewhere.read_text() == "precious"
    assert not elsewhere.with_name("nothing").exists()


def test_a_directory_at_the_path_of_a_log_or_record_is_a_permanent_error(files: AttemptFiles) -> None:
    Path(files.log).mkdir(parents=True)
    Path(files.record).mkdir()
    for opened in (files.open_log, files.open_record):
        with pytest.raises(OSError, match="a directory is in the place of .*; move it away") as refused:
            opened()
        assert refused.value.errno == errno.EINVAL
