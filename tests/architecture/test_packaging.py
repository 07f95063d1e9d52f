"""A build with today's setuptools has no warning, and what is installed names no file that only the source has."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.daemon import config_example

ROOT = Path(__file__).parents[2]


def test_the_license_is_an_expression_and_a_file_and_no_classifier() -> None:
    project_file = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project_file["build-system"]["requires"] == [
        "setuptools>=77"
    ]  # the first that knows license-files beside it
    assert (project_file["project"]["license"], project_file["project"]["license-files"]) == ("MIT", ["LICENSE"])
    assert not [classifier for classifier in project_file["project"]["classifiers"] if classifier.startswith("License")]


def constants(path: Path) -> Iterator[str]:
    """Yield the texts of a module that a user can see: all but docstrings, which are for readers of the source."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("package", ["orchd", "orchctl"])
def test_no_text_of_the_packages_names_a_page_that_they_lack(package: str) -> None:
    pages = re.compile(r"\b(?:docs/(?!tasks)|tests/|benchmarks/)\S+\.\w+")
    directory = ROOT / package
    texts = {path: "\n".join(constants(path)) for path in directory.rglob("*.py") if "skills" not in path.parts}
    data = ("schemas/*", "systemd/*", "skills/s*/**/*")
    texts |= {
        path: path.read_text()
        for name in data
        for path in directory.glob(name)
        if path.suffix != ".pyc" and path.is_file()
    }
    named = {str(path): found for path, text in texts.items() if (found := pages.findall(text))}
    assert named == {}


def test_the_example_configuration_describes_tables_without_the_pages() -> None:
    assert not re.search(r"\bsee\b", config_example.text())
