"""One machine with a real systemd for all tests here, and the daemon as its service."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.systemd.box import Box, Installed, why_not

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """Booted once."""
    if reason := why_not():
        pytest.skip(f"no systemd can be booted: {reason}")
    new_box = Box()
    yield new_box
    new_box.close()


@pytest.fixture
def plain(box: Box) -> Iterator[Installed]:
    """A home without a service yet."""
    installed = Installed(box, f"/run/ann/homes/{next(_numbers)}")
    yield installed
    installed.end()


@pytest.fixture
def service(plain: Installed) -> Installed:
    """A user's service that runs."""
    plain.service("install", "--enable")
    return plain
