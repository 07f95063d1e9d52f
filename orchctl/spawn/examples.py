"""Example files for new users: a valid composition and a valid batch, with notes."""

from __future__ import annotations

from pathlib import Path

_FILES = Path(__file__).parents[1] / "schemas"


def composition() -> str:
    """Return a composition.json. JSON has no comments: its notes are keys that begin with `x-`, which nothing reads."""
    return (_FILES / "composition-example.json").read_text(encoding="utf-8")


def batch() -> str:
    """Return a batch file, a JSON object on each line."""
    return (_FILES / "batch-example.jsonl").read_text(encoding="utf-8")
