"""The two sockets."""

from __future__ import annotations

import os
import resource
import select
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zmq

from orchd.instance.home import Home
from orchd.network.peers import Outside, Peer
from orchd.network.sockets import LocalSockets
from orchd.network.zmtp import GREETING, command, encode, refusal
from orchd.protocol.frames import pack_hint, unpack_hint
from tests.conftest import until
from tests.support.raw import Raw

OPENING = GREETING + command(b"READY", b"\x0bSocket-Type\0\0\0\x06DEALER")


@pytest.fixture
def ports(home_directory: Path) -> Iterator[LocalSockets]:
    """Open sockets."""
    new_ports = LocalSockets(Home(home_directory), lambda _: Outside.OWNER)
    new_ports.bind()
    yield new_ports
    new_ports.close()


def heard(ports: LocalSockets) -> list[tuple[Peer, bytes]]:
    """The requests that have come in, as soon as there are any."""
    requests: list[tuple[Peer, bytes]] = []
    while not requests:
        assert select.select([ports], [], [], 10)[0]
        requests = list(ports.requests())
    return requests


def test_a_request_carries_kernel_credentials_and_its_sender_gets_the_reply(
    ports: LocalSockets, home_directory: Path
) -> None:
    with Raw(Home(home_directory)) as raw:
        raw.send(b"question")
        ((peer, frame),) = heard(ports)
        assert (peer.uid, peer.pid, frame) == (os.getuid(), os.getpid(), b"question")
        ports.reply(peer.route, b"answer")
        assert raw.socket.recv() == b"answer"


def test_a_req_socket_gets_its_reply_with_a_delimiter(ports: LocalSockets, home_directory: Path) -> None:
    with Raw(Home(home_directory), zmq.REQ) as raw:
        raw.send(b"question")
        ((peer, _),) = heard(ports)
        assert peer.route[1:] == (b"",)
        ports.reply(peer.route, b"answer")
        assert raw.socket.poll(10_000)
        assert raw.socket.recv() == b"answer"


def test_messages_of_another_form_are_ignored(ports: LocalSockets, home_directory: Path) -> None:
    with Raw(Home(home_directory)) as raw:
        raw.send(b"a", b"b")
        raw.send(b"", b"", b"c")
        raw.send(b"last")
        assert until(lambda: [frame for _, frame in ports.requests()]) == [b"last"]


def test_a_turn_takes_a_bounded_number_of_requests(ports: LocalSockets, home_directory: Path) -> None:
    with Raw(Home(home_directory)) as raw:
        for _ in range(300):
            raw.send(b"x")
        counts: list[int] = []
        while sum(counts) < 300:
            counts.append(until(lambda: len(list(ports.requests()))))
        assert sum(counts) == 300
        assert max(counts) <= 256


def test_a_reply_to_a_closed_or_unknown_route_is_dropped(ports: LocalSockets, home_directory: Path) -> None:
    ports.reply((b"never",), b"answer")
    with Raw(Home(home_directory)) as raw:
        raw.send(b"question")
        ((peer, _),) = heard(ports)
    for _ in range(500):
        ports.reply(peer.route, b"answer" * 1000)


def test_a_published_hint_reaches_subscribers(ports: LocalSockets, home_directory: Path) -> None:
    context = zmq.Context()
    listener = context.socket(zmq.SUB)
    listener.setsockopt(zmq.SUBSCRIBE, b"")
    listener.connect(f"ipc://{Home(home_directory).events}")

    def told() -> bool:
        assert list(ports.requests()) == []
        ports.publish(pack_hint(7))
        return bool(listener.poll(20))

    until(told)
    assert unpack_hint(listener.recv()) == 7
    context.destroy(linger=0)


def test_the_sockets_are_private_and_replace_a_leftover_file(home_directory: Path) -> None:
    home = Home(home_directory)
    home.socket.write_text("stale")
    ports = LocalSockets(home, lambda _: Outside.NOBODY)
    ports.bind()
    for path in (home.socket, home.events):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ports.close()


def test_requests_sent_before_a_disconnect_arrive(ports: LocalSockets, home_directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(Home(home_directory).socket))
        client.sendall(OPENING + b"".join(encode([b"%d" % number]) for number in range(600)))
    frames: list[bytes] = []
    while len(frames) < 600:
        frames += until(lambda: [frame for _, frame in ports.requests()])
    assert frames == [b"%d" % number for number in range(600)]


def test_a_route_is_given_to_one_connection_only(ports: LocalSockets, home_directory: Path) -> None:
    routes = set()
    for _ in range(20):
        with Raw(Home(home_directory)) as raw:
            raw.send(b"question")
            ((peer, _),) = heard(ports)
            routes.add(peer.route)
    assert len(routes) == 20


def test_requests_of_a_client_that_does_not_read_are_held_back(ports: LocalSockets, home_directory: Path) -> None:
    with Raw(Home(home_directory)) as polite, socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(Home(home_directory).socket))
        rude.sendall(OPENING + b"".join(encode([b"rude"]) for _ in range(500)))
        polite.send(b"first")
        requests_heard = 0
        while select.select([ports], [], [], 0.2)[0]:
            for peer, frame in ports.requests():
                requests_heard += frame == b"rude"
                ports.reply(peer.route, b"x" * 100_000)
        assert 64 <= requests_heard < 200
        assert polite.socket.recv() == b"x" * 100_000
        polite.send(b"second")
        while not polite.socket.poll(0):
            for peer, _ in ports.requests():
                ports.reply(peer.route, b"y")
        received = 0
        while requests_heard < 500 or received < 500 * 100_000:
            received += len(rude.recv(1 << 20))
            for peer, frame in ports.requests():
                requests_heard += frame == b"rude"
                ports.reply(peer.route, b"x" * 100_000)


def test_a_client_is_refused_when_no_descriptor_is_free(ports: LocalSockets, home_directory: Path) -> None:
    taken: list[int] = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = socket.socket(socket.AF_UNIX)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 2, limits[1]))
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        client.connect(str(Home(home_directory).socket))
        assert list(ports.requests()) == []
        is_asleep = not ports._epoll.poll(0)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    with client:
        assert client.recv(1000) == refusal(b"300")
        assert client.recv(1000) == b""
    assert is_asleep
    with Raw(Home(home_directory)) as raw:
        raw.send(b"question")
        assert [frame for _, frame in heard(ports)] == [b"question"]
