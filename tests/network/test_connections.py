"""The number of connections that each kind of caller may have."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

import pytest

from orchd.core.state.agents import AgentId
from orchd.network.connections import Gone, LocalConnection, Table
from orchd.network.peers import Credentials, Identity, Outside
from orchd.network.zmtp import GREETING, ZmtpSession, command, encode

ONE, TWO, THREE = ((AgentId(f"agent-00{number}"), 1) for number in (1, 2, 3))
READY = GREETING + command(b"READY", b"\x0bSocket-Type\0\0\0\x06DEALER")
NUMBERS = itertools.count(1)


@pytest.fixture
def pairs() -> Iterator[list[socket.socket]]:
    """The clients' ends, and all that is to be closed."""
    sockets: list[socket.socket] = []
    yield sockets
    for end in sockets:
        end.close()


def connection(
    pairs: list[socket.socket], identity: Identity = Outside.OWNER, *, is_ready: bool = True
) -> LocalConnection:
    """A connection; the client's end is the last of `pairs` but one."""
    far_end, near_end = socket.socketpair()
    pairs += (far_end, near_end)
    near_end.settimeout(0)
    new_connection = LocalConnection(
        next(NUMBERS), near_end, Credentials(0, 1, None), identity, ZmtpSession(b"ROUTER", frozenset({b"DEALER"}), 100)
    )
    if is_ready:
        far_end.sendall(READY)
        new_connection.receive()
        assert new_connection.session.is_ready
    return new_connection


def filled(pairs: list[socket.socket], table: Table, identity: Identity) -> int:
    """The number of connections of this caller that get in."""
    count = 0
    while table.has_room(identity):
        table.add(connection(pairs, identity))
        count += 1
    return count


def test_connection_shares_keep_room_for_the_owner_and_for_others(pairs: list[socket.socket]) -> None:
    table = Table(16)
    assert filled(pairs, table, ONE) == 4
    assert table.has_room(TWO)
    assert filled(pairs, table, Outside.NOBODY) == 4
    assert not table.has_room(Outside.STRANGER), "all that are refused have one share"
    assert (filled(pairs, table, TWO), filled(pairs, table, THREE)) == (4, 0)
    assert filled(pairs, table, Outside.OWNER) == 4
    other = Table(16)
    assert filled(pairs, other, Outside.OWNER) == 12
    assert filled(pairs, other, ONE) == 4


def test_a_removed_connection_makes_room(pairs: list[socket.socket]) -> None:
    table = Table(8)
    new_connection = connection(pairs, ONE)
    table.add(new_connection)
    filled(pairs, table, ONE)
    assert not table.has_room(ONE)
    table.remove(new_connection)
    table.remove(new_connection)
    assert table.has_room(ONE)
    assert table.get(new_connection.number) is None


def test_an_unready_connection_of_the_same_caller_is_evicted_first(pairs: list[socket.socket]) -> None:
    table = Table(8)
    silent = [connection(pairs, identity, is_ready=False) for identity in (TWO, ONE, ONE)]
    for accepted in silent:
        table.add(accepted)
    assert table.in_the_way(ONE) is None
    filled(pairs, table, ONE)
    assert table.in_the_way(ONE) is silent[1], "its share is full: another's end would not help"
    filled(pairs, table, Outside.OWNER)
    assert not table.has_room(THREE)
    assert table.in_the_way(THREE) is silent[0], "all are taken: the oldest of any makes room"


def test_a_client_that_does_not_read_is_paused_and_finally_disconnected(pairs: list[socket.socket]) -> None:
    new_connection = connection(pairs)
    reply = encode([b"x" * 60_000])
    while new_connection.reads:
        new_connection.send(reply)
    assert new_connection.has_to_send
    assert not new_connection.is_heard
    with pytest.raises(Gone):
        for _ in range(1200):
            new_connection.send(reply)


def test_sent_bytes_arrive_in_order_at_a_slow_reader(pairs: list[socket.socket]) -> None:
    new_connection = connection(pairs)
    far_end = pairs[-2]
    sent = b"".join(encode([bytes([number]) * 50_000]) for number in range(20))
    for start in range(0, len(sent), 100_000):
        new_connection.send(sent[start : start + 100_000])
    received = b""
    while len(received) < len(sent):
        received += far_end.recv(1 << 16)
        new_connection.flush()
    assert received == sent
    assert not new_connection.has_to_send


def test_a_connection_is_gone_after_its_client_left(pairs: list[socket.socket]) -> None:
    new_connection = connection(pairs)
    pairs[-2].close()
    with pytest.raises(Gone):
        new_connection.receive()
    new_connection.send(b"x")
    new_connection.leave()
    new_connection.send(b"y")
    assert not new_connection.has_to_send
