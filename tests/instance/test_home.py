"""The places of an instance: computed from its directory alone, private, and refused with a reason when unusable."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from platformdirs import user_state_path

from orchd.instance.environment import ENV_HOME
from orchd.instance.home import MAX_SOCKET_PATH, Home, HomeError, default_home
from tests.support.machine import as_nobody, needs_root, tmpfs

DEEP = "d" * 60


@pytest.fixture
def short() -> Iterator[Path]:
    """A short directory that is removed."""
    directory = Path(tempfile.mkdtemp(prefix="orchd-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def mode(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_every_path_of_an_instance_is_in_its_home(short: Path) -> None:
    home = Home(short)
    places = [
        home.database,
        home.lock,
        home.start_lock,
        home.log,
        home.agents,
        home.environments,
        home.bin,
        home.config,
    ]
    assert {place.parent for place in [*places, home.socket, home.events]} == {short}


def test_created_directories_are_private(short: Path) -> None:
    home = Home(short / "a" / "b")
    home.create()
    for path in (short / "a", home.directory, home.agents, home.environments, home.bin):
        assert mode(path) == 0o700


def test_a_home_with_access_for_other_users_is_made_private(short: Path) -> None:
    short.chmod(0o755)
    Home(short).create()
    assert mode(short) == 0o700


def test_the_parent_of_a_home_keeps_its_mode(short: Path) -> None:
    short.chmod(0o755)
    Home(short / "inner").create()
    assert mode(short) == 0o755


def test_creating_a_home_twice_keeps_its_files(short: Path) -> None:
    Home(short).create()
    (short / "orchd.db").write_text("x")
    Home(short).create()
    assert (short / "orchd.db").read_text() == "x"


def test_a_deep_home_gets_a_short_socket_that_can_be_bound(short: Path) -> None:
    home = Home(short / DEEP / DEEP)
    home.create()
    try:
        assert home.sockets != home.directory
        assert mode(home.sockets) == 0o700
        for path in (home.socket, home.events):
            assert len(os.fsencode(path)) <= MAX_SOCKET_PATH
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(home.socket))
    finally:
        shutil.rmtree(home.sockets)


def test_the_longest_home_with_its_own_sockets_fills_the_path_limit(short: Path) -> None:
    room = MAX_SOCKET_PATH - len(os.fsencode(short)) - len("/x/events.sock")
    longest = Home(short / ("x" * (room + 1)))
    assert longest.sockets == longest.directory
    assert len(os.fsencode(longest.events)) == MAX_SOCKET_PATH
    longer = Home(short / ("x" * (room + 2)))
    assert longer.sockets != longer.directory


def test_two_deep_homes_do_not_share_a_socket(short: Path) -> None:
    assert Home(short / DEEP / DEEP / "a").socket != Home(short / DEEP / DEEP / "b").socket
    assert Home(short / DEEP / DEEP / "a").socket == Home(short / DEEP / DEEP / "a").socket


def test_the_socket_path_of_a_deep_home_ignores_environment_variables(short: Path) -> None:
    script = (
        "import sys; from orchd.instance.home import Home; from pathlib import Path; "
        "print(Home(Path(sys.argv[1])).socket)"
    )
    deep = short / DEEP / DEEP
    command = [sys.executable, "-c", script, str(deep)]
    sockets = {
        subprocess.run(command, env={**os.environ, **more}, capture_output=True, text=True, check=True).stdout.strip()
        for more in ({}, {"XDG_RUNTIME_DIR": "/nowhere", "TMPDIR": "/nowhere", "HOME": "/nowhere"})
    }
    assert sockets == {str(Home(deep).socket)}


def test_the_socket_of_a_deep_home_is_in_the_runtime_directory_or_in_tmp(short: Path) -> None:
    run = Path(f"/run/user/{os.getuid()}")
    expected = run if run.is_dir() and os.access(run, os.W_OK) else Path(f"/tmp/orchd-{os.getuid()}")
    assert Home(short / DEEP / DEEP).sockets.parent == expected


def test_a_home_that_is_a_file_is_refused_with_a_remedy(short: Path) -> None:
    (short / "file").write_text("mine")
    with pytest.raises(HomeError, match=f"not a directory that you own; set {ENV_HOME}"):
        Home(short / "file").create()
    with pytest.raises(HomeError, match=f"cannot create .*{ENV_HOME}"):
        Home(short / "file" / "below").create()
    assert (short / "file").read_text() == "mine"


def test_a_home_with_a_too_long_name_is_refused(short: Path) -> None:
    with pytest.raises(HomeError, match="File name too long"):
        Home(short / ("x" * 300)).create()


@needs_root
def test_a_home_of_another_user_is_refused(short: Path) -> None:
    os.chown(short, 65534, 65534)
    with pytest.raises(HomeError, match="not a directory that you own"):
        Home(short).create()


@needs_root
@pytest.mark.parametrize("name", ["", "orchd.lock", "orchd.db", "config.toml"])
def test_an_open_directory_is_closed_only_if_it_is_a_home(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "home"
    directory.mkdir(mode=0o755)
    (directory / "hosts").touch()
    if name:
        (directory / name).touch()
        Home(directory).create()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        return
    with pytest.raises(HomeError, match="has files of other programs, and other users have access; set ORCHD_HOME"):
        Home(directory).create()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert [path.name for path in directory.iterdir()] == ["hosts"]


def test_a_home_that_cannot_be_written_is_refused(short: Path) -> None:
    short.chmod(0o755)
    assert as_nobody(lambda: Home(short / "inner").create()) == f"HomeError: cannot create {short / 'inner'}: " + (
        f"Permission denied; make it writable for you, or set {ENV_HOME} to a writable directory"
    )


@needs_root
def test_a_home_on_a_read_only_disk_is_refused(short: Path) -> None:
    with tmpfs(short, "64k", "ro"), pytest.raises(HomeError, match="Read-only file system"):
        Home(short / "inner").create()


@needs_root
def test_the_runtime_directory_takes_precedence_over_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    uid = 70_000 + os.getpid()
    run = Path(f"/run/user/{uid}")
    was_there = run.parent.is_dir()
    monkeypatch.setattr(os, "getuid", lambda: uid)
    deep = Home(Path("/tmp") / DEEP / DEEP)
    assert deep.sockets.parent == Path(f"/tmp/orchd-{uid}")
    run.mkdir(parents=True)
    try:
        assert deep.sockets.parent == run
    finally:
        run.rmdir()
        if not was_there:
            run.parent.rmdir()


@needs_root
def test_a_runtime_directory_of_another_user_is_refused(short: Path) -> None:
    """The owner of the directory above the socket could replace the socket."""
    directory = as_nobody(lambda: Home(Path("/tmp") / DEEP / DEEP / "x").sockets.parent.as_posix())
    assert directory in ("/tmp/orchd-65534", "/run/user/65534")
    if directory == "/tmp/orchd-65534" and not Path(directory).exists():
        squatted = Path(directory)
        squatted.mkdir()  # ours, root's, and not theirs
        squatted.chmod(0o777)
        short.chmod(0o777)
        try:
            refused = as_nobody(lambda: Home(short / DEEP / DEEP).create())
            assert refused.startswith(f"HomeError: {squatted} is not a directory that you own")
        finally:
            squatted.rmdir()


def test_the_default_home_is_the_variable_or_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_HOME, "/somewhere")
    assert default_home() == Path("/somewhere")
    monkeypatch.setenv(ENV_HOME, "relative")
    assert default_home() == Path.cwd() / "relative"
    monkeypatch.delenv(ENV_HOME)
    assert default_home() == user_state_path("orchd")
