"""Fixtures that the tests of the outer layers share."""

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
    new_bench = Bench(home_directory)
    yield new_bench
    new_bench.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open, empty database."""
    new_store = Store(tmp_path / "orchd.db")
    yield new_store
    new_store.close()


@pytest.fixture
def cgroups() -> Iterator[Cgroups]:
    """A base of this process's own."""
    tree = Cgroups.where_allowed(f"test-{os.getpid()}")
    if tree is None:
        pytest.skip("no cgroup2 directory can be made here")
    yield tree
    tree.close()
    assert not tree.base.exists()


@pytest.fixture
def yard() -> Iterator[Yard]:
    """Cgroups that are removed afterwards."""
    new_yard = Yard()
    yield new_yard
    new_yard.close()
