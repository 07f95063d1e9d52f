"""The fault layer: what it counts, refuses, ends, writes down and shifts."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.faults import journal
from benchmarks.faults import layer as layers
from benchmarks.faults.layer import FAIL, KILL, Layer

pytestmark = pytest.mark.skipif(bool(layers.is_missing()), reason=layers.is_missing())
PROGRAM = """
import os, sys
for number in range(5):
    try:
        with open(f"{sys.argv[1]}/file-{number}", "wb", buffering=0) as file:
            file.write(b"content")
            os.fsync(file.fileno())
    except OSError as error:
        print(number, error.errno)
"""


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    (tmp_path / "root").mkdir()
    return Layer(tmp_path, tmp_path / "root", journal=True)


def run(layer: Layer, tmp_path: Path, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-S", "-c", program, str(tmp_path / "root")]
    return subprocess.run(words, env={**os.environ, **layer.env}, capture_output=True, text=True)


def test_changes_are_counted_and_recorded_in_order(layer: Layer, tmp_path: Path) -> None:
    assert run(layer, tmp_path).stdout == ""
    assert layer["counted"] == 15
    changes = [(change.kind, change.path, change.data) for change in journal.read(layer.journal)]
    assert changes[:3] == [("c", "file-0", b""), ("w", "file-0", b"content"), ("s", "file-0", b"")]
    assert len(changes) == 15


LINKING = """
import os, sys
with open(f"{sys.argv[1]}/one", "wb", buffering=0) as file:
    held = os.open("/proc", os.O_PATH)
    os.link(f"self/fd/{file.fileno()}", f"{sys.argv[1]}/other", src_dir_fd=held)
    file.write(b"content")
"""


def test_a_hard_link_is_recorded_with_both_names(layer: Layer, tmp_path: Path) -> None:
    assert run(layer, tmp_path, LINKING).stderr == ""
    assert (tmp_path / "root/other").read_text() == "content"
    changes = [(change.kind, change.path, change.data) for change in journal.read(layer.journal)]
    assert changes == [("c", "one", b""), ("l", "one", b"other"), ("w", "one", b"content")]


def test_a_single_change_fails_with_the_armed_error(layer: Layer, tmp_path: Path) -> None:
    layer.arm(FAIL, after=5, times=1, error=errno.EIO)
    assert run(layer, tmp_path).stdout == f"1 {errno.EIO}\n"
    assert layer["refused"] == 1


def test_all_changes_after_the_armed_count_fail(layer: Layer, tmp_path: Path) -> None:
    layer.arm(FAIL, after=7, error=errno.ENOSPC)
    assert run(layer, tmp_path).stdout == "".join(f"{number} {errno.ENOSPC}\n" for number in (2, 3, 4))


def test_the_program_is_killed_before_the_armed_change(layer: Layer, tmp_path: Path) -> None:
    layer.arm(KILL, after=8)
    assert run(layer, tmp_path).returncode == -signal.SIGKILL
    assert (tmp_path / "root/file-2").read_bytes() == b""


def test_the_wall_clock_is_shifted_and_the_boot_clock_is_not(layer: Layer, tmp_path: Path) -> None:
    layer.set(shift=86_400)
    output = run(layer, tmp_path, "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))").stdout
    wall, boot = map(float, output.split())
    assert 86_000 < wall - time.time() < 87_000
    assert abs(boot - time.clock_gettime(time.CLOCK_BOOTTIME)) < 600


def test_changes_outside_the_root_are_neither_counted_nor_refused(layer: Layer, tmp_path: Path) -> None:
    layer.arm(FAIL, after=1, error=errno.EIO)
    assert run(layer, tmp_path, f"open({str(tmp_path / 'other')!r}, 'w').write('x')").returncode == 0
    assert layer["counted"] == 0
