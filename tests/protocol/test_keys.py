"""Keys as text."""

from __future__ import annotations

import pytest
import zmq
from zmq.utils import z85

from orchd.protocol.keys import NoCurveError, is_key, is_name, new_secret, public_of


def test_a_public_key_matches_the_key_that_libzmq_derives() -> None:
    secret = new_secret()
    assert is_key(secret)
    assert z85.encode(bytes.fromhex(public_of(secret))) == zmq.curve_public(z85.encode(bytes.fromhex(secret)))
    assert new_secret() != secret


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", " " + "a" * 63])
def test_malformed_text_is_no_key(text: str) -> None:
    assert not is_key(text)


@pytest.mark.parametrize("text", ["", "-x", ".x", "a/b", "..", "a b", "a" * 65, "a\n", "é"])
def test_malformed_text_is_no_key_name(text: str) -> None:
    assert not is_name(text)


def test_creating_a_key_without_curve_support_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmq, "has", lambda _: False)
    with pytest.raises(NoCurveError, match="does not support CURVE"):
        new_secret()
