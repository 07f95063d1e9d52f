"""Files to begin with: a composition and a batch that are valid as they stand, and say what belongs in them."""

from __future__ import annotations

from pathlib import Path

_FILES = Path(__file__).parents[1] / "schemas"


def composition() -> str:
    """A composition.json. JSON has no comments: its notes are keys that begin with `x-`, which nothing reads."""
    return (_FILES / "composition-example.json").read_text(encoding="utf-8")


def batch() -> str:
    """A batch file, one JSON object a line."""
    return (_FILES / "batch-example.jsonl").read_text(encoding="utf-8")
