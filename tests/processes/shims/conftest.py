"""Fixtures for the tests of shims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.instance.home import Home
from orchd.processes.linux.cgroups import Cgroups
from tests.processes.shims.attempts import Attempts


@pytest.fixture
def attempts(home_directory: Path, cgroups: Cgroups) -> Iterator[Attempts]:
    """Attempts with cgroups."""
    new_attempts = Attempts(Home(home_directory), cgroups)
    yield new_attempts
    new_attempts.close()
    new_attempts.processes.close()
