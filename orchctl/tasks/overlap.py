"""Decides whether two paths or globs can match the same file. Each matches itself and everything below it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

_DEEP = "**"
_PARTS = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)  # a class, or one character


def overlaps(first: str, other: str, directory: Path) -> bool:
    """Whether some path could match both patterns, which are relative to `directory`."""
    return _matched(_segments(first, directory), _segments(other, directory), _DEEP, _names_meet)


def _segments(pattern: str, directory: Path) -> tuple[str, ...]:
    return (*Path(os.path.normpath(directory / pattern)).parts[1:], _DEEP)


@lru_cache(maxsize=4096)
def _names_meet(first: str, other: str) -> bool:
    """Whether some name matches both patterns."""
    if not _is_glob(first) and not _is_glob(other):
        return first == other
    return _matched(_PARTS.findall(first), _PARTS.findall(other), "*", _characters_meet)


def _is_glob(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _characters_meet(first: str, other: str) -> bool:
    """Whether some character matches both; two classes always count as a match."""
    if len(first) > 1 or len(other) > 1:
        return (
            (len(first) > 1 and len(other) > 1)
            or "?" in (first, other)
            or fnmatchcase(*sorted((first, other), key=len))
        )
    return first == other or "?" in (first, other)


def _matched(first: Sequence[str], other: Sequence[str], star: str, meets: Callable[[str, str], bool]) -> bool:
    """Whether two patterns have a match in common: which ends of the second are reachable behind each part."""
    reached = set(_past(other, {0}, star))
    for part in first:
        if part == star:
            reached = set(range(min(reached), len(other) + 1)) if reached else set()
            continue
        ends: set[int] = set()
        for place in reached:
            if place < len(other) and other[place] == star:
                ends.add(place)
            elif place < len(other) and meets(part, other[place]):
                ends.add(place + 1)
        reached = set(_past(other, ends, star))
    return len(other) in reached


def _past(other: Sequence[str], places: set[int], star: str) -> Iterator[int]:
    """Yield `places` and the positions behind stars there, which may match nothing."""
    for place in places:
        yield place
        while place < len(other) and other[place] == star:
            place += 1  # noqa: PLW2901 - a star may stand for nothing
            yield place
