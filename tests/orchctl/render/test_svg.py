"""Elements of pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from orchctl.render.svg import add, picture, written


@given(st.text(), st.text())
def test_any_text_gives_well_formed_svg_without_invalid_characters(text: str, name: str) -> None:
    root = picture(10, 20.5, "", "a title", text)
    add(root, "text", text, data_name=name)
    parsed = ET.fromstring(written(root))
    assert [element.tag.partition("}")[2] for element in parsed] == ["title", "desc", "style", "text"]
    assert "\0" not in (parsed[-1].text or "")


def test_attributes_keep_their_order_and_numbers_are_rounded() -> None:
    root = picture(10, 20.5, "a{}")
    add(root, "line", class_="", y1=1, x1=1 / 3, text_anchor="end")
    assert written(root).splitlines() == [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 20.5" width="10" height="20.5">',
        "<style>a{}</style>",
        '<line y1="1" x1="0.3" text-anchor="end" />',
        "</svg>",
    ]
