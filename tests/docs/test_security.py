"""docs/internals/security.md: every claim has its tests, and what is not protected is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_seeds import named_in

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/internals/security.md").read_text()
PROTECTED, _, UNPROTECTED = TEXT.partition("\n## What is not protected\n")
HEAD = "| claim | protects from | how | test |"
ROWS = [line for line in PROTECTED.splitlines() if line.startswith("| ") and line != HEAD]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)), ids=lambda text: Path(text).name)
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in named_in(file)


def test_every_claim_has_four_cells_and_names_its_tests() -> None:
    assert PROTECTED.count(HEAD) > 1
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert all(cells), row
        assert re.fullmatch(r"(`tests/[\w/]+\.py::\w+`(, )?)+", cells[-1]), row


def test_every_test_reference_has_the_form_that_is_checked() -> None:
    assert len(NAMED) == TEXT.count("::")
    assert "|" not in UNPROTECTED, "a claim stands where only what is not protected belongs"


def test_the_security_policy_has_its_sections_and_valid_links() -> None:
    policy = (ROOT / "SECURITY.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", policy)
    assert "docs/internals/security.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert "## Reporting a vulnerability\n" in policy
    assert "## Supported versions\n" in policy
