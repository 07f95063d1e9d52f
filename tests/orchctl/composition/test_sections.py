"""Sections of prompts."""

from __future__ import annotations

from orchctl.composition.sections import joined, to_read, to_write


def test_sections_without_text_are_left_out_and_a_text_needs_no_title() -> None:
    assert joined([("", "First."), ("Task", "Do it."), ("Notes", "")]) == "First.\n\n## Task\n\nDo it.\n"


def test_results_to_read_are_listed() -> None:
    assert to_read(["/a b", "/c"]).splitlines()[-2:] == ["- /a b", "- /c"]
    assert to_read([]) == ""


def test_the_path_of_the_result_stands_on_a_line_of_its_own() -> None:
    assert "    /r/api.md" in to_write("/r/api.md").splitlines()
    assert to_write("") == ""
