"""A reply of the daemon that is kept current."""

from __future__ import annotations

from contextlib import closing

import pytest

from orchctl.client import Client
from orchctl.client.live_query import LiveQuery
from orchctl.errors import NoDaemonError
from tests.conftest import Instance


def limit(client: Client) -> dict[str, object]:
    """Return the query."""
    return client.call("limit")


def test_a_live_query_requests_again_only_after_hints(instance: Instance) -> None:
    with Client(instance.home, starts=False) as client, closing(LiveQuery(client, limit)) as watching:
        looks = [watching.look()]
        while looks[-2:] != [False, False]:  # the connection itself is news
            watching.wait((), 0.5)
            looks.append(watching.look())
        assert looks[0]
        assert len(looks) < 8
        instance.ctl("limit", "3")
        while watching.answer["limit"] != 3:
            watching.wait((), 30.0)
            watching.look()


def test_a_live_query_with_an_interval_requests_without_hints(instance: Instance) -> None:
    with Client(instance.home, starts=False) as client, closing(LiveQuery(client, limit, every=0.1)) as watching:
        for _ in range(5):
            while not watching.look():
                watching.wait((), None)


def test_a_live_query_detects_daemon_loss_and_return(instance: Instance) -> None:
    with Client(instance.home, starts=False) as client, closing(LiveQuery(client, limit)) as watching:
        watching.look()
        instance.kill()
        while not watching.is_cut_off:
            watching.wait((), None)
            watching.look()
        assert watching.answer["limit"] == 7
        instance.start()
        while watching.is_cut_off:
            watching.wait((), None)
            watching.look()


def test_a_live_query_without_a_daemon_raises_an_error(stopped: Instance) -> None:
    with (
        Client(stopped.home, starts=False) as client,
        closing(LiveQuery(client, limit)) as watching,
        pytest.raises(NoDaemonError),
    ):
        watching.look()
