"""Moments as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from orchctl.history import moments

NOW = 1_800_000_000.0


def test_an_age_counts_back_from_now() -> None:
    assert moments.unix("90", NOW) == NOW - 90
    assert moments.unix("2h", NOW) == NOW - 7200


def test_an_iso_time_has_its_zone_or_is_local() -> None:
    assert moments.unix("2026-11-30T10:00:00Z", NOW) == moments.unix("2026-11-30T11:00+01:00", NOW)
    assert moments.unix("2026-11-30T10:00", NOW) == datetime.fromisoformat("2026-11-30T10:00").timestamp()
    assert moments.unix(" 2026-11-30 ", NOW) == datetime.fromisoformat("2026-11-30").timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "10:00", "-1h", "nan", "2026-13-01"])
def test_anything_else_is_refused_with_both_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time: write an age, as in .*, or an ISO time") as caught:
        moments.unix(text, NOW)
    assert repr(text) in str(caught.value)
