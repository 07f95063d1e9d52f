"""The command that installs a package which an exporter needs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from orchctl.exporters import extras


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("pipx_metadata.json", "`pipx inject orchd prometheus-client`"),
        (
            "uv-receipt.toml",
            "`uv tool install --with prometheus-client .` in the directory from which orchd was installed",
        ),
    ],
)
def test_the_command_is_of_the_tool_that_made_the_environment(
    file: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert extras.how_to_install("prometheus-client") == command


def test_the_command_names_the_interpreter_of_a_virtual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/a b/bin/python")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert extras.how_to_install("p") == "`'/home/a b/bin/python' -m pip install p`"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert extras.how_to_install("p") == "`uv pip install --python '/home/a b/bin/python' p`"
