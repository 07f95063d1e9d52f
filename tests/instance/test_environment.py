"""Variables that hold lists of paths."""

from __future__ import annotations

import os

import pytest

from orchd.instance import environment


@pytest.mark.parametrize("paths", [[], ["/a"], ["/a:b", "/c\nd", '/"e"', "/caf\udce9", "/é"]])
def test_every_path_survives_a_round_trip(paths: list[str]) -> None:
    text = environment.listed(paths)
    assert environment.paths(os.fsdecode(os.fsencode(text))) == paths


def test_colon_separated_paths_are_read_too() -> None:
    assert environment.paths("/a.md:/b.md") == ["/a.md", "/b.md"]
    assert environment.paths("") == []
