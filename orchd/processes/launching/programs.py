"""Finds the program of a command as execvp(3) does, and explains why it cannot be run."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

_HEAD = 2048  # bytes: more than the kernel reads of a script, and what linkers put before anything else
_ELF = b"\x7fELF"
_BITS_64, _LITTLE = 2, 1  # EI_CLASS, EI_DATA
_INTERPRETER = 3  # PT_INTERP
_ALSO_RUN = {62: {3}, 183: {40}}  # x86-64 kernels run i386, aarch64 kernels run arm
_HANDLERS = Path("/proc/sys/fs/binfmt_misc")


class NotRunnableError(Exception):
    """Why a program cannot be run, and what to do."""


def find(wanted: str, cwd: str, search_path: str) -> str:
    """Return the path of the program, relative to `cwd` if it was named so. Raises NotRunnableError."""
    why: list[str] = []
    if "/" in wanted:
        candidates = [wanted]
    else:
        # An empty entry of PATH means the current directory (environ(7)).
        candidates = [os.path.join(entry or ".", wanted) for entry in search_path.split(os.pathsep)]  # noqa: PTH118
    for candidate in candidates:
        path = os.path.join(cwd, candidate)  # noqa: PTH118 - keeps `./` and bytes as they are
        reason = _why_not(path, is_named="/" in wanted)
        if reason is None:
            status = os.stat(path)  # noqa: PTH116
            _check_format(wanted, path, cwd, (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns))
            return candidate
        why += [reason] if reason else []
    raise NotRunnableError(
        f"cannot run {wanted!r}: {why[0] if why else 'no such program; give its path, or a PATH that contains it'}"
    )


def _why_not(path: str, *, is_named: bool) -> str | None:
    """Return None for an executable file, otherwise the reason; an empty reason for a missing file."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except PermissionError:
        directory = os.path.dirname(path)  # noqa: PTH120
        return f"permission denied: {directory} cannot be searched. Change its mode, or remove it from PATH"
    except OSError:
        if os.path.islink(path):  # noqa: PTH114
            return f"{path} is a symbolic link to {os.readlink(path)}, which does not exist. Fix the link"  # noqa: PTH115
        return ""
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        return f"{path} is {what}. Give the path of a program" if is_named else ""
    if os.access(path, os.X_OK):
        return None
    if not mode & 0o111:
        return f"it is not executable. Run `chmod +x {path}`, or name its interpreter, as in `sh {path}`"
    if os.statvfs(path).f_flag & os.ST_NOEXEC:
        return f"{path} is on a file system that is mounted noexec. Copy it to another, or name its interpreter"
    return f"permission denied: {path} has mode {stat.S_IMODE(mode):o}, and user {os.getuid()} may not execute it"


@lru_cache(maxsize=256)  # to open a file takes longer than all else here; what is raised is not kept
def _check_format(wanted: str, path: str, cwd: str, identity: tuple[int, ...]) -> None:  # noqa: ARG001 - for the cache
    """Refuse what the kernel would not execute. A text without a first line for the kernel is a script of the shell."""
    head = _head_of(path)
    reason: str | None = None
    if head.startswith(b"#!"):
        reason = _wrong_script(head, cwd)
    elif head.startswith(_ELF):
        reason = _wrong_binary(head)
    elif b"\0" in head.partition(b"\n")[0] and not _has_handlers():
        reason = f"{path} is neither a program of this machine nor a script"
    if reason is not None:
        raise NotRunnableError(f"cannot run {wanted!r}: {reason}")


def _head_of(path: str) -> bytes:
    """Return the first bytes; empty for a program that may be executed and not read."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
    return b""


def _wrong_script(head: bytes, cwd: str) -> str | None:
    line = re.match(rb"#![ \t]*([^ \t\n]+)[^\n]*\n", head)
    if line is None:
        return None
    interpreter = os.fsdecode(line[1])
    if os.access(os.path.join(cwd, interpreter), os.X_OK):  # noqa: PTH118
        return None
    if interpreter.endswith("\r"):
        return f"its first line ends with a carriage return: {interpreter!r}. Save it with Unix line endings"
    wrong = "is not executable" if os.path.exists(os.path.join(cwd, interpreter)) else "does not exist"  # noqa: PTH110, PTH118
    return (
        f"its first line names the interpreter {interpreter}, which {wrong}. Fix that line, or install the interpreter"
    )


def _wrong_binary(head: bytes) -> str | None:
    machine = _machine_of(head)
    own = _own_machine()
    if machine != own and machine not in _ALSO_RUN.get(own, ()):
        return None if _has_handlers() else f"it was built for another processor (ELF machine {machine}, not {own})"
    for interpreter in _interpreters(head):
        if not os.path.exists(interpreter):  # noqa: PTH110
            return f"it needs the loader {interpreter}, which does not exist. Install it, or build it for this system"
    return None


def _machine_of(head: bytes) -> int:
    return int.from_bytes(head[18:20], "little" if head[5:6] == bytes([_LITTLE]) else "big")


@cache
def _own_machine() -> int:
    return _machine_of(_head_of("/proc/self/exe"))


def _interpreters(head: bytes) -> Iterator[str]:
    """Return the loader of a 64-bit program of this machine, if the head names it."""
    if head[4:6] != bytes([_BITS_64, _LITTLE]):
        return
    with suppress(struct.error):
        (offset,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        for number in range(count):
            kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", head, offset + number * size)
            if kind == _INTERPRETER and start + length <= len(head):
                yield os.fsdecode(head[start : start + length].rstrip(b"\0"))


def _has_handlers() -> bool:
    """Return whether binfmt_misc has handlers, as for emulators of other processors."""
    with suppress(OSError):
        return bool(set(os.listdir(_HANDLERS)) - {"register", "status"})  # noqa: PTH208
    return False
