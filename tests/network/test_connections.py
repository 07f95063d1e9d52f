"""How many connections of whom there may be."""

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
    made: list[socket.socket] = []
    yield made
    for one in made:
        one.close()


def connection(
    pairs: list[socket.socket], identity: Identity = Outside.OWNER, *, is_ready: bool = True
) -> LocalConnection:
    """A connection; the client's end is the last of `pairs` but one."""
    its, ours = socket.socketpair()
    pairs += (its, ours)
    ours.settimeout(0)
    made = LocalConnection(
        next(NUMBERS), ours, Credentials(0, 1, None), identity, ZmtpSession(b"ROUTER", frozenset({b"DEALER"}), 100)
    )
    if is_ready:
        its.sendall(READY)
        made.receive()
        assert made.session.is_ready
    return made


def filled(pairs: list[socket.socket], table: Table, identity: Identity) -> int:
    """How many of this caller get in."""
    count = 0
    while table.has_room(identity):
        table.add(connection(pairs, identity))
        count += 1
    return count


def test_each_has_a_share_and_none_takes_the_room_of_the_owner_or_of_all_others(pairs: list[socket.socket]) -> None:
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


def test_a_connection_that_left_makes_room(pairs: list[socket.socket]) -> None:
    table = Table(8)
    one = connection(pairs, ONE)
    table.add(one)
    filled(pairs, table, ONE)
    assert not table.has_room(ONE)
    table.remove(one)
    table.remove(one)
    assert table.has_room(ONE)
    assert table.get(one.number) is None


def test_one_without_a_handshake_is_in_the_way_of_its_own_kind_first(pairs: list[socket.socket]) -> None:
    table = Table(8)
    silent = [connection(pairs, identity, is_ready=False) for identity in (TWO, ONE, ONE)]
    for one in silent:
        table.add(one)
    assert table.in_the_way(ONE) is None
    filled(pairs, table, ONE)
    assert table.in_the_way(ONE) is silent[1], "its share is full: another's end would not help"
    filled(pairs, table, Outside.OWNER)
    assert not table.has_room(THREE)
    assert table.in_the_way(THREE) is silent[0], "all are taken: the oldest of any makes room"


def test_a_client_that_does_not_read_is_not_heard_and_is_cut_off_in_the_end(pairs: list[socket.socket]) -> None:
    one = connection(pairs)
    reply = encode([b"x" * 60_000])
    while one.reads:
        one.send(reply)
    assert one.has_to_send
    assert not one.is_heard
    with pytest.raises(Gone):
        for _ in range(1200):
            one.send(reply)


def test_what_is_sent_arrives_in_order_however_slowly_it_is_read(pairs: list[socket.socket]) -> None:
    one = connection(pairs)
    its = pairs[-2]
    sent = b"".join(encode([bytes([number]) * 50_000]) for number in range(20))
    for start in range(0, len(sent), 100_000):
        one.send(sent[start : start + 100_000])
    got = b""
    while len(got) < len(sent):
        got += its.recv(1 << 16)
        one.flush()
    assert got == sent
    assert not one.has_to_send


def test_one_whose_client_left_is_gone(pairs: list[socket.socket]) -> None:
    one = connection(pairs)
    pairs[-2].close()
    with pytest.raises(Gone):
        one.receive()
    one.send(b"x")
    one.leave()
    one.send(b"y")
    assert not one.has_to_send
