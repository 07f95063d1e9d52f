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


def test_a_greeting_has_64_bytes_and_says_what_is_spoken() -> None:
    assert len(GREETING) == 64
    assert (GREETING[0], GREETING[9], GREETING[10], GREETING[12:16]) == (0xFF, 0x7F, 3, b"NULL")


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_messages_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    messages = [(b"a",), (b"", b"question"), (b"x" * 255,), (b"y" * 256,), (b"z" * 70_000,), (b"",)]
    data = GREETING + DEALER + b"".join(map(encode, messages))
    peer_session = session()
    assert fed(peer_session, data, size) == messages
    assert peer_session.is_ready


def test_a_message_of_many_parts_is_left_out_and_the_next_is_not() -> None:
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
def test_what_is_not_spoken_here_ends_the_connection(data: bytes, size: int) -> None:
    with pytest.raises(ProtocolError):
        fed(session(), data, size)


def test_any_bytes_are_messages_or_the_end_of_the_connection() -> None:
    dice = random.Random(7)
    for number in range(3000):
        begin = b"" if number % 3 == 0 else GREETING if number % 3 == 1 else GREETING + DEALER
        peer_session = session()
        try:
            for message in fed(peer_session, begin + dice.randbytes(dice.randrange(200)), dice.randrange(1, 90)):
                assert len(message) <= 3
        except ProtocolError:
            continue


def test_a_refusal_is_an_error_in_the_handshake() -> None:
    assert refusal(b"300") == GREETING + b"\x04\x0a\x05ERROR\x03300"
