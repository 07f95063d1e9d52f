"""What the tests of the outer layers share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.processes.linux.cgroups import Cgroups
from orchd.store.database import Store
from tests.e2e.yard import Yard
from tests.support.bench import Bench


@pytest.fixture
def bench(home_directory: Path) -> Iterator[Bench]:
    """A daemon in pieces."""
    made = Bench(home_directory)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open, empty database."""
    made = Store(tmp_path / "orchd.db")
    yield made
    made.close()


@pytest.fixture
def cgroups() -> Iterator[Cgroups]:
    """A base of this process's own."""
    made = Cgroups.where_allowed(f"test-{os.getpid()}")
    if made is None:
        pytest.skip("no cgroup2 directory can be made here")
    yield made
    made.close()
    assert not made.base.exists()


@pytest.fixture
def yard() -> Iterator[Yard]:
    """Cgroups that are removed afterwards."""
    made = Yard()
    yield made
    made.close()
