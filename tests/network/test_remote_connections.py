"""The TCP connections that are ended when there are too many."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchd.network.remote_connections import RemoteConnections


class Port:
    """A listener, whose accepted connections are known by their descriptors."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=200))

    def connect(self, address: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """The client's end, and ours."""
        client = self._stack.enter_context(socket.socket())
        client.bind((address, 0))
        client.connect(self._listener.getsockname())
        return client, self._stack.enter_context(self._listener.accept()[0])


@pytest.fixture
def port() -> Iterator[Port]:
    """One that is closed with all its connections."""
    with ExitStack() as stack:
        yield Port(stack)


def is_ended(client: socket.socket) -> bool:
    """Whether the other side has hung up."""
    return bool(select.select([client], [], [], 0)[0])


def test_the_oldest_silent_connection_of_the_busiest_address_is_closed(port: Port) -> None:
    guests = RemoteConnections(100, 4)
    first, server_end = port.connect("127.0.0.2")
    guests.accepted(server_end.fileno())
    flood = [port.connect() for _ in range(10)]
    for _, server_end in flood:
        guests.accepted(server_end.fileno())
    assert [is_ended(client) for client, _ in flood] == [True] * 7 + [False] * 3
    assert not is_ended(first)


def test_active_connections_stay_and_count_towards_the_limit(port: Port) -> None:
    guests = RemoteConnections(4, 2)
    known = [port.connect() for _ in range(4)]
    for _, server_end in known:
        guests.accepted(server_end.fileno())
        guests.mark_active(server_end.fileno())
    new, server_end = port.connect()
    guests.accepted(server_end.fileno())
    assert is_ended(new)
    guests.left(known[0][1].fileno())
    other, server_end = port.connect()
    guests.accepted(server_end.fileno())
    assert not any(is_ended(client) for client in (other, *[client for client, _ in known]))


def test_a_reused_descriptor_of_another_connection_is_not_closed(port: Port) -> None:
    guests = RemoteConnections(100, 1)
    _, old = port.connect()
    guests.accepted(old.fileno())
    client, server_end = port.connect()
    os.dup2(server_end.fileno(), old.fileno())
    new, newest = port.connect()
    guests.accepted(newest.fileno())
    assert not is_ended(client)
    assert not is_ended(new)


def test_a_descriptor_that_is_no_connection_is_ignored() -> None:
    guests = RemoteConnections(100, 1)
    reader, writer = os.pipe()
    try:
        guests.accepted(reader)
        guests.accepted(9999)
        guests.left(9999)
        guests.mark_active(9999)
    finally:
        os.close(reader)
        os.close(writer)
