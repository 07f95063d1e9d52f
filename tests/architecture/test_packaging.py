"""What a build of today's setuptools says nothing about."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_license_is_an_expression_and_a_file_and_no_classifier() -> None:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert whole["build-system"]["requires"] == ["setuptools>=77"]  # the first that knows license-files beside it
    assert (whole["project"]["license"], whole["project"]["license-files"]) == ("MIT", ["LICENSE"])
    assert not [one for one in whole["project"]["classifiers"] if one.startswith("License")]
