"""How texts are written in the files of a session: every character of them survives, or is replaced visibly."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchd.instance import yaml_text
from orchd.session_files.texts import as_json, scalar

HOSTILE = "\x00\x07\x1b[31m\x7f\x80\x85\x92\x9b\u061c\u2028\u2029\u202e\ufeff\ud800\udcff\ufffe\U000e0001\r\n\t: #'\"\\"
TEXTS = st.text(st.characters(codec=None) | st.sampled_from(HOSTILE), max_size=30)


@given(TEXTS)
def test_any_text_is_one_printable_scalar_of_its_line(text: str) -> None:
    text_shown = scalar(text)
    assert text_shown.isprintable()
    assert yaml.safe_load(f"key: {text_shown}\n") == {"key": text.translate(yaml_text.NOT_IN_YAML)}
    if not text_shown.startswith('"'):
        assert text_shown == text


@given(TEXTS, TEXTS)
def test_an_event_is_one_line_of_valid_json(key: str, text: str) -> None:
    line = as_json({"event": "x", "doc": {"list": [text, 1], key.translate(yaml_text.HALVES): text}})
    assert line.isascii()
    assert line.isprintable()
    json.dumps(json.loads(line), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "word", ["", "true", "No", "null", "~", "1", "-", "a b", "a: b", "#x", "a\n", "...", "1e3", "é"]
)
def test_text_that_yaml_could_misread_is_quoted(word: str) -> None:
    assert scalar(word)[0] == '"'
