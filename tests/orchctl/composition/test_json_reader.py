"""JSON files and their mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.composition import CompositionError
from orchctl.composition.json_reader import halves, json_path, parse, read


def test_read_returns_the_value_of_a_valid_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": [1, {"b": null}]}')
    assert read(tmp_path / "x.json") == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b": }', "not JSON: line 2 column 7: Expecting value; correct it there"),
        ("", "line 1 column 1"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "a number has too many digits"),
    ],
    ids=["value", "nothing", "nan", "deep", "long"],
)
def test_invalid_json_is_reported_with_its_position_or_cause(text: str, message: str) -> None:
    with pytest.raises(CompositionError, match=message):
        parse(text)


def test_every_duplicate_key_is_reported() -> None:
    with pytest.raises(CompositionError) as caught:
        parse('{"a": 1, "b": [{"c d": 1, "c d": 2}], "a": 3}')
    assert {(problem.code, problem.path) for problem in caught.value.problems} == {
        ("duplicate-key", "$.a"),
        ("duplicate-key", "$.b[0]['c d']"),
    }


def test_every_lone_surrogate_is_reported_with_its_path() -> None:
    value = parse(r'{"name": "x\ud800", "env": {"\udcff": "1"}, "list": ["\ud83d\ude00", "\u00e9", 1, null]}')
    problems = {(problem.code, problem.path, problem.message) for problem in halves(value)}
    assert problems == {
        ("half-character", "$.name", r"'\ud800' is a lone surrogate"),
        ("half-character", "$.env", r"'\udcff' is a lone surrogate"),
    }


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CompositionError, match="cannot be read: No such file"):
        read(tmp_path / "none.json")
    (tmp_path / "odd.json").write_bytes(b'{"a":\n"\xff"}')
    with pytest.raises(CompositionError, match="line 2 is not UTF-8"):
        read(tmp_path / "odd.json")


def test_json_path_formats_keys_and_indexes() -> None:
    assert json_path([]) == "$"
    assert json_path(["subSkills", 2, "x-y"]) == "$.subSkills[2]['x-y']"
