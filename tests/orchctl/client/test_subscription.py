"""Subscriptions to hints of the daemon."""

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
    """A socket in the place of the daemon's hints; XPUB, to see each subscriber."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.bind(f"ipc://{home.events}")
    yield socket
    context.destroy(linger=0)


@pytest.fixture
def listen() -> Iterator[Callable[[Home], Subscription]]:
    """Makes subscriptions."""
    subscriptions: list[Subscription] = []
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def make(home: Home) -> Subscription:
        subscriptions.append(Subscription(context, home))
        return subscriptions[-1]

    yield make
    for subscription in subscriptions:
        subscription.close()
    context.term()


def test_a_connection_a_hint_and_a_disconnect_wake_the_subscription(
    home: Home, listen: Callable[[Home], Subscription]
) -> None:
    with publisher(home) as daemon:
        subscriptions = listen(home)
        daemon.recv()
        subscriptions.wait()
        assert not subscriptions.drain()
        daemon.send(pack_hint(7))
        subscriptions.wait()
        assert not subscriptions.drain()
    subscriptions.wait()


def test_a_returning_daemon_wakes_the_subscription(home: Home, listen: Callable[[Home], Subscription]) -> None:
    with publisher(home) as daemon:
        subscriptions = listen(home)
        daemon.recv()
        subscriptions.wait()
    subscriptions.wait()
    with publisher(home) as daemon:
        daemon.recv()
        subscriptions.wait()


def test_messages_other_than_hints_are_ignored(home: Home, listen: Callable[[Home], Subscription]) -> None:
    with publisher(home) as daemon:
        subscriptions = listen(home)
        daemon.recv()
        subscriptions.wait()
        for garbage in (b"", b"\xc1", b"\x80", b"x" * 1000):
            daemon.send(garbage)
        daemon.send(pack_hint(1))
        subscriptions.wait()
        assert not subscriptions.drain()


def test_a_daemon_publishes_hints(instance: Instance, listen: Callable[[Home], Subscription]) -> None:
    subscriptions = listen(instance.home)
    subscriptions.wait()
    instance.ctl("pause")
    subscriptions.wait()


def test_queries_are_throttled_but_the_last_hint_is_not_lost(
    home: Home, listen: Callable[[Home], Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news_module, "_PAUSE", 1000.0)
    with publisher(home) as daemon:
        subscriptions = listen(home)
        daemon.recv()
        subscriptions.wait()  # that it is connected is news, which may come late
        pace = Throttle(subscriptions)
        assert pace.seconds() == 0.0
        pace.looked()
        assert pace.seconds() is None
        daemon.send(pack_hint(7))
        poller = zmq.Poller()
        for source in subscriptions.sources():
            poller.register(source, zmq.POLLIN)
        poller.poll()
        first_wait = pace.seconds()
        assert first_wait is not None
        assert 990 < first_wait <= 1000
        second_wait = pace.seconds()
        assert second_wait is not None
        assert second_wait <= first_wait
