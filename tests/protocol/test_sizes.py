"""Bytes and processors as people write them."""

from __future__ import annotations

import pytest

from orchd.protocol.sizes import share, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1000", 1000),
        (4096, 4096),
        ("1k", 1024),
        ("512M", 512 << 20),
        ("2G", 2 << 30),
        ("2GB", 2 << 30),
        (" 2 GiB ", 2 << 30),
        ("1.5g", 3 << 29),
        ("1T", 1 << 40),
    ],
)
def test_a_size_is_read(text: str | int, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "G", "2X", "-1", "1e400", "nan", "inf", "two", "2G2", "9E", "ib", "b"])
def test_an_invalid_size_is_refused_with_the_valid_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid size; use bytes or a unit, e.g. 512M, 2G, 1\.5G"):
        size(text)


@pytest.mark.parametrize(("text", "expected"), [("150%", 1.5), ("50 %", 0.5), ("1%", 0.01), ("12.5%", 0.125)])
def test_a_cpu_share_is_read(text: str, expected: float) -> None:
    assert share(text) == expected


@pytest.mark.parametrize("text", ["", "%", "150", "0%", "-5%", "x%", "nan%", "inf%", 1.5])
def test_an_invalid_cpu_share_is_refused_with_the_valid_form(text: str | float) -> None:
    with pytest.raises(ValueError, match="is not a valid CPU limit; use a percentage of one core, e.g. 50% or 150%"):
        share(text)
