"""Keys as text."""

from __future__ import annotations

import pytest
import zmq
from zmq.utils import z85

from orchd.protocol.keys import NoCurveError, is_key, is_name, new_secret, public_of


def test_a_pair_is_one_of_libzmqs() -> None:
    secret = new_secret()
    assert is_key(secret)
    assert z85.encode(bytes.fromhex(public_of(secret))) == zmq.curve_public(z85.encode(bytes.fromhex(secret)))
    assert new_secret() != secret


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", " " + "a" * 63])
def test_what_is_no_key(text: str) -> None:
    assert not is_key(text)


@pytest.mark.parametrize("text", ["", "-x", ".x", "a/b", "..", "a b", "a" * 65, "a\n", "é"])
def test_what_is_no_name_of_a_key(text: str) -> None:
    assert not is_name(text)


def test_without_encryption_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmq, "has", lambda _: False)
    with pytest.raises(NoCurveError, match="does not support CURVE"):
        new_secret()
