"""Variables that hold lists of paths."""

from __future__ import annotations

import os

import pytest

from orchd.wire import variables


@pytest.mark.parametrize("paths", [[], ["/a"], ["/a:b", "/c\nd", '/"e"', "/caf\udce9", "/é"]])
def test_every_path_survives(paths: list[str]) -> None:
    text = variables.listed(paths)
    assert variables.paths(os.fsdecode(os.fsencode(text))) == paths


def test_paths_that_are_separated_by_colons_are_read_too() -> None:
    assert variables.paths("/a.md:/b.md") == ["/a.md", "/b.md"]
    assert variables.paths("") == []
