"""docs/internals/seeds.md: the tests of every requirement exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/internals/seeds.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


@cache
def named_in(file: str) -> set[str]:
    """The tests that a file has."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)), ids=lambda text: Path(text).name)
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in named_in(file)


def test_every_row_names_a_test() -> None:
    assert [row for row in ROWS if "::" not in row.rpartition(" | ")[2]] == []
    assert len(ROWS) > 80


def test_every_test_reference_has_the_form_that_is_checked() -> None:
    assert len(NAMED) == TEXT.count("::")
