"""The two ways in which a daemon follows the trees of agents, for tests that try both."""

from __future__ import annotations

import os

import pytest

from orchd.processes.linux.cgroups import Cgroups


def can_make_cgroups() -> bool:
    """Whether a cgroup v2 directory can be had here."""
    tree = Cgroups.where_allowed(f"probe-{os.getpid()}")
    if tree is not None:
        tree.close()
    return tree is not None


BY_CGROUP = pytest.param("auto", marks=pytest.mark.skipif(not can_make_cgroups(), reason="no cgroup v2 to be had"))
