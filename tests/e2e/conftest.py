"""A fleet: an instance with an open connection, gates and a book."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.e2e.fleet import Fleet
from tests.e2e.yard import Yard


@pytest.fixture
def resting(stopped: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet whose daemon the test starts itself."""
    # a daemon that our own connection brings back shall show whose it is, as any other does
    monkeypatch.setenv("ORCHD_HOME", str(stopped.directory))
    with closing(stopped.client()) as client:
        fleet = Fleet(stopped, client, tmp_path)
        yield fleet
        fleet.close()
    print(stopped.log())  # noqa: T201 - shown when the test failed


@pytest.fixture
def fleet(resting: Fleet) -> Fleet:
    """A fleet whose daemon runs."""
    resting.instance.start()
    return resting


@pytest.fixture
def yard() -> Iterator[Yard]:
    """Cgroups that are removed afterwards."""
    new_yard = Yard()
    yield new_yard
    new_yard.close()
