"""Helpers for the machine: small disks, other users, a look at a process."""

from __future__ import annotations

import os
import signal
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchd.processes.linux.procfs import read_process
from tests.conftest import until

NOBODY = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to be two users, or to mount a disk")


@contextmanager
def tmpfs(directory: Path, size: str, *options: str) -> Iterator[Path]:
    """A disk of its own, and small."""
    words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", "mode=700", *options]), "tmpfs", str(directory)]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    if process.returncode:
        pytest.skip(f"cannot mount here: {process.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def remount(directory: Path, options: str) -> None:
    """Change a disk while it is in use."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(directory)], check=True)


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """Not a byte of room on this disk, for as long as it takes."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"\1" * size) == size:
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()


def as_nobody(work: Callable[[], object]) -> str:
    """The result or the error of `work` when another user performs it, in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            text = str(work())
        except BaseException as error:  # noqa: BLE001 - this process has nobody else to tell
            text = f"{type(error).__name__}: {error}" if str(error) else traceback.format_exc()
        os.write(writer, text.encode(errors="replace"))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(pid, 0)
    return text


def stop(pid: int) -> None:
    """Stop a process; return when it is stopped."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: (process := read_process(pid)) is not None and process.is_stopped)


def descriptors(pid: int) -> dict[str, str]:
    """The open files of a process."""
    links = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links[entry.name] = os.readlink(entry)
        except FileNotFoundError:
            continue
    return links


def status_of(pid: int, key: str) -> int:
    """A number from /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0])
    raise KeyError(key)
