"""A build with today's setuptools has no warning."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_license_is_an_expression_and_a_file_and_no_classifier() -> None:
    project_file = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project_file["build-system"]["requires"] == [
        "setuptools>=77"
    ]  # the first that knows license-files beside it
    assert (project_file["project"]["license"], project_file["project"]["license-files"]) == ("MIT", ["LICENSE"])
    assert not [classifier for classifier in project_file["project"]["classifiers"] if classifier.startswith("License")]
