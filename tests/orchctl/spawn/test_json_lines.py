"""Files that list things; their mistakes are tested in test_batch and pm/test_files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.errors import UsageError
from orchctl.spawn.json_lines import JsonLines


def test_every_entry_has_its_line_or_index(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("1\n\n2\n")
    listing = JsonLines(str(tmp_path / "list"), "bad-list", "begun")
    assert list(listing.entries(listing.text())) == [
        (f"{tmp_path}/list line 1", 1),
        (f"{tmp_path}/list line 3", 2),
    ]
    assert [entry.place for entry in listing.entries(" [7, 8]")] == [
        f"{tmp_path}/list index 0",
        f"{tmp_path}/list index 1",
    ]


def test_an_error_uses_the_code_and_the_verb_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        JsonLines(str(tmp_path / "none"), "bad-list", "begun").text()
    assert caught.value.code == "bad-list"
    assert caught.value.message.endswith("nothing was begun")


@pytest.mark.parametrize(("text", "place"), [("1\n%s", " line 2"), ("[1, %s]", "")])
def test_a_number_with_too_many_digits_is_refused(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "list").write_text(text % ("9" * 5000))
    listing = JsonLines(str(tmp_path / "list"), "bad-list", "begun")
    with pytest.raises(UsageError, match=f"list{place}: a number has too many digits; "):
        list(listing.entries(listing.text()))
