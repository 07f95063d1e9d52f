"""The colours of a timeline."""

from __future__ import annotations

import pytest

from orchctl.timeline.palette import DARK, LIGHT, style


def luminance(colour: str) -> float:
    """Return the luminance as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("shades", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_colour_has_enough_contrast_with_its_background(shades: dict[str, str]) -> None:
    for text in ("ink", "faint", "limit"):
        assert contrast(shades[text], shades["paper"]) >= 4.5, text
    for bar in ("pm", "composite", "sub-skill", "bad", "again", "cut"):
        assert contrast(shades["name"], shades[bar]) >= 4.5, bar


def test_dark_palette_defines_the_same_colours_as_light_palette() -> None:
    assert set(LIGHT) == set(DARK)
    light, _, dark = style().partition("@media (prefers-color-scheme:dark)")
    assert all(colour in light for colour in LIGHT.values())
    assert all(colour in dark for colour in DARK.values())
