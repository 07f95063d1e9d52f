"""Text as a YAML scalar."""

from __future__ import annotations

import json
import re

import pytest

from orchd.instance.yaml_text import scalar

PLAIN = re.compile(r"[a-zA-Z. ]+")


@pytest.mark.parametrize("text", ["word", "two words"])
def test_plain_text_is_written_unquoted(text: str) -> None:
    assert scalar(text, PLAIN) == text


@pytest.mark.parametrize("text", ["", "a: b", "No", "null", ".inf", "ends ", 'a "b"', "\\", "é"])
def test_other_text_is_quoted(text: str) -> None:
    assert scalar(text, PLAIN)[0] == '"'
    assert json.loads(scalar(text, PLAIN)) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [("\x7f", r'"\x7f"'), ("\u202e", r'"\u202e"'), ("\U000e0001", r'"\U000e0001"'), ("\ud800", '"\ufffd"')],
)
def test_unprintable_characters_are_escaped_or_replaced(text: str, written: str) -> None:
    assert scalar(text, PLAIN) == written
