"""Variables that hold lists of paths."""

from __future__ import annotations

import os

import pytest

from orchd.instance import environment


@pytest.mark.parametrize("paths", [[], ["/a"], ["/a:b", "/c\nd", '/"e"', "/caf\udce9", "/é"]])
def test_every_path_survives(paths: list[str]) -> None:
    text = environment.listed(paths)
    assert environment.paths(os.fsdecode(os.fsencode(text))) == paths


def test_paths_that_are_separated_by_colons_are_read_too() -> None:
    assert environment.paths("/a.md:/b.md") == ["/a.md", "/b.md"]
    assert environment.paths("") == []
