"""Versions of files."""

from __future__ import annotations

import pytest

from orchd.instance.formats import NewerFormatError, check


@pytest.mark.parametrize("document", [{}, {"version": 1}, {"version": 2}])
def test_a_known_or_missing_version_is_accepted(document: dict[str, object]) -> None:
    check("/f", document, 2, "delete it")


@pytest.mark.parametrize("version", [3, 0, -1, True, "1", None, 1.0])
def test_an_unknown_version_is_refused_with_both_versions_and_a_remedy(version: object) -> None:
    with pytest.raises(NewerFormatError) as caught:
        check("/f", {"version": version}, 2, "delete it")
    message = (
        f"/f has the version {version!r}, but this orchd reads at most 2; install the orchd that wrote it, or delete it"
    )
    assert str(caught.value) == message
