"""The daemon of a command: the one of this machine, or of another machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orchctl.client import Client, remote, target
from orchctl.errors import NoDaemonError, RefusedError, UsageError
from orchd.instance.home import Home
from orchd.instance.system import private_file
from orchd.protocol import keys

PROFILE = '[profiles.box]\nconnect = "tcp://127.0.0.1:1"\nserver_key = "{}"\nkey = "laptop"\n'.format("a1" * 32)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The client's configuration, with a key."""
    for name in ("ORCHCTL_CONNECT", "ORCHCTL_PROFILE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "orchctl/config.toml"
    (path.parent / "keys").mkdir(parents=True)
    private_file.write_private(path.parent / "keys/laptop.key", keys.new_secret().encode())
    path.write_text(PROFILE)
    return path


@pytest.mark.parametrize("words", [["--profile", "box", "limit"], ["--profile=box", "limit"]])
def test_options_before_the_command_select_the_daemon(config: Path, words: list[str]) -> None:
    assert isinstance(target.chosen(), Home)
    assert target.taken(words) == ["limit"]
    chosen = target.chosen()
    assert isinstance(chosen, remote.RemoteDaemon)
    assert chosen.address == "tcp://127.0.0.1:1"


def test_the_last_target_option_counts_and_an_address_selects_its_profile(config: Path) -> None:
    assert target.taken(["--profile", "none", "--connect", "tcp://127.0.0.1:1", "wait", "--profile"]) == [
        "wait",
        "--profile",
    ]
    assert "ORCHCTL_PROFILE" not in os.environ
    chosen = target.chosen()
    assert isinstance(chosen, remote.RemoteDaemon)
    assert chosen.name == "box"


@pytest.mark.parametrize("words", [["--profile"], ["--connect="], ["--profile", ""]])
def test_a_target_option_needs_a_value(config: Path, words: list[str]) -> None:
    with pytest.raises(UsageError, match="needs a value"):
        target.taken(words)


def test_a_local_only_command_is_refused_for_a_remote_daemon(config: Path) -> None:
    target.check_is_here("daemon stop")
    target.use("--profile", "box")
    with pytest.raises(UsageError, match="`daemon stop` uses files .* box is another"):
        target.check_is_here("daemon stop")


def test_all_problems_of_a_profile_are_reported_at_once(config: Path) -> None:
    config.write_text('[profiles.box]\nconnect = "box"\nserver_key = "x"\nmore = 1\n')
    with pytest.raises(RefusedError) as refused:
        remote.profile("box", None)
    keys = {problem["key"] for problem in refused.value.details["problems"]}  # type: ignore[attr-defined]
    assert keys == {f"profiles.box.{key}" for key in ("connect", "server_key", "key", "more")}
    for unread in ("[", "x = " + "[" * 5000, "x = " + "9" * 5000):
        config.write_text(unread)
        with pytest.raises(RefusedError, match="correct it"):
            remote.profile("box", None)
    config.unlink()
    with pytest.raises(UsageError, match=r"no profile for box in .* \(profiles: none\)"):
        remote.profile("box", None)


def test_a_profile_that_other_users_may_write_is_refused(config: Path) -> None:
    config.chmod(0o664)
    with pytest.raises(RefusedError, match="can be written by other users"):
        remote.profile("box", None)
    assert stat.S_IMODE(config.stat().st_mode) == 0o664


def test_a_missing_or_exposed_key_file_is_refused(config: Path) -> None:
    key = config.parent / "keys/laptop.key"
    key.chmod(0o640)
    with pytest.raises(RefusedError, match="bad-key-file: .* other users have access"):
        remote.profile("box", None)
    key.unlink()
    with pytest.raises(RefusedError, match="no-key: no key file .*`orchctl keys new laptop`"):
        remote.profile("box", None)


def test_a_remote_client_has_no_home(config: Path) -> None:
    with Client(remote.profile("box", None)) as client, pytest.raises(UsageError, match="is another machine"):
        _ = client.home


def test_an_unreachable_remote_daemon_is_reported(config: Path) -> None:
    with (
        Client(remote.profile("box", None)) as client,
        pytest.raises(NoDaemonError, match="no daemon answers at tcp://127"),
    ):
        client.call("limit")
