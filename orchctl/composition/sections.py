"""Sections of prompts: a text without a title, or below `## TITLE`. Empty sections are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def joined(sections: Iterable[tuple[str, str]]) -> str:
    """Return the prompt made of sections, each a title, which may be empty, and a text."""
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections if text) + "\n"


def to_read(paths: Sequence[str]) -> str:
    """Return the text that lists the results of dependencies; empty without results."""
    return "\n".join(["The results of your dependencies:", "", *(f"- {path}" for path in paths)]) if paths else ""


def to_write(path: str) -> str:
    """Return the text that says where the result goes; empty without a path."""
    if not path:
        return ""
    return (
        f"When you are done, write what you did and what other agents need to know to the file\n\n    {path}\n\n"
        "Other agents read it instead of your output. End with a failure if you could not do the task."
    )
