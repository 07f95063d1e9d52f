"""Requests of other machines: subscribers, and repeated changes of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from orchd.network.keyring import Keyring
from orchd.network.peers import Outside
from orchd.network.remote import RemoteRoute, RemoteSocket
from orchd.network.roles import RemoteClient
from orchd.network.subscribers import Subscribers
from orchd.protocol.errors import WireError
from orchd.protocol.remote_operations import KeyAuthorize, KeyRevoke

LAPTOP = RemoteClient("laptop", "viewer")
KEY = KeyAuthorize("laptop", "a1" * 32, "viewer")


class Door:
    """A door, and who stands behind it."""

    public, address = "c3" * 32, "tcp://127.0.0.1:7"

    def __init__(self) -> None:
        self.there: set[tuple[bytes, ...]] = set()
        self.sent: list[tuple[bytes, ...]] = []
        self.cuts = 0

    def reply(self, route: tuple[bytes, ...], _: bytes) -> bool:
        self.sent.append(route)
        return route in self.there

    def cut(self) -> None:
        self.cuts += 1


@pytest.fixture
def door() -> Door:
    """A door without clients."""
    return Door()


@pytest.fixture
def subscribers(tmp_path: Path, door: Door) -> Subscribers:
    """The subscribers behind the door."""
    return Subscribers(Keyring(tmp_path / "keys.json"), cast("RemoteSocket", cast("Any", door)), lambda: "now")


def routes(count: int) -> list[RemoteRoute]:
    return [RemoteRoute((b"\0" + number.to_bytes(4, "big"),)) for number in range(count)]


def test_a_hint_reaches_all_subscribers_and_departed_routes_are_dropped(subscribers: Subscribers, door: Door) -> None:
    first, second = routes(2)
    subscribers.listen(LAPTOP, first)
    subscribers.listen(LAPTOP, second)
    door.there = {first}
    subscribers.publish(b"hint")
    subscribers.publish(b"hint")
    assert door.sent == [first, second, first]


def test_the_number_of_subscriptions_per_key_is_limited(subscribers: Subscribers, door: Door) -> None:
    many = routes(66)
    door.there = set(many)
    for route in many[:64]:
        subscribers.listen(LAPTOP, route)
    with pytest.raises(WireError, match="busy: the key laptop already listens on 64 connections"):
        subscribers.listen(LAPTOP, many[64])
    subscribers.listen(RemoteClient("other", "viewer"), many[64])
    door.there.remove(many[3])
    subscribers.listen(LAPTOP, many[65])


def test_a_local_caller_is_directed_to_the_events_socket(subscribers: Subscribers) -> None:
    with pytest.raises(WireError, match=r"bad-request: .*events\.sock"):
        subscribers.listen(Outside.OWNER, (b"x",))


def test_only_a_successful_revocation_cuts_connections(subscribers: Subscribers, door: Door) -> None:
    subscribers.change("a", Outside.OWNER, KEY)
    (route,) = routes(1)
    subscribers.listen(LAPTOP, route)
    with pytest.raises(WireError, match="unknown-key"):
        subscribers.change("b", Outside.OWNER, KeyRevoke("nobody"))
    assert door.cuts == 0
    revoked = subscribers.change("c", Outside.OWNER, KeyRevoke("laptop"))
    assert subscribers.change("c", Outside.OWNER, KeyRevoke("laptop")) == revoked
    assert door.cuts == 1
    subscribers.publish(b"hint")
    assert door.sent == []
    assert subscribers.keys() == {"keys": [], "server": {"public": door.public, "listens": door.address}}


def test_a_remembered_reply_is_given_only_to_the_same_caller(subscribers: Subscribers) -> None:
    subscribers.change("a", Outside.OWNER, KEY)
    subscribers.change("c", Outside.OWNER, KeyRevoke("laptop"))
    with pytest.raises(WireError, match="unknown-key"):
        subscribers.change("c", RemoteClient("chief", "admin"), KeyRevoke("laptop"))


def test_the_number_of_remembered_replies_is_bounded(subscribers: Subscribers) -> None:
    subscribers.change("a", Outside.OWNER, KEY)
    subscribers.change("c", Outside.OWNER, KeyRevoke("laptop"))
    for number in range(70):
        subscribers.change(f"again-{number}", Outside.OWNER, KEY)
    subscribers.change("d", Outside.OWNER, KeyRevoke("laptop"))
    with pytest.raises(WireError, match="unknown-key"):
        subscribers.change("c", Outside.OWNER, KeyRevoke("laptop"))
