"""One connection."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
import zmq

from orchctl.client.connection import Connection, milliseconds
from orchctl.errors import NoDaemonError
from orchd.instance.home import Home
from orchd.protocol import frames
from orchd.protocol.frames import pack_request, pack_result
from tests.conftest import Instance
from tests.orchctl.routers import result, router


@contextmanager
def connected(home: Home) -> Iterator[Connection]:
    """Return a connection to the daemon that answers."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    connection = Connection(context, home)
    yield connection
    connection.close()
    context.destroy(linger=0)


def ask(connection: Connection, until: float = math.inf) -> frames.ReplyFrame | None:
    """Return the reply to a request."""
    return connection.ask("a", pack_request("a", "daemon", {}), until, None)


def test_a_request_gets_its_reply(instance: Instance) -> None:
    with connected(instance.home) as connection:
        reply = ask(connection)
        assert reply is not None
        assert reply.error is None


def test_a_reply_to_another_request_is_dropped(home: Home) -> None:
    with (
        router(home, lambda request: [pack_result("b", {}), *result(request, {"mine": 1})]),
        connected(home) as connection,
    ):
        reply = ask(connection)
        assert reply is not None
        assert (reply.id, reply.result) == ("a", {"mine": 1})


def test_a_request_without_a_running_daemon_gets_no_reply(home: Home) -> None:
    with connected(home) as connection:
        assert ask(connection) is None
        assert connection.age >= 0.0


def test_the_death_of_the_daemon_ends_a_pending_request(instance: Instance) -> None:
    with connected(instance.home) as connection:
        ask(connection)
        instance.spawn("true")
        killer = threading.Timer(0.0, instance.kill)
        wait = pack_request("w", "wait", {"ids": [instance.spawn("sleep", "60")]})
        killer.start()
        assert connection.ask("w", wait, math.inf, None) is None
        killer.join()


def test_a_request_to_an_unresponsive_daemon_times_out(home: Home) -> None:
    home.create()
    with socket.socket(socket.AF_UNIX) as server, connected(home) as connection:
        server.bind(str(home.socket))
        server.listen(8)
        with pytest.raises(NoDaemonError, match="does not answer"):
            ask(connection, until=0.0)


class Counter:
    """A source that wants a call at once, then becomes readable, then stops the watch."""

    def __init__(self, near_end: socket.socket, far_end: socket.socket) -> None:
        self.ours, self.theirs = near_end, far_end
        self.looked = 0

    def sources(self) -> Iterable[zmq.Socket[bytes] | int]:
        return (self.ours.fileno(),)

    def look(self) -> float | None:
        self.looked += 1
        if self.looked == 1:
            return 0.0
        if self.looked == 2:
            self.theirs.send(b"x")
        else:
            self.ours.recv(1)
        return None


def test_a_watch_runs_at_its_delay_and_when_its_source_is_readable(home: Home) -> None:
    near_end, far_end = socket.socketpair()
    with near_end, far_end, router(home, lambda _: []), connected(home) as connection:
        watch = Counter(near_end, far_end)
        with pytest.raises(NoDaemonError):
            connection.ask("a", pack_request("a", "x", {}), time.monotonic() + 0.3, watch)
        assert watch.looked == 3


def test_the_poll_time_is_rounded_up_and_bounded_by_both_limits() -> None:
    assert milliseconds(math.inf, None) is None
    assert milliseconds(math.inf, 0.0101) == 11
    assert milliseconds(0.0, 5.0) == 0


def test_the_poll_time_for_a_distant_deadline_is_capped_at_a_day(home: Home) -> None:
    assert milliseconds(1e300, None) == milliseconds(math.inf, 1e300) == 86_400_000
    with router(home, lambda request: result(request, {})), connected(home) as connection:
        assert ask(connection, until=time.monotonic() + 30 * 86_400.0) is not None
