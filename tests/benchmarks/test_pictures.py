"""Pictures are well-formed, escape what they show, and are drawn to scale."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from benchmarks import pictures, svg
from benchmarks.harness import Figure

SVG = "{http://www.w3.org/2000/svg}"


def bars(*rows: svg.Row) -> ET.Element:
    return ET.fromstring(svg.bars("a <title> & more", "said", [svg.Column("MB/s", 7.0)], rows))


def test_bars_are_to_scale_and_a_bad_bar_has_another_colour() -> None:
    root = bars(
        svg.Row("ours", [svg.Cell(2.0, 1.0, 4.0, "2")], is_ours=True),
        svg.Row("theirs", [svg.Cell(8.0, 8.0, 8.0, "8", is_bad=True)]),
    )
    drawn = {element.get("class"): float(element.get("width") or 0) for element in root.iter(f"{SVG}rect")}
    assert drawn["bad"] == pytest.approx(4 * drawn["pm"], abs=0.2)
    assert [element.get("class") for element in root.iter(f"{SVG}line")].count("bound") == 1


def test_names_are_escaped_and_dark_mode_is_supported() -> None:
    root = bars(svg.Row("<&>", [svg.Cell(1, 1, 1, "<1>")]))
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert {"<&>", "<1>", "a <title> & more"} <= set(texts)
    (style,) = root.iter(f"{SVG}style")
    assert "prefers-color-scheme:dark" in "".join(style.itertext())


def test_an_empty_scale_causes_no_division_by_zero() -> None:
    assert ET.fromstring(svg.bars("t", "s", [svg.Column("x")], [svg.Row("r", [svg.Cell(0, 0, 0, "0")])])) is not None
    flat = pictures.growth("t", ("x", "y"), {"a": {10: [1.0]}})
    assert ET.fromstring(flat) is not None


def test_a_flat_line_is_level_and_a_proportional_line_rises() -> None:
    root = ET.fromstring(pictures.growth("t", ("x", "y"), {"flat": {10: [5], 100: [5]}, "not": {10: [1], 100: [10]}}))
    flat, rising = (
        [float(element.attrib["cy"]) for element in group.iter(f"{SVG}circle")] for group in root.iter(f"{SVG}g")
    )
    assert flat[0] == flat[1]
    assert rising[0] > rising[1]


def test_labels_at_line_ends_do_not_overlap() -> None:
    assert svg.apart([30.0, 10.0, 12.0]) == [40.0, 10.0, 25.0]


def test_a_cell_is_a_median_with_its_spread() -> None:
    assert pictures.cell([3, 1, 2], "{:g} x") == svg.Cell(2, 1, 3, "2 x")


def test_the_longest_bar_is_on_top() -> None:
    root = ET.fromstring(pictures.rates("t", [Figure("a", "MB/s", [1.0]), Figure("orchd", "MB/s", [9.0])]))
    labels = [element.text for element in root.iter(f"{SVG}text") if "end" in (element.get("class") or "")]
    assert labels == ["orchd", "a"]
