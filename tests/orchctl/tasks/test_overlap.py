"""Whether two globs could mean the same file."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.tasks.overlap import overlaps

HERE = Path("/work/shop")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("src/a.py", "src/a.py"),
        ("src/a.py", "./src//x/../a.py"),
        ("src", "src/api/a.py"),
        ("src/", "src/a.py"),
        ("src/*.py", "src/a.py"),
        ("src/**", "src/api/deep/a.py"),
        ("**/*.py", "src/a.py"),
        ("src/**/test_*.py", "src/api/*_x.py"),
        ("src/a?.py", "src/[ab]b.py"),
        ("src/[!a].py", "src/b.py"),
        ("src/[ab].py", "src/[bc].py"),
        ("/work/shop/src/a.py", "src/a.py"),
        ("../shop/a", "a"),
        ("*", "anything/below"),
        ("*a*b*", "*b*a*"),
        ("a*", "*b/c"),
        (".", "src/a.py"),
    ],
)
def test_overlapping_globs(first: str, second: str) -> None:
    assert overlaps(first, second, HERE)
    assert overlaps(second, first, HERE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("src/a.py", "src/b.py"),
        ("src/api", "src/app"),
        ("src/api", "src/api2/x"),
        ("src/*.py", "src/*.ts"),
        ("src/*/a.py", "src/*/b.py"),
        ("src/**/a.py", "lib/**"),
        ("src/a*.py", "src/b*.py"),
        ("src/[ab].py", "src/c.py"),
        ("a?", "a"),
        ("../other/a", "a"),
    ],
)
def test_disjoint_globs(first: str, second: str) -> None:
    assert not overlaps(first, second, HERE)
    assert not overlaps(second, first, HERE)


PATTERNS = st.lists(st.text("ab*?", min_size=1, max_size=3) | st.just("**"), min_size=1, max_size=3).map("/".join)
NAMES = [first + second for first, second in product(["a", "b"], ["", "a", "b"])]
PATHS = ["/".join(names) for depth in (1, 2, 3) for names in product(NAMES, repeat=depth)]


def matches(pattern: str, path: str) -> bool:
    """Return whether `pattern` means a path, or a directory above it, by a plain rule."""
    parts = [
        "(?:[^/]+/)*" if part == "**" else re.sub(r"\*+", "[^/]*", part.replace("?", "[^/]")) + "/"
        for part in pattern.split("/")
    ]
    return re.match("".join(parts), f"{path}/") is not None


@given(PATTERNS, PATTERNS)
def test_globs_that_share_a_path_overlap(first: str, second: str) -> None:
    if any(matches(first, path) and matches(second, path) for path in PATHS):
        assert overlaps(first, second, HERE)
