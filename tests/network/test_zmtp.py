"""ZMTP on the daemon's side, byte by byte."""

from __future__ import annotations

import random

import pytest

from orchd.network.zmtp import GREETING, ProtocolError, ZmtpSession, command, encode, refusal

DEALER = command(b"READY", b"\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0")


def session(largest: int = 100_000) -> ZmtpSession:
    """The session of a ROUTER."""
    return ZmtpSession(b"ROUTER", frozenset({b"DEALER", b"REQ"}), largest)


def fed(session: ZmtpSession, data: bytes, size: int = 1 << 20) -> list[tuple[bytes, ...]]:
    """The messages in `data`, which comes in pieces."""
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    return [message for piece in pieces for message in session.feed(piece)]


def test_a_greeting_has_64_bytes_with_the_version_and_the_mechanism() -> None:
    assert len(GREETING) == 64
    assert (GREETING[0], GREETING[9], GREETING[10], GREETING[12:16]) == (0xFF, 0x7F, 3, b"NULL")


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_messages_are_parsed_the_same_from_pieces_of_any_size(size: int) -> None:
    messages = [(b"a",), (b"", b"question"), (b"x" * 255,), (b"y" * 256,), (b"z" * 70_000,), (b"",)]
    data = GREETING + DEALER + b"".join(map(encode, messages))
    peer_session = session()
    assert fed(peer_session, data, size) == messages
    assert peer_session.is_ready


def test_a_message_of_many_parts_is_skipped_and_the_next_is_parsed() -> None:
    data = GREETING + DEALER + encode([b"x"] * 5000) + encode([b"last"])
    assert fed(session(), data) == [(b"last",)]


def test_a_ping_is_answered_with_its_context() -> None:
    peer_session = session()
    assert fed(peer_session, GREETING + DEALER + command(b"PING", b"\0\x0acontext")) == []
    assert peer_session.answers == command(b"PONG", b"context")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\0",
        GREETING[:10] + b"\x01",
        GREETING[:12] + b"CURVE",
        GREETING + encode([b"a message before the handshake"]),
        GREETING + command(b"HELLO", b""),
        GREETING + command(b"READY", b"\x0bSocket-Type\0\0\0\x04PUSH"),
        GREETING + command(b"READY", b"\x0bSocket-Type\0\0\0\x09DEALER"),
        GREETING + b"\x04\x00",
        GREETING + b"\xf0\x01x",
        GREETING + DEALER + b"\x02" + (100_001).to_bytes(8),
        GREETING + DEALER + command(b"ERROR", b"\x03no!"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_unsupported_or_invalid_bytes_raise_a_protocol_error(data: bytes, size: int) -> None:
    with pytest.raises(ProtocolError):
        fed(session(), data, size)


def test_random_bytes_yield_messages_or_a_protocol_error() -> None:
    dice = random.Random(7)
    for number in range(3000):
        begin = b"" if number % 3 == 0 else GREETING if number % 3 == 1 else GREETING + DEALER
        peer_session = session()
        try:
            for message in fed(peer_session, begin + dice.randbytes(dice.randrange(200)), dice.randrange(1, 90)):
                assert len(message) <= 3
        except ProtocolError:
            continue


def test_a_refusal_is_encoded_as_an_error_command() -> None:
    assert refusal(b"300") == GREETING + b"\x04\x0a\x05ERROR\x03300"
