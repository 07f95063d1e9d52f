"""The two sockets."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from orchd.peers import Outside, Peer
from orchd.ports import Ports
from orchd.wire import Home, pack_hint, unpack_hint
from tests.conftest import until
from tests.shell.raw import Raw


@pytest.fixture
def ports(home_directory: Path) -> Iterator[Ports]:
    """Open sockets."""
    made = Ports(Home(home_directory))
    made.identify = lambda _: Outside.OWNER
    made.bind()
    yield made
    made.close()


def heard(ports: Ports) -> list[tuple[Peer, bytes]]:
    """What has come in, once something has."""
    found: list[tuple[Peer, bytes]] = []
    while not found:
        assert select.select([ports], [], [], 10)[0]
        found = list(ports.requests())
    return found


def test_a_request_comes_with_the_kernels_word_for_its_sender_and_its_reply_goes_back(
    ports: Ports, home_directory: Path
) -> None:
    with Raw(Home(home_directory)) as raw:
        raw.send(b"question")
        ((peer, frame),) = heard(ports)
        assert (peer.uid, peer.pid, frame) == (os.getuid(), os.getpid(), b"question")
        ports.reply(peer.route, b"answer")
        assert raw.socket.recv() == b"answer"


def test_a_req_socket_gets_its_reply_as_it_wants_it(ports: Ports, home_directory: Path) -> None:
    with Raw(Home(home_directory), zmq.REQ) as raw:
        raw.send(b"question")
        ((peer, _),) = heard(ports)
        assert peer.route[1:] == (b"",)
        ports.reply(peer.route, b"answer")
        assert raw.socket.poll(10_000)
        assert raw.socket.recv() == b"answer"


def test_what_has_another_form_is_passed_over(ports: Ports, home_directory: Path) -> None:
    with Raw(Home(home_directory)) as raw:
        raw.send(b"a", b"b")
        raw.send(b"", b"", b"c")
        raw.send(b"last")
        seen: list[bytes] = []
        until(lambda: seen.extend(frame for _, frame in ports.requests()) or seen)
        assert seen == [b"last"]


def test_a_turn_takes_a_bounded_number(ports: Ports, home_directory: Path) -> None:
    with Raw(Home(home_directory)) as raw:
        for _ in range(300):
            raw.send(b"x")
        counts: list[int] = []
        until(lambda: counts.append(len(list(ports.requests()))) or sum(counts) == 300)
        assert max(counts) <= 256


def test_a_reply_to_one_who_left_or_never_was_is_nothing(ports: Ports, home_directory: Path) -> None:
    ports.reply((b"never",), b"answer")
    with Raw(Home(home_directory)) as raw:
        raw.send(b"question")
        ((peer, _),) = heard(ports)
    for _ in range(500):
        ports.reply(peer.route, b"answer" * 1000)


def test_news_reaches_those_who_listen(ports: Ports, home_directory: Path) -> None:
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


def test_the_sockets_are_private_and_one_that_was_left_behind_is_replaced(home_directory: Path) -> None:
    home = Home(home_directory)
    home.socket.write_text("stale")
    ports = Ports(home)
    ports.bind()
    for path in (home.socket, home.events):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ports.close()
