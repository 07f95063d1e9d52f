"""Finding a program, and saying why it cannot be run."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.processes.launching import programs
from orchd.processes.launching.programs import NotRunnableError, find
from tests.support.bench import Bench

ELSE = 250  # an ELF machine that this one is not


def program(path: Path, content: bytes = b"#!/bin/sh\n", mode: int = 0o755) -> str:
    """A file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def refusal(program: str, cwd: Path | str = "/", path: str = "/usr/bin:/bin") -> str:
    """Why it cannot be run."""
    with pytest.raises(NotRunnableError) as raised:
        find(program, str(cwd), path)
    return str(raised.value)


def test_an_executable_is_located_by_path_or_search_path(tmp_path: Path) -> None:
    program(tmp_path / "bin/x")
    assert find("./bin/x", str(tmp_path), "/bin") == "./bin/x"
    assert find("x", str(tmp_path), "/nowhere:bin:/bin") == "bin/x"
    assert find("x", str(tmp_path / "bin"), ":/bin") == "./x"


def test_a_script_without_execute_permission_is_refused(bench: Bench, tmp_path: Path) -> None:
    path = program(tmp_path / "nx.sh", mode=0o644)
    agent = bench.spawn("./nx.sh", cwd=str(tmp_path))
    assert agent.status.value == "failed"
    assert agent.reason == (
        f"cannot run './nx.sh': it is not executable. Run `chmod +x {tmp_path}/./nx.sh`, or name its interpreter, "
        f"as in `sh {tmp_path}/./nx.sh`"
    )
    assert "is not executable" in refusal(path)
    assert "is not executable" in refusal("nx.sh", "/", f"/bin:{tmp_path}")


def test_search_skips_path_entries_without_an_executable(tmp_path: Path) -> None:
    program(tmp_path / "a/x", mode=0o644)
    (tmp_path / "b/x").mkdir(parents=True)
    program(tmp_path / "c/x")
    assert find("x", "/", f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c") == f"{tmp_path}/c/x"


def test_a_missing_program_is_refused(tmp_path: Path) -> None:
    for program in ("x", "./x", f"{tmp_path}/x", f"{tmp_path}/a/b", ""):
        assert refusal(program, tmp_path) == (
            f"cannot run {program!r}: no such program; give its path, or a PATH that contains it"
        )


def test_a_directory_or_a_fifo_is_refused_as_program(tmp_path: Path) -> None:
    assert f"{tmp_path} is a directory" in refusal(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal("./pipe", tmp_path)


def test_a_dangling_symlink_is_reported_with_its_target(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("gone")
    assert "is a symbolic link to gone, which does not exist" in refusal("./x", tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"#!/nowhere/python\n", "names the interpreter /nowhere/python, which does not exist"),
        (b"#! /nowhere/python -u\n", "names the interpreter /nowhere/python, which does not exist"),
        (b"#!/etc/passwd\n", "names the interpreter /etc/passwd, which is not executable"),
        (b"#!/bin/sh\r\n", "ends with a carriage return"),
        (b"#!none/such\n", "names the interpreter none/such, which does not exist"),
    ],
)
def test_a_script_with_an_unusable_interpreter_is_refused(tmp_path: Path, line: bytes, words: str) -> None:
    program(tmp_path / "x", line)
    assert words in refusal("./x", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"exit 0\n", b"#!\nexit 0\n", b"#!/bin/sh", b"#! /bin/sh -e\n\0\0\n", b"x\n\0"]
)
def test_files_that_the_kernel_or_the_shell_can_run_are_accepted(tmp_path: Path, content: bytes) -> None:
    program(tmp_path / "x", content)
    assert find("./x", str(tmp_path), "/bin") == "./x"


def test_a_script_without_a_shebang_is_run_by_the_shell(bench: Bench, tmp_path: Path) -> None:
    program(tmp_path / "x", b"exit 7\n")
    agent = bench.spawn("./x", cwd=str(tmp_path))
    bench.until_over(agent)
    assert bench.agent(agent.id).reason == "exit code 7"


def elf(machine: int, interpreter: bytes | None = None) -> bytes:
    """The beginning of a 64-bit program."""
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    if interpreter is None:
        return header + struct.pack("<IIQQQQQQ", 1, 0, 0, 0, 0, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 3, 0, 120, 0, 0, len(interpreter), 0, 0) + interpreter


def test_a_program_for_another_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_HANDLERS", tmp_path / "none")
    program(tmp_path / "x", elf(ELSE))
    assert "it was built for another processor (ELF machine 250, " in refusal("./x", tmp_path)
    (tmp_path / "none").mkdir()
    assert "another processor" in refusal("./x", tmp_path)
    (tmp_path / "none/qemu").touch()  # an emulator may run it
    assert find("./x", str(tmp_path), "/bin") == "./x"


def test_a_data_file_is_refused_as_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_HANDLERS", tmp_path / "none")
    program(tmp_path / "x", b"PK\3\4\0\0\n")
    assert "is neither a program of this machine nor a script" in refusal("./x", tmp_path)


def test_a_program_with_a_missing_loader_is_refused(tmp_path: Path) -> None:
    own = programs._own_machine()
    program(tmp_path / "x", elf(own, b"/lib/none-such.so.1\0"))
    assert "it needs the loader /lib/none-such.so.1, which does not exist" in refusal("./x", tmp_path)
    for content in (elf(own, b"/bin/sh\0"), elf(own), elf(own)[:70]):
        program(tmp_path / "x", content)
        assert find("./x", str(tmp_path), "/bin") == "./x"


def test_programs_of_this_host_are_accepted() -> None:
    assert find(sys.executable, "/", "") == sys.executable
    assert list(programs._interpreters(programs._head_of("/bin/sh")))


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="orchd-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def as_another_user(call: str) -> str:
    """The error of a call by a user who may not read everything."""
    if os.getuid() != 0:
        pytest.skip("only root may become another user")
    source = Path(programs.__file__).read_text()  # that user may not read where it lies
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    process = subprocess.run(
        [sys.executable, "-c", f"{source}\n{become}\n{call}"], text=True, capture_output=True, check=False
    )
    return process.stderr


def test_an_unsearchable_directory_is_named(open_directory: Path) -> None:
    program(open_directory / "closed/x")
    (open_directory / "closed").chmod(0o600)
    message = as_another_user(f"find('x', '/', '{open_directory}/closed:/bin')")
    assert f"permission denied: {open_directory}/closed cannot be searched" in message


def test_a_program_of_another_user_is_reported_as_not_permitted(open_directory: Path) -> None:
    path = program(open_directory / "x", mode=0o700)
    assert "has mode 700, and user 65534 may not execute it" in as_another_user(f"find('{path}', '/', '')")


def test_a_noexec_file_system_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "x")
    monkeypatch.setattr(os, "access", lambda *_: False)  # as access(2) answers there
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((0,) * 8 + (os.ST_NOEXEC, 0)))
    assert "is on a file system that is mounted noexec" in refusal("./x", tmp_path)
