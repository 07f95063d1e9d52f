"""Files that list things; their mistakes are tested in test_batch and pm/test_files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.errors import UsageError
from orchctl.spawn.json_lines import JsonLine, JsonLines, ListingError


def test_every_entry_has_its_line_or_index(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("1\n\n2\n")
    listing = JsonLines(str(tmp_path / "list"), "bad-list", "begun")
    assert list(listing.entries(listing.text())) == [
        (f"{tmp_path}/list line 1", 1, None),
        (f"{tmp_path}/list line 3", 2, None),
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
        listing.converted(listing.entries(listing.text()), lambda entry: entry)


def test_all_problems_are_in_one_error(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("1\n{\n\n2\n" + "3\n" * 20)
    listing = JsonLines(str(tmp_path / "list"), "bad-list", "begun")

    def odd(entry: JsonLine) -> object:
        if entry.value in (1, 3):
            return entry.value
        raise listing.wrong(entry.place, "is even; use 1", "is small; use 1")

    with pytest.raises(ListingError) as caught:
        listing.converted(listing.entries(listing.text()), odd)
    assert caught.value.message == (
        f"{tmp_path}/list line 2: invalid JSON at column 2: Expecting property name enclosed in double quotes; "
        "line 4: is even; use 1; is small; correct them and try again: nothing was begun"
    )
    assert [problem.place for problem in caught.value.problems] == [
        f"{tmp_path}/list line {number}" for number in (2, 4, 4)
    ]
    assert caught.value.details == {"problems": [problem._asdict() for problem in caught.value.problems]}
    with pytest.raises(UsageError, match=r"line 11: is bad; and 13 more problems; correct them"):
        listing.converted(listing.entries("\n" + "3\n" * 23), bad(listing))


def bad(listing: JsonLines) -> Callable[[JsonLine], object]:
    """Return a function that refuses every entry."""

    def convert(entry: JsonLine) -> object:
        raise listing.wrong(entry.place, "is bad")

    return convert
