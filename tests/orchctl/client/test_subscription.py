"""Hints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import zmq

from orchctl.client import subscription as news_module
from orchctl.client.subscription import Subscription, Throttle
from orchd.instance.home import Home
from orchd.protocol.frames import pack_hint
from tests.conftest import Instance


@contextmanager
def publisher(home: Home) -> Iterator[zmq.Socket[bytes]]:
    """Where a daemon's hints would come from; XPUB, to know when somebody listens."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.bind(f"ipc://{home.events}")
    yield socket
    context.destroy(linger=0)


@pytest.fixture
def listen() -> Iterator[Callable[[Home], Subscription]]:
    """Makes subscriptions."""
    made: list[Subscription] = []
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def make(home: Home) -> Subscription:
        made.append(Subscription(context, home))
        return made[-1]

    yield make
    for news in made:
        news.close()
    context.term()


def test_a_connection_a_hint_and_a_loss_are_news(home: Home, listen: Callable[[Home], Subscription]) -> None:
    with publisher(home) as daemon:
        news = listen(home)
        daemon.recv()
        news.wait()
        assert not news.drain()
        daemon.send(pack_hint(7))
        news.wait()
        assert not news.drain()
    news.wait()


def test_a_daemon_that_comes_back_is_news(home: Home, listen: Callable[[Home], Subscription]) -> None:
    with publisher(home) as daemon:
        news = listen(home)
        daemon.recv()
        news.wait()
    news.wait()
    with publisher(home) as daemon:
        daemon.recv()
        news.wait()


def test_what_is_no_hint_is_no_news(home: Home, listen: Callable[[Home], Subscription]) -> None:
    with publisher(home) as daemon:
        news = listen(home)
        daemon.recv()
        news.wait()
        for garbage in (b"", b"\xc1", b"\x80", b"x" * 1000):
            daemon.send(garbage)
        daemon.send(pack_hint(1))
        news.wait()
        assert not news.drain()


def test_a_real_daemon_gives_hints(instance: Instance, listen: Callable[[Home], Subscription]) -> None:
    news = listen(instance.home)
    news.wait()
    instance.ctl("pause")
    news.wait()


def test_looks_are_paced_but_the_last_news_is_looked_at(
    home: Home, listen: Callable[[Home], Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news_module, "_PAUSE", 1000.0)
    with publisher(home) as daemon:
        news = listen(home)
        daemon.recv()
        news.wait()  # that it is connected is news, which may come late
        pace = Throttle(news)
        assert pace.seconds() == 0.0
        pace.looked()
        assert pace.seconds() is None
        daemon.send(pack_hint(7))
        poller = zmq.Poller()
        for source in news.sources():
            poller.register(source, zmq.POLLIN)
        poller.poll()
        left = pace.seconds()
        assert left is not None
        assert 990 < left <= 1000
        again = pace.seconds()
        assert again is not None
        assert again <= left
