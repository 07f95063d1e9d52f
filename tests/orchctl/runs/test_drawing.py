"""Graphs as text, DOT and SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from orchctl.composition import Composition, SubSkill, Tree, flatten
from orchctl.render.status_tree import Look
from orchctl.runs.drawing import Drawing, dot, drawing, svg, text_lines

TEAM = Drawing(
    {"backend": [], "frontend": ["backend"], "mobile": ["backend"], "tests": ["frontend", "mobile"]},
    critical=["backend", "frontend", "tests"],
)
NESTED = flatten(
    Tree(
        Composition("t", "hybrid", (SubSkill("web"), SubSkill("qa", dependencies=("web",)))),
        {"web": Tree(Composition("web", "parallel", (SubSkill("a"), SubSkill("b"))))},
    )
)
SVG = "{http://www.w3.org/2000/svg}"


def test_text_shows_each_node_once_below_its_last_dependency() -> None:
    assert list(text_lines(TEAM, Look())) == [
        "backend  *",
        "├─ frontend  *",
        "└─ mobile",
        "   └─ tests  (also after frontend)  *",
    ]
    assert list(text_lines(TEAM, Look(is_plain=True)))[1:3] == ["|- frontend  *", "`- mobile"]


def test_a_nested_composition_has_a_start_and_an_end_node() -> None:
    drawing_text = drawing(NESTED, [])
    assert [line.strip("├─└│ ") for line in text_lines(drawing_text, Look())] == [
        "web/",
        "web/a",
        "web/b",
        "web  (also after web/, web/a)",
        "qa",
    ]
    assert drawing_text.joints == {"web", "web/"}


def test_dot_has_every_node_and_edge_and_quotes_names() -> None:
    text = dot(Drawing({'a "b"': [], "c": ['a "b"'], "web": []}, joints=["web"], critical=["c"]))
    assert '  "a \\"b\\"" -> "c";' in text
    assert '  "c" [color=orangered, penwidth=2];' in text
    assert '  "web" [shape=point];' in text
    assert text.startswith("digraph composition {")


def test_svg_draws_each_node_once_and_each_edge_once() -> None:
    root = ET.fromstring(svg(TEAM))
    assert [element.text for element in root.iter(f"{SVG}text")] == ["backend", "frontend", "mobile", "tests"]
    assert len(list(root.iter(f"{SVG}path"))) == 4
    assert sum(element.get("class") == "critical" for element in root.iter(f"{SVG}path")) == 2
    lefts = [float(element.get("x", "")) for element in root.iter(f"{SVG}rect")]
    assert lefts[0] < lefts[1] == lefts[2] - (lefts[2] - lefts[1]) < lefts[3]


def test_svg_supports_dark_pages_and_its_nodes_fit_its_size() -> None:
    text = svg(TEAM)
    assert "prefers-color-scheme:dark" in text
    root = ET.fromstring(text)
    for element in root.iter(f"{SVG}rect"):
        assert float(element.get("x", "")) >= 0
        assert float(element.get("x", "")) + float(element.get("width", "")) <= float(root.get("width", ""))
        assert 0 <= float(element.get("y", "")) <= float(root.get("height", "")) - float(element.get("height", ""))


def test_svg_escapes_and_shortens_names() -> None:
    root = ET.fromstring(svg(Drawing({"<a&b>\x1b": [], "x" * 100: []})))
    assert [element.text for element in root.iter(f"{SVG}text")] == ["<a&b>?", "x" * 39 + "…"]
    assert "x" * 100 in [element.text for element in root.iter(f"{SVG}title")]


def test_svg_draws_joints_as_points_and_an_empty_graph_with_width_0() -> None:
    assert len(list(ET.fromstring(svg(drawing(NESTED, []))).iter(f"{SVG}circle"))) == 2
    assert ET.fromstring(svg(Drawing({}))).get("width") == "0"
