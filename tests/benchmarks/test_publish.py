"""Figures go into the documents as they were taken."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import publish

FIGURE = {"name": "a peer", "unit": "ms", "samples": [3.0, 1.0, 2.0], "ratios": [1.0, 0.5], "goal": "1", "note": "n"}
RESULT = {"machine": {"load": 0.5, "cores": 2}, "figures": [FIGURE, {**FIGURE, "ratios": [], "goal": "", "note": ""}]}


def test_a_table_shows_figures_ratios_and_the_load() -> None:
    lines = list(publish.table("latency", RESULT))
    assert "| a peer | 2 [1-3] | ms | 0.75 [0.5-1] | goal 1; n |" in lines
    assert "| a peer | 2 [1-3] | ms |  |  |" in lines
    assert any("Load 0.5" in line for line in lines)


def test_only_text_between_the_marks_is_replaced() -> None:
    text = f"above\n{publish.BEGIN}\nold\n{publish.END}\nbelow\n"
    once = publish.replaced(text, ["new"])
    assert once == f"above\n{publish.BEGIN}\nnew\n{publish.END}\nbelow\n"
    assert publish.replaced(once, ["new"]) == once


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(SystemExit, match="there is no"):
        publish.replaced("text", ["new"])


def test_existing_results_are_published_as_tables_and_pictures(tmp_path: Path) -> None:
    results, root = tmp_path / "results", tmp_path / "root"
    results.mkdir()
    (root / "docs/images").mkdir(parents=True)
    (root / "docs/benchmarks.md").write_text(f"{publish.BEGIN}\n{publish.END}\n")
    (results / "latency.json").write_text(json.dumps(RESULT))
    (results / "nesting.svg").write_text("<svg/>")
    publish.main(results, root)
    assert "### latency" in (root / "docs/benchmarks.md").read_text()
    assert [path.name for path in (root / "docs/images").iterdir()] == ["bench-nesting.svg"]


@pytest.mark.parametrize("name", publish.PICTURES)
def test_the_pictures_of_the_page_exist_for_light_and_dark(name: str) -> None:
    text = (publish.ROOT / f"docs/images/bench-{name}.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")
    assert "prefers-color-scheme:dark" in text
    assert f"(images/bench-{name}.svg)" in (publish.ROOT / "docs/benchmarks.md").read_text()
