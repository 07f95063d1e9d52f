"""The error that crosses the wire."""

from __future__ import annotations

from orchd.protocol.errors import WireError


def test_it_reads_as_its_code_and_its_sentence() -> None:
    assert str(WireError("would-queue", "no room")) == "would-queue: no room"


def test_details_are_a_copy_that_no_other_code_changes() -> None:
    details: dict[str, object] = {"path": ["a"]}
    error = WireError("cycle", "a waits for itself", details)
    details["path"] = []
    assert error.details == {"path": ["a"]}


def test_without_details_there_is_an_empty_map() -> None:
    assert WireError("forbidden", "no").details == {}
