"""docs/seeds.md: every row is shown by tests that there are, or says what it still waits for."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/seeds.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.endswith("| shown by |")]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
WAITED_FOR = {"pm"}  # what is built beside this; empty when all of it is there


@cache
def named_in(file: str) -> set[str]:
    """The tests that a file has."""
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)), ids=lambda text: Path(text).name)
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in named_in(file)


def test_every_row_is_shown_by_a_test_or_waits_for_something() -> None:
    shown = [row.rpartition(" | ")[2] for row in ROWS]
    assert [row for row, cell in zip(ROWS, shown, strict=True) if "::" not in cell and "TODO(" not in cell] == []
    assert set(re.findall(r"TODO\(([^)]*)\)", TEXT)) == WAITED_FOR
    assert len(ROWS) > 80


def test_every_name_is_written_so_that_it_is_looked_for() -> None:
    assert len(NAMED) == TEXT.count("::")
