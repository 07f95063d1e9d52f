"""The error that crosses the wire."""

from __future__ import annotations

from orchd.protocol.errors import WireError


def test_a_wire_error_prints_as_its_code_and_message() -> None:
    assert str(WireError("would-queue", "no room")) == "would-queue: no room"


def test_a_wire_error_keeps_a_copy_of_its_details() -> None:
    details: dict[str, object] = {"path": ["a"]}
    error = WireError("cycle", "a waits for itself", details)
    details["path"] = []
    assert error.details == {"path": ["a"]}


def test_a_wire_error_without_details_has_an_empty_map() -> None:
    assert WireError("forbidden", "no").details == {}
