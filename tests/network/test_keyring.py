"""The keys that are let in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchd.instance.system.private_file import write_private
from orchd.network.keyring import Keyring, KeyringError, server_secret
from orchd.network.roles import RemoteClient
from orchd.protocol.errors import WireError
from orchd.protocol.remote_operations import KeyAuthorize

ONE, TWO = "a1" * 32, "b2" * 32


def test_an_authorized_key_is_accepted_until_revoked_also_after_a_restart(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    assert keyring.remote_client(ONE) is None
    record = keyring.authorize(KeyAuthorize("laptop", ONE, "user"), "now")
    assert keyring.authorize(KeyAuthorize("laptop", ONE, "user"), "later") == record
    for reader in (keyring, Keyring(tmp_path / "keys.json")):
        assert reader.remote_client(ONE) == RemoteClient("laptop", "user")
        assert reader.records() == [record]
    assert keyring.revoke("laptop") == record
    for reader in (keyring, Keyring(tmp_path / "keys.json")):
        assert reader.remote_client(ONE) is None
    with pytest.raises(WireError, match="unknown-key: unknown key laptop; authorized keys are none"):
        keyring.revoke("laptop")


def test_authorizing_a_known_key_or_name_again_changes_nothing(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys.json")
    keyring.authorize(KeyAuthorize("laptop", ONE, "viewer"), "now")
    for key in (("laptop", ONE, "admin"), ("laptop", TWO, "viewer"), ("other", ONE, "viewer")):
        with pytest.raises(WireError, match="name-taken: .* revoke it first"):
            keyring.authorize(KeyAuthorize(*key), "now")
    assert keyring.remote_client(ONE) == RemoteClient("laptop", "viewer")


def test_unstored_keys_are_refused_and_unstored_revocations_take_effect(
    tmp_path: Path,
) -> None:
    path = tmp_path / "home" / "keys.json"
    path.parent.mkdir()
    keyring = Keyring(path)
    keyring.authorize(KeyAuthorize("laptop", ONE, "user"), "now")
    path.parent.rename(tmp_path / "away")
    with pytest.raises(WireError, match="cannot-store"):
        keyring.authorize(KeyAuthorize("other", TWO, "user"), "now")
    assert keyring.remote_client(TWO) is None
    with pytest.raises(WireError, match="cannot-store"):
        keyring.revoke("laptop")
    assert keyring.remote_client(ONE) is None
    (tmp_path / "away").rename(path.parent)
    assert keyring.revoke("laptop").name == "laptop"
    assert Keyring(path).records() == []


GOOD = {"name": "laptop", "public": ONE, "role": "user", "added_at": "now"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"keys": 1}', '{"keys": [1]}', '{"keys": [{}]}']
    + [json.dumps({"keys": [{**GOOD, **wrong}]}) for wrong in ({"role": "root"}, {"public": "x"}, {"more": 1})],
)
def test_an_invalid_key_list_is_refused(tmp_path: Path, text: str) -> None:
    write_private(tmp_path / "keys.json", text.encode())
    with pytest.raises(KeyringError, match="is not a valid list of keys"):
        Keyring(tmp_path / "keys.json")


def test_a_key_list_that_other_users_may_access_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "keys.json", json.dumps({"keys": [GOOD]}).encode())
    assert Keyring(tmp_path / "keys.json").remote_client(ONE)
    (tmp_path / "keys.json").chmod(0o660)
    with pytest.raises(KeyringError, match="other users have access"):
        Keyring(tmp_path / "keys.json")


def test_the_server_key_is_created_once_and_reused(tmp_path: Path) -> None:
    path = tmp_path / "server.key"
    assert server_secret(path) == server_secret(path)
    path.chmod(0o644)
    with pytest.raises(KeyringError, match="other users have access .*accepts no remote clients"):
        server_secret(path)
    with pytest.raises(KeyringError, match="cannot create the key"):
        server_secret(tmp_path / "none" / "server.key")
